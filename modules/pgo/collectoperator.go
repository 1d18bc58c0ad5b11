package pgo

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
)

// operatorAPI is an operator of PGO 4 with its apiserver.
type operatorAPI struct{ namespace, version string }

const (
	apiserverContainer = "apiserver"
	apiserverTime      = 8 * time.Second
)

// operators looks for the operators' Deployments, everywhere or, where the user
// may not, where they usually are.
func (g *gatherer) operators(ctx context.Context) error {
	for _, usual := range []struct{ name, namespace string }{{"postgres-operator", "pgo"}, {"pgo", "postgres-operator"}} {
		opts := metav1.ListOptions{FieldSelector: "metadata.name=" + usual.name}
		l, err := g.kube.Clientset().AppsV1().Deployments(metav1.NamespaceAll).List(ctx, opts)
		if apierrors.IsForbidden(err) {
			l, err = g.kube.Clientset().AppsV1().Deployments(usual.namespace).List(ctx, opts)
		}
		if err != nil {
			if err := g.gap("the operator's Deployment "+usual.name, "", err); err != nil {
				return err
			}
			continue
		}
		for i := range l.Items {
			if err := g.operator(ctx, &l.Items[i]); err != nil {
				return err
			}
		}
	}
	return g.owned(ctx)
}

// operator tells of one operator. What merely has its name is none.
func (g *gatherer) operator(ctx context.Context, d *appsv1.Deployment) error {
	var image, home string
	has := false
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.Name == "operator" || image == "" {
			image = c.Image
		}
		has = has || c.Name == apiserverContainer
		home = cmp.Or(home, envOf(c, "PGO_OPERATOR_NAMESPACE"), envOf(c, "PGO_NAMESPACE"))
		if prefix := envOf(c, "CCP_IMAGE_PREFIX"); prefix != "" {
			g.prefix[installation(d)] = prefix
		}
	}
	if home == "" && d.Labels["vendor"] != "crunchydata" && d.Spec.Template.Labels[groupV5+"/control-plane"] == "" {
		return nil
	}
	fact := &evidence.Operator{Image: image, Version: operatorVersion(d), Ready: d.Status.AvailableReplicas > 0, Started: -1}
	if has {
		g.servers = append(g.servers, operatorAPI{d.Namespace, fact.Version})
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil // not one that a server would have taken
	}
	pods, err := g.kube.Clientset().CoreV1().Pods(d.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		if err := g.gap("pods of the operator", d.Namespace, err); err != nil {
			return err
		}
		pods = &corev1.PodList{}
	}
	var youngest time.Time
	for i := range pods.Items {
		for _, s := range pods.Items[i].Status.ContainerStatuses {
			fact.Restarts += int64(s.RestartCount)
			if r := s.State.Running; r != nil && r.StartedAt.After(youngest) {
				youngest = r.StartedAt.Time
			}
		}
	}
	fact.Started = g.age(youngest)
	g.rec.Fact(d.Name, evidence.Place{Namespace: d.Namespace}, fact)
	return nil
}

func envOf(c corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// versionInTag finds the operator's version in the tag of its image:
// centos7-4.2.1, ubi8-5.8.9-0.
var versionInTag = regexp.MustCompile(`:(?:[a-z0-9]+-|v)?(\d+\.\d+\.\d+)(?:-\d+)?$`)

func operatorVersion(d *appsv1.Deployment) string {
	for _, c := range d.Spec.Template.Spec.Containers {
		if v := envOf(c, "PGO_VERSION"); v != "" {
			return v
		}
		if found := versionInTag.FindStringSubmatch(c.Image); found != nil {
			return found[1]
		}
	}
	return d.Labels["app.kubernetes.io/version"]
}

// owned learns which installation of PGO 4 a namespace belongs to. Without the
// right to see that, images are told without their prefix.
func (g *gatherer) owned(ctx context.Context) error {
	l, err := g.kube.Clientset().CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: "pgo-installation-name"})
	if apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return g.gap("namespaces", "", err)
	}
	for i := range l.Items {
		g.owners[l.Items[i].Name] = l.Items[i].Labels["pgo-installation-name"]
	}
	return nil
}

// apiservers asks those of PGO 4 whether they are there, and, where the site
// says how to log in, for their version.
func (g *gatherer) apiservers(ctx context.Context, env *module.Env) error {
	told := g.API != nil || g.variable("PGO_APISERVER_URL") != "" || g.variable("PGO_CA_CERT") != ""
	if told && g.login(ctx, env) {
		return nil
	}
	for _, s := range g.servers {
		g.knock(ctx, env, s)
	}
	return nil
}

// login speaks to the apiserver as the site says; false where it does not say
// enough.
func (g *gatherer) login(ctx context.Context, env *module.Env) bool {
	access := API{Service: defaultService}
	if g.API != nil {
		access = *g.API
	}
	a, err := access.open(env, g.variable)
	if err != nil {
		g.rec.Gap("the version of the PGO apiserver", evidence.Place{}, err)
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, apiserverTime)
	defer cancel()
	fact := &evidence.PGOServer{URL: a.base}
	version, err := a.version(ctx)
	if err != nil {
		fact.Error = err.Error()
	}
	fact.Version, fact.Reachable = version, err == nil
	g.rec.Fact("apiserver", evidence.Place{}, fact)
	return true
}

// knock sees, without credentials, whether an apiserver answers at all, and
// which certificate it shows. Nothing is told to it, so whoever it is does no
// harm.
func (g *gatherer) knock(all context.Context, env *module.Env, s operatorAPI) {
	ctx, cancel := context.WithTimeout(all, apiserverTime)
	defer cancel()
	place := evidence.Place{Namespace: s.namespace}
	address := "postgres-operator." + s.namespace + ":8443"
	fact := &evidence.PGOServer{URL: "https://" + address, Version: s.version}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return env.Dial(ctx, network, "svc/"+address)
		}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fact.URL+"/healthz", nil)
	if err != nil {
		g.rec.Gap("the PGO apiserver", place, err)
		return
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	switch {
	case err != nil && (apierrors.IsForbidden(err) || all.Err() != nil): // that says nothing about the apiserver
		g.rec.Gap("the PGO apiserver", place, errors.New(plainly(err)))
		return
	case err != nil:
		if fact.Error = plainly(err); strings.Contains(fact.Error, "no pod behind service") {
			fact.Error = "no endpoints: " + fact.Error
		}
	default:
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
		fact.Reachable = true
		if resp.StatusCode >= http.StatusInternalServerError {
			fact.Error = fmt.Sprintf("it answers /healthz with %s", resp.Status)
		}
		if certs := resp.TLS.PeerCertificates; len(certs) > 0 {
			where := "the PGO apiserver " + address
			g.rec.Fact(where, place, &evidence.Certificate{Where: where, Subject: certs[0].Subject.String(),
				Left: int64(certs[0].NotAfter.Sub(g.now) / time.Second), Starts: int64(certs[0].NotBefore.Sub(g.now) / time.Second)})
		}
	}
	g.rec.Fact("apiserver", place, fact)
}

// plainly is an error of net/http without the method and address.
func plainly(err error) string {
	if said := (*url.Error)(nil); errors.As(err, &said) {
		err = said.Err
	}
	return err.Error()
}
