package local_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestThisMachineKeepsTheContract(t *testing.T) {
	conntest.Suite(t, func(*testing.T) conn.Host { return local.New() })
	conntest.Listens(t, func(*testing.T) conn.Host { return local.New() })
}

// mayUseSudo tells a test binary that its user may use sudo.
const mayUseSudo = "LOCAL_TEST_MAY_USE_SUDO"

// Root is refused nothing and needs no sudo, so this binary runs once more as
// nobody, in a mount namespace where nobody may use sudo.
func TestNobodyKeepsTheContract(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root; others run the same tests as themselves")
	}
	dir, err := os.MkdirTemp("", "local-test-")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	binary := filepath.Join(dir, "local.test")
	copyOf(t, "/proc/self/exe", binary)
	sudoers := filepath.Join(dir, "sudoers")
	require.NoError(t, os.WriteFile(sudoers, []byte("nobody ALL=(ALL:ALL) NOPASSWD: ALL\n"), 0o440))

	c := exec.Command("unshare", "--mount", "sh", "-c",
		`mount --make-rprivate / && mount --bind "$1" /etc/sudoers && shift && exec setpriv --reuid nobody --regid nogroup --clear-groups -- "$@"`,
		"sh", sudoers, binary, "-test.v", "-test.run", "^(TestThisMachineKeepsTheContract|TestSudo)$")
	c.Dir = dir
	c.Env = append(os.Environ(), mayUseSudo+"=yes", "HOME=/", "TMPDIR=/tmp")
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, passed := range []string{"TestThisMachineKeepsTheContract/refused_files", "TestSudo"} {
		require.Contains(t, string(out), "--- PASS: "+passed)
	}
}

func copyOf(t *testing.T, from, to string) {
	t.Helper()
	r, err := os.Open(from)
	require.NoError(t, err)
	defer r.Close()
	w, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(w, r)
	require.NoError(t, err)
	require.NoError(t, w.Close())
}

func TestSudo(t *testing.T) {
	if os.Getenv(mayUseSudo) == "" {
		t.Skip("runs within TestNobodyKeepsTheContract")
	}
	cmd := conn.Script(`id -un; printf '%s\n' "$A"; pwd; cat`)
	cmd.User, cmd.Dir = "root", "/root"
	cmd.Env = map[string]secret.Value{"A": secret.New("it's\na value")}
	cmd.Stdin = strings.NewReader("rest")
	res, err := local.New().Run(t.Context(), cmd)
	require.NoError(t, err)
	require.Equal(t, "root\nit's\na value\n/root\nrest", res.Stdout)
}
