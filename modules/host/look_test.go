package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
)

func TestLookTellsContentToTheLastByte(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		names := []string{"plain", "with  blanks", "-n", "$(touch x)", "quo'te\"s", "ünïcode", "glob*?[a]", `back\slash`}
		for i, content := range []string{"", "\n", "no end", "two\n\n", "cr\r\nlf\r\n", "\x00\xff\xfe", "content\nsha256 x\n", "8"} {
			path := dir + "/" + names[i]
			write(t, path, content, 0o604)
			e, err := look(context.Background(), h, path, false, 100, "")
			require.NoError(t, err)
			sum := sha256.Sum256([]byte(content))
			require.Equal(t, content, e.content, path)
			require.True(t, e.shown)
			require.Equal(t, hex.EncodeToString(sum[:]), e.sha256)
			require.Equal(t, int64(len(content)), e.size)
			require.Equal(t, uint32(0o604), e.mode())
			require.Equal(t, uint32(regular), e.kind())

			e, err = look(context.Background(), h, path, false, 100, e.sha256)
			require.NoError(t, err)
			require.False(t, e.shown, "content that is known need not travel")
		}
		write(t, dir+"/large", strings.Repeat("x", 101), 0o600)
		e, err := look(context.Background(), h, dir+"/large", false, 100, "")
		require.NoError(t, err)
		require.False(t, e.shown)
		require.NotEmpty(t, e.sha256)
	})
}

func TestLookTellsKinds(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		require.NoError(t, os.Symlink("some where", dir+"/dangling"))
		require.NoError(t, os.Mkdir(dir+"/real", 0o751))
		require.NoError(t, os.Symlink("real", dir+"/link"))
		require.NoError(t, syscall.Mkfifo(dir+"/pipe", 0o600)) // reading it would never end
		for path, want := range map[string]string{
			"/dangling":   "a symbolic link to some where",
			"/link":       "a symbolic link to real",
			"/real":       "a directory",
			"/pipe":       "a device, pipe or socket",
			"/real/../no": "missing",
			"/no/such":    "missing",
		} {
			e, err := look(context.Background(), h, dir+path, false, 100, "")
			require.NoError(t, err)
			if e.missing {
				require.Equal(t, "missing", want, path)
				continue
			}
			require.Equal(t, want, e.what(), path)
		}
		e, err := look(context.Background(), h, dir+"/link", true, 100, "")
		require.NoError(t, err)
		require.Equal(t, uint32(directory), e.kind())
		require.Equal(t, uint32(0o751), e.mode())
		require.Equal(t, dir+"/real", e.real)
	})
}

func TestStrangeAnswersAreErrors(t *testing.T) {
	for _, out := range []string{"", "hello\n", "81a4 3 0 0\nroot\nroot\nnews\n"} {
		_, err := parseEntry(out)
		require.ErrorContains(t, err, "unexpected answer", out)
	}
}
