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
	path    string        // without the name of an image picked in it
	pick    string        // that name
	entries []store.Entry // nil when the file has no list of images that its engine's tools find
	size    int64
	sha256  string // set when the archive holds the image asked for, or has no list
}

// archiveScript reads the list of images out of an archive, and sums up the
// file if the image $2 is in it or no list is found. Without $2, what is behind
// a # that is in no file's name picks an image.
const archiveScript = `file=$1
[ -n "$2" ] || [ -e "$file" ] || case $file in *#*) file=${file%#*} ;; esac
[ -e "$file" ] || exit 0
[ -r "$file" ] || { echo "$file: permission denied" >&2; exit 1; }
[ -f "$file" ] || { echo "$file is no file" >&2; exit 1; }
case $(od -An -tx1 -N2 "$file" | tr -d ' ') in
1f8b) manifest=$(gzip -dc <"$file" 2>/dev/null | tar -xOf - manifest.json ./manifest.json 2>/dev/null) ;;
*) manifest=$(tar -xOf "$file" manifest.json ./manifest.json 2>/dev/null) ;;
esac
printf '== file %s\n== size\n' "$file"
wc -c <"$file"
echo "== manifest"
printf '%s\n' "$manifest"
case $manifest in
'' | *"${2:-none}"*) echo "== sha256"; sha256sum <"$file" ;;
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
		word, rest, _ := strings.Cut(head, " ")
		switch word {
		case "file":
			a.path, a.pick = rest, strings.TrimPrefix(strings.TrimPrefix(path, rest), "#")
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
