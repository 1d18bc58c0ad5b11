package image

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// archiveFile is what a host said about a file that may be an image archive.
type archiveFile struct {
	exists  bool
	entries []store.Entry // nil when the file is no such archive
	size    int64
	sha256  string // set when the archive holds the image asked for
}

// archiveScript reads the list of images out of an archive, and sums up the
// file if the image $2 is in it.
const archiveScript = `[ -e "$1" ] || exit 0
[ -r "$1" ] || { echo "$1: permission denied" >&2; exit 1; }
case $1 in
*.gz | *.tgz) manifest=$(gzip -dc <"$1" 2>/dev/null | tar -xOf - manifest.json 2>/dev/null) ;;
*) manifest=$(tar -xOf "$1" manifest.json 2>/dev/null) ;;
esac
echo "== size"
wc -c <"$1"
echo "== manifest"
printf '%s\n' "$manifest"
case $manifest in
*"${2:-none}"*) echo "== sha256"; sha256sum <"$1" ;;
esac`

// readArchive looks at an archive on a host. It sums the file up only when the
// image id, if any is given, is in it.
func readArchive(ctx context.Context, env *module.Env, path, id string) (archiveFile, error) {
	var a archiveFile
	out, err := env.Run(ctx, conn.Script(archiveScript, path, strings.TrimPrefix(id, "sha256:")))
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return a, explain(exit, fmt.Sprintf("read %s on %s", path, env.Target))
	}
	if err != nil {
		return a, err
	}
	for _, section := range strings.Split("\n"+out.Stdout, "\n== ")[1:] {
		head, body, _ := strings.Cut(section, "\n")
		body = strings.TrimSpace(body)
		switch head {
		case "size":
			a.exists = true
			if a.size, err = strconv.ParseInt(body, 10, 64); err != nil {
				return a, fmt.Errorf("size of %s on %s: %w", path, env.Target, err)
			}
		case "manifest":
			if body != "" {
				a.entries, _ = store.ParseManifest([]byte(body)) // what cannot be read is no archive
			}
		case "sha256":
			a.sha256, _, _ = strings.Cut(body, " ")
		}
	}
	return a, nil
}

// gzipped reports whether an archive of that name is to be compressed.
func gzipped(path string) bool {
	return strings.HasSuffix(path, ".gz") || strings.HasSuffix(path, ".tgz")
}
