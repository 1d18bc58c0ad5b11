package kubetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// prepare writes what the programs read at their start.
func (s *Server) prepare() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	kubeconfig := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: admin}}]
clusters: [{name: test, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: admin, user: {token: %s}}]
`, s.URL, filepath.Join(s.dir, "apiserver.crt"), adminToken)
	return errors.Join(
		os.WriteFile(filepath.Join(s.dir, "accounts.pem"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(s.dir, "tokens.csv"),
			[]byte(adminToken+",admin,1,system:masters\n"+nobodyToken+",nobody,2\n"), 0o600),
		os.WriteFile(s.Kubeconfig(), []byte(kubeconfig), 0o600),
	)
}

func (s *Server) daemons(bin string, ports []int) [][]string {
	in := func(name string) string { return filepath.Join(s.dir, name) }
	etcd := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	return [][]string{
		{filepath.Join(bin, "etcd"), "--data-dir=" + in("etcd"), "--unsafe-no-fsync", "--log-level=error",
			"--listen-client-urls=" + etcd, "--advertise-client-urls=" + etcd,
			fmt.Sprintf("--listen-peer-urls=http://127.0.0.1:%d", ports[1])},
		{filepath.Join(bin, "kube-apiserver"), "--etcd-servers=" + etcd, "--bind-address=127.0.0.1",
			"--advertise-address=192.0.2.1", fmt.Sprintf("--secure-port=%d", ports[2]), "--cert-dir=" + s.dir, "--token-auth-file=" + in("tokens.csv"),
			"--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24", "--allow-privileged",
			"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + in("accounts.pem"),
			"--service-account-signing-key-file=" + in("accounts.pem")},
		{filepath.Join(bin, "kube-controller-manager"), "--kubeconfig=" + s.Kubeconfig(), "--leader-elect=false",
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[3]), "--cert-dir=" + in("controllers"),
			"--service-account-private-key-file=" + in("accounts.pem"), "--controllers=*,-node-ipam-controller"},
	}
}

// binaries is the lab's cache of programs; the lab builds what is missing.
func binaries() (string, error) {
	found, err := cached()
	if err != nil || found != "" {
		return found, err
	}
	gomod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	lab := filepath.Join(filepath.Dir(strings.TrimSpace(string(gomod))), "lab")
	if out, err := exec.Command("go", "-C", lab, "run", ".", "binaries").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the lab's binaries: %w\n%s", err, out)
	}
	if found, err = cached(); err == nil && found == "" {
		err = errors.New("the lab built no binaries")
	}
	return found, err
}

// cached is the newest folder that has all programs; empty when there is none.
func cached() (string, error) {
	cache := os.Getenv("ANTDBCTL_LAB_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(user, "antdbctl-lab")
	}
	dirs, err := filepath.Glob(filepath.Join(cache, "bin", "kubernetes-*"))
	if err != nil {
		return "", err
	}
	slices.Sort(dirs)
	for _, dir := range slices.Backward(dirs) {
		complete := true
		for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				complete = false
			}
		}
		if complete {
			return dir, nil
		}
	}
	return "", nil
}

func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// processes are the started programs. They die with the test binary, also when
// that is killed: the kernel tells them when the thread that started them ends,
// so that thread stays.
type processes struct {
	work chan func()
	cmds []*exec.Cmd
}

func (p *processes) start(dir string, argv []string) error {
	if p.work == nil {
		p.work = make(chan func())
		go func() {
			runtime.LockOSThread()
			for f := range p.work {
				f()
			}
		}()
	}
	log, err := os.Create(filepath.Join(dir, filepath.Base(argv[0])+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	done := make(chan error)
	p.work <- func() { done <- cmd.Start() }
	if err := <-done; err != nil {
		return err
	}
	p.cmds = append(p.cmds, cmd)
	return nil
}

func (p *processes) stop() {
	for _, cmd := range slices.Backward(p.cmds) {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	p.cmds = nil
}

// logs are the ends of what the programs said.
func (p *processes) logs(dir string) string {
	var b strings.Builder
	for _, cmd := range p.cmds {
		name := filepath.Base(cmd.Path)
		raw, _ := os.ReadFile(filepath.Join(dir, name+".log"))
		fmt.Fprintf(&b, "--- %s\n%s\n", name, raw[max(0, len(raw)-2000):])
	}
	return b.String()
}
