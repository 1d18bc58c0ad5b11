package node

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/adbsql/antdbctl/lab/layout"
)

// SSHKeys are the key that opens all nodes and the nodes' own host keys. They live in the state folder.
type SSHKeys struct {
	Identity   string // private key file
	KnownHosts string // the nodes' host keys, pinned
	Config     string // for ssh -F
	dir        string
}

// Keys makes the keys unless they are there, and writes known_hosts and ssh_config for all nodes.
func Keys(lab layout.Lab) (SSHKeys, error) {
	k := SSHKeys{Identity: lab.In("id_ed25519"), KnownHosts: lab.In("known_hosts"), Config: lab.In("ssh_config"), dir: lab.In("ssh")}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return k, err
	}
	if _, err := keyPair(k.Identity, "antdbctl-lab"); err != nil {
		return k, err
	}
	var known, config strings.Builder
	for _, n := range lab.All() {
		public, err := keyPair(k.hostKey(n), n.Name)
		if err != nil {
			return k, err
		}
		fmt.Fprintf(&known, "%s,%s %s\n", n.Name, n.IP, public)
		fmt.Fprintf(&config, "Host %s\n  HostName %s\n  HostKeyAlias %[1]s\n", n.Name, n.IP)
	}
	fmt.Fprintf(&config, "Host node*\n  User root\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  StrictHostKeyChecking yes\n",
		k.Identity, k.KnownHosts)
	if err := os.WriteFile(k.KnownHosts, []byte(known.String()), 0o644); err != nil {
		return k, err
	}
	return k, os.WriteFile(k.Config, []byte(config.String()), 0o644)
}

func (k SSHKeys) hostKey(n layout.Node) string { return filepath.Join(k.dir, n.Name) }

// Install writes what a node's sshd needs into its folder: configuration, its own key, and whom it lets in.
func (k SSHKeys) Install(n layout.Node, dir string) error {
	config, err := files.ReadFile("files/sshd_config")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "sshd_config"), config, 0o644); err != nil {
		return err
	}
	private, err := os.ReadFile(k.hostKey(n))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "ssh_host_ed25519_key"), private, 0o600); err != nil {
		return err
	}
	public, err := os.ReadFile(k.Identity + ".pub")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "authorized_keys"), public, 0o644)
}

// keyPair returns the public key in one line, making file and file.pub unless they are there.
func keyPair(file, comment string) (string, error) {
	if content, err := os.ReadFile(file + ".pub"); err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", err
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return line, os.WriteFile(file+".pub", []byte(line+" "+comment+"\n"), 0o644)
}
