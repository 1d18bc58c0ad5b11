package image

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
	"github.com/adbsql/antdbctl/engine/module"
)

// remote is the second engine's host, reached by a real sshd.
func remote(t *testing.T) (place, *conntest.SSHServer) {
	t.Helper()
	n := at(t, "node")
	server := conntest.StartSSH(t, conntest.SSHOptions{})
	host, err := ssh.Open(t.Context(), server.Target(""), server.Settings, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = host.Close() })
	n.Host = host
	return n, server
}

// sized are the files of an image whose lower layer nothing else has, and whose
// transfer takes a while.
func sized(name string) map[string]string {
	files := layered(name)
	files["lower"] = strings.Repeat(name+" has a layer of its own\n", 1<<20)
	return files
}

func TestShipOverSSH(t *testing.T) {
	b := at(t, "builder")
	n, _ := remote(t)
	image(t, b, "overssh:1", sized("overssh"))
	for _, runtime := range []string{"docker", "containerd"} {
		t.Run(runtime, func(t *testing.T) {
			step := ship(t, n, b, `image = "overssh:1"
				namespace = "overssh"
				runtime = "`+runtime+`"`)
			var last, total int64
			step.Env().Progress = func(done, of int64, unit string) {
				require.Equal(t, "B", unit)
				last, total = done, of
			}
			step.Converge(module.Create)
			require.Greater(t, total, int64(20<<20))
			require.Equal(t, total, last)
		})
	}
}

func TestShipGoesOnAfterACut(t *testing.T) {
	b := at(t, "builder")
	n, server := remote(t)
	image(t, b, "lost:1", sized("lost"))
	for _, runtime := range []string{"docker", "containerd"} {
		t.Run(runtime, func(t *testing.T) {
			args := `image = "lost:1"
				namespace = "lost"
				runtime = "` + runtime + `"`
			step := ship(t, n, b, args)
			cut := sync.Once{}
			step.Env().Progress = func(done, total int64, _ string) {
				if done < total {
					cut.Do(server.Cut)
				}
			}
			step.Converge(module.Create)
		})
	}
}
