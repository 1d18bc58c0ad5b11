package node

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/pki"
)

//go:embed files
var files embed.FS

// VolumesPerNode is how many database volumes each node offers below /data.
const VolumesPerNode = 4

// facts are what the templates in files speak about.
type facts struct {
	layout.Node
	Others                              []layout.Node
	Volumes                             []int
	Cgroup, Pause, ServiceCIDR, AllPods string
}

// Volumes numbers the volumes of a node; the numbers are the cluster's, so no two nodes share one.
func Volumes(n layout.Node) []int {
	numbers := make([]int, VolumesPerNode)
	for i := range numbers {
		numbers[i] = (n.Number-1)*VolumesPerNode + i + 1
	}
	return numbers
}

// Folder holds a node's files on the host; the node sees it read-only as /etc/antdb-lab.
func Folder(lab layout.Lab, n layout.Node) string { return lab.In("nodes", n.Name) }

// WriteFiles writes all that a node needs to know: configuration, certificates, SSH keys.
func WriteFiles(lab layout.Lab, n layout.Node, keys SSHKeys) error {
	dir := Folder(lab, n)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := writeTemplates(lab, n, dir); err != nil {
		return err
	}
	if err := writeCertificates(lab, n, dir); err != nil {
		return err
	}
	return keys.Install(n, dir)
}

func writeTemplates(lab layout.Lab, n layout.Node, dir string) error {
	known := facts{
		Node: n, Volumes: Volumes(n), Cgroup: lab.CgroupRoot() + "/" + n.Name, Pause: layout.PauseImage,
		ServiceCIDR: lab.ServiceCIDR(), AllPods: layout.PodCIDR,
	}
	for _, other := range lab.All() {
		if other.Number != n.Number {
			known.Others = append(known.Others, other)
		}
	}
	all, err := template.ParseFS(files, "files/*")
	if err != nil {
		return err
	}
	for _, t := range all.Templates() {
		var text bytes.Buffer
		if err := t.Execute(&text, known); err != nil {
			return fmt.Errorf("write %s of %s: %w", t.Name(), n.Name, err)
		}
		mode := os.FileMode(0o644)
		if t.Name() == "start" {
			mode = 0o755
		}
		if err := os.WriteFile(filepath.Join(dir, t.Name()), text.Bytes(), mode); err != nil {
			return err
		}
	}
	return nil
}

func writeCertificates(lab layout.Lab, n layout.Node, dir string) error {
	authority, err := pki.Open(lab.In("pki"))
	if err != nil {
		return err
	}
	subject := pki.Subject{User: "system:node:" + n.Name, Groups: []string{"system:nodes"}, Names: []string{n.Name}, IPs: []string{n.IP}}
	if err := authority.Issue(n.Name, subject); err != nil {
		return err
	}
	certFile, keyFile := authority.Files(n.Name)
	for from, to := range map[string]string{certFile: "kubelet.crt", keyFile: "kubelet.key", authority.CertFile(): "ca.crt"} {
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, to), content, 0o600); err != nil {
			return err
		}
	}
	if err := authority.Kubeconfig(filepath.Join(dir, "kubelet.kubeconfig"), lab.APIURL(), n.Name); err != nil {
		return err
	}
	return authority.Kubeconfig(filepath.Join(dir, "kube-proxy.kubeconfig"), lab.APIURL(), "kube-proxy")
}
