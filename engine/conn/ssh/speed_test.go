package ssh_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
)

const volume = 256 << 20

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// BenchmarkTransfer sends and fetches a large file in the ways that there are.
func BenchmarkTransfer(b *testing.B) {
	for _, noSFTP := range []bool{false, true} {
		name := map[bool]string{false: "sftp", true: "sh"}[noSFTP]
		s := conntest.RunSSH(b, conntest.SSHOptions{NoSFTP: noSFTP})
		h, err := open(b, s)
		require.NoError(b, err)
		f, err := h.Files()
		require.NoError(b, err)
		dir, err := os.MkdirTemp("", "antdbctl-bench-")
		require.NoError(b, err)
		defer os.RemoveAll(dir)
		file := filepath.Join(dir, "file")
		b.Run(name+"/write", func(b *testing.B) {
			b.SetBytes(volume)
			for b.Loop() {
				require.NoError(b, f.Write(b.Context(), file, io.LimitReader(zeros{}, volume), conn.FileMeta{}))
			}
		})
		b.Run(name+"/read", func(b *testing.B) {
			b.SetBytes(volume)
			for b.Loop() {
				r, err := f.Open(b.Context(), file)
				require.NoError(b, err)
				n, err := io.Copy(io.Discard, r)
				require.NoError(b, err)
				require.EqualValues(b, volume, n)
				require.NoError(b, r.Close())
			}
		})
		b.Run(name+"/stdin", func(b *testing.B) {
			b.SetBytes(volume)
			for b.Loop() {
				cmd := conn.Script("cat >/dev/null")
				cmd.Stdin = io.LimitReader(zeros{}, volume)
				_, err := h.Run(b.Context(), cmd)
				require.NoError(b, err)
			}
		})
		require.NoError(b, h.Close())
	}
}
