// Package control runs the control plane on the host: etcd, kube-apiserver, kube-controller-manager, kube-scheduler.
package control

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/pki"
	"github.com/adbsql/antdbctl/lab/proc"
)

// noProxy: no part of the control plane talks to anything outside the lab.
var noProxy = []string{"HTTP_PROXY=", "HTTPS_PROXY=", "ALL_PROXY=", "http_proxy=", "https_proxy=", "all_proxy="}

// Plane is the control plane of one lab; Binaries is the folder of its programs.
type Plane struct {
	Lab      layout.Lab
	Binaries string
}

// Start brings up what does not run yet, and returns when the API server serves.
func (p Plane) Start(ctx context.Context) error {
	authority, err := pki.Open(p.Lab.In("pki"))
	if err != nil {
		return err
	}
	if err := p.issue(authority); err != nil {
		return err
	}
	for _, daemon := range p.daemons(authority) {
		if _, err := daemon.Start(); err != nil {
			return err
		}
		if daemon.Name == "kube-apiserver" {
			if err := daemon.WaitFor(ctx, 2*time.Minute, p.ready); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stop ends the control plane, last started first. Nothing of it is kept, so nobody is waited for: the API server would
// let open watches run out first.
func (p Plane) Stop() error {
	daemons := p.daemons(nil)
	for i := len(daemons) - 1; i >= 0; i-- {
		if err := daemons[i].Stop(2 * time.Second); err != nil {
			return err
		}
	}
	return nil
}

// Daemons lists the parts in the order of their start, to look at.
func (p Plane) Daemons() []proc.Daemon { return p.daemons(nil) }

func (p Plane) ready(ctx context.Context) error {
	config, err := Config(p.Lab)
	if err != nil {
		return err
	}
	config.Timeout = 2 * time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// Config is the administrator's client configuration.
func Config(lab layout.Lab) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", lab.Kubeconfig())
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 100, 200
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // the lab is on this machine, whatever the environment says
	return config, nil
}

func (p Plane) issue(a *pki.Authority) error {
	certificates := []struct {
		name    string
		subject pki.Subject
	}{
		{"apiserver", pki.Subject{User: "kube-apiserver", IPs: []string{p.Lab.Gateway(), p.Lab.APIServiceIP(), "127.0.0.1"},
			Names: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}}},
		{"kubelet-client", pki.Subject{User: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}}},
		{"admin", pki.Subject{User: "lab-admin", Groups: []string{"system:masters"}}},
		{"controller-manager", pki.Subject{User: "system:kube-controller-manager"}},
		{"scheduler", pki.Subject{User: "system:kube-scheduler"}},
		{"kube-proxy", pki.Subject{User: "system:kube-proxy"}},
	}
	for _, c := range certificates {
		if err := a.Issue(c.name, c.subject); err != nil {
			return err
		}
	}
	if _, err := a.Key("service-account"); err != nil {
		return err
	}
	for name, path := range map[string]string{
		"admin":              p.Lab.Kubeconfig(),
		"controller-manager": p.Lab.In("pki", "controller-manager.kubeconfig"),
		"scheduler":          p.Lab.In("pki", "scheduler.kubeconfig"),
	} {
		if err := a.Kubeconfig(path, p.Lab.APIURL(), name); err != nil {
			return err
		}
	}
	return nil
}

// daemons lists the programs in the order of their start. Stopping and asking need no authority: only Start looks at the flags.
func (p Plane) daemons(a *pki.Authority) []proc.Daemon {
	program := func(name string, flags ...string) proc.Daemon {
		return proc.Daemon{Name: name, Dir: p.Lab.State, Env: noProxy, Argv: append([]string{filepath.Join(p.Binaries, name)}, flags...)}
	}
	if a == nil {
		return []proc.Daemon{program("etcd"), program("kube-apiserver"), program("kube-controller-manager"), program("kube-scheduler")}
	}
	serverCert, serverKey := a.Files("apiserver")
	kubeletCert, kubeletKey := a.Files("kubelet-client")
	_, accountKey := a.Files("service-account")
	return []proc.Daemon{
		program("etcd",
			"--name=lab", "--data-dir="+p.Lab.In("etcd"), "--unsafe-no-fsync", "--log-level=warn",
			"--listen-client-urls="+p.loopback(0), "--advertise-client-urls="+p.loopback(0),
			"--listen-peer-urls="+p.loopback(1)),
		program("kube-apiserver",
			"--etcd-servers="+p.loopback(0),
			"--bind-address="+p.Lab.Gateway(), "--advertise-address="+p.Lab.Gateway(), fmt.Sprintf("--secure-port=%d", layout.APIPort),
			"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
			"--client-ca-file="+a.CertFile(), "--tls-cert-file="+serverCert, "--tls-private-key-file="+serverKey,
			"--kubelet-certificate-authority="+a.CertFile(), "--kubelet-client-certificate="+kubeletCert, "--kubelet-client-key="+kubeletKey,
			"--kubelet-preferred-address-types=InternalIP",
			"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+accountKey,
			"--service-account-signing-key-file="+accountKey, "--service-cluster-ip-range="+p.Lab.ServiceCIDR(),
			"--cert-dir="+p.Lab.In("pki")),
		program("kube-controller-manager",
			"--kubeconfig="+p.Lab.In("pki", "controller-manager.kubeconfig"), "--leader-elect=false",
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", p.Lab.Port(2)),
			"--use-service-account-credentials", "--root-ca-file="+a.CertFile(), "--service-account-private-key-file="+accountKey,
			"--controllers=*,-node-ipam-controller", "--cert-dir="+p.Lab.In("pki", "controller-manager")),
		program("kube-scheduler",
			"--kubeconfig="+p.Lab.In("pki", "scheduler.kubeconfig"), "--leader-elect=false",
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", p.Lab.Port(3)),
			"--cert-dir="+p.Lab.In("pki", "scheduler")),
	}
}

// loopback is the URL of etcd's n-th port.
func (p Plane) loopback(n int) string { return fmt.Sprintf("http://127.0.0.1:%d", p.Lab.Port(n)) }
