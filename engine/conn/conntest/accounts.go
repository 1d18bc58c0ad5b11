package conntest

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strings"

	"github.com/stretchr/testify/require"
)

// accounts writes the files that make the server's accounts: root with a plain
// shell and an empty home (login shells that read a long rc file cost more than
// what is tested), and the users of SSHOptions.Users. The server sees them in
// place of the machine's, which stays as it is.
func (s *SSHServer) accounts() {
	t := s.t
	files := map[string]*bytes.Buffer{}
	for _, name := range []string{"passwd", "shadow", "group"} {
		text, err := os.ReadFile("/etc/" + name)
		require.NoError(t, err)
		files[name] = &bytes.Buffer{}
		for line := range strings.Lines(string(text)) {
			switch who, _, _ := strings.Cut(line, ":"); {
			case who == Ops || who == Admin || who == Plain:
			case who == "root" && name == "passwd":
				fmt.Fprintf(files[name], "root:x:0:0:root:%s:/bin/sh\n", s.home("root", 0))
			default:
				files[name].WriteString(line)
			}
		}
	}
	if s.opts.Users {
		s.users(files)
	}
	require.NoError(t, os.MkdirAll(s.FullDisk(), 0o755))
	for name, content := range files {
		path := s.dir + "/etc-" + name
		require.NoError(t, os.WriteFile(path, content.Bytes(), 0o600))
		mode := map[string]os.FileMode{"passwd": 0o644, "group": 0o644, "shadow": 0o600, "sudoers": 0o440}[name]
		require.NoError(t, os.Chmod(path, mode))
		s.binds = append(s.binds, name)
	}
}

func (s *SSHServer) home(name string, id int) string {
	home := s.dir + "/home/" + name
	require.NoError(s.t, os.MkdirAll(home, 0o755))
	require.NoError(s.t, os.Chown(home, id, id))
	return home
}

func (s *SSHServer) users(files map[string]*bytes.Buffer) {
	t := s.t
	hash := exec.Command("openssl", "passwd", "-6", "-stdin")
	hash.Stdin = strings.NewReader(Password)
	hashed, err := hash.Output()
	require.NoError(t, err)
	for i, name := range []string{Ops, Admin, Plain} {
		id := 64301 + i
		_, err := user.LookupId(fmt.Sprint(id))
		require.Error(t, err, "the machine uses user number %d", id)
		fmt.Fprintf(files["passwd"], "%s:x:%d:%d::%s:%s\n", name, id, id, s.home(name, id), cmp.Or(s.opts.Shell, "/bin/sh"))
		fmt.Fprintf(files["shadow"], "%s:%s:19000:0:99999:7:::\n", name, bytes.TrimSpace(hashed))
		fmt.Fprintf(files["group"], "%s:x:%d:\n", name, id)
	}
	files["sudoers"] = &bytes.Buffer{}
	fmt.Fprintf(files["sudoers"], "Defaults env_reset, passwd_tries=3\nroot ALL=(ALL:ALL) ALL\n%s ALL=(ALL:ALL) NOPASSWD: ALL\n%s ALL=(ALL:ALL) ALL\n", Ops, Admin)
}

// FullDisk is a folder at the server with room for 256 KiB; it takes root.
func (s *SSHServer) FullDisk() string { return s.dir + "/small" }

// namespace is the script that prepares the server's mount namespace.
func (s *SSHServer) namespace() string {
	script := "mount --make-rprivate / && mount -t tmpfs -o mode=755 none /run && mkdir -p -m 755 /run/sshd /run/sudo || exit; "
	script += fmt.Sprintf("mount -t tmpfs -o size=256k,mode=1777 none %s || exit; ", s.FullDisk())
	for _, name := range s.binds {
		script += fmt.Sprintf("mount --bind %s/etc-%s /etc/%s || exit; ", s.dir, name, name)
	}
	return script
}
