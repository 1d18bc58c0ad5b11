package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// load streams the image to the host's engine, without the layers in there.
func (s *Ship) load(ctx context.Context, env *module.Env, img *store.Image, there map[string]bool) error {
	total := int64(0)
	for _, l := range img.Layers {
		if !there[l.Digest] {
			total += l.Size
		}
	}
	out := &counter{reported: func(n int64) { env.Progress(min(n, total), total, "B") }}
	names := s.names()
	var cmd conn.Cmd
	write := func(w io.Writer) error { return img.WriteDocker(w, names, len(there)) }
	switch s.node.engine {
	case "containerd":
		interim := "antdbctl.local/incoming:" + short(img.ID)
		cmd = s.node.ctr(importScript, append([]string{s.Namespace, s.Compress, interim}, names...)...)
		write = func(w io.Writer) error { return img.WriteOCI(w, interim, there) }
	default:
		cmd = conn.Command(s.node.engine, "image", "load")
	}
	sent := &counter{reported: func(int64) {}}
	_, err := feed(ctx, env, cmd, func(w io.Writer) error {
		sent.w = w
		if s.Compress != "gzip" {
			out.w = sent
			return write(out)
		}
		zip, err := gzip.NewWriterLevel(sent, gzip.BestSpeed)
		if err != nil {
			return err
		}
		out.w = zip
		return errors.Join(write(out), zip.Close())
	})
	s.Bytes += sent.n
	if err == nil {
		env.Progress(total, total, "B")
	}
	return err
}

// importScript gives the names only to an image that is whole: an import that
// lacks a layer leaves a record behind that looks like an image and is none.
const importScript = `ns=$1 compress=$2 interim=$3
shift 3
trap 'ctr -n "$ns" images rm "$interim" >/dev/null 2>&1' EXIT
trap 'exit 1' HUP INT TERM
if [ "$compress" = gzip ]; then gzip -dc; else cat; fi | ctr -n "$ns" images import - >&2 || exit 1
line=$(ctr -n "$ns" images check "name==$interim" | sed -n 2p)
case $line in
*" complete "*) ;;
*) printf 'the image is not whole after the import: %s\n' "$line" >&2; exit 1 ;;
esac
for name; do
	ctr -n "$ns" images tag --force "$interim" "$name" >/dev/null || exit 1
done`

// ctr is a script for the containerd that the kubelet uses.
func (n *node) ctr(script string, args ...string) conn.Cmd {
	cmd := conn.Script(script, args...)
	if n.address != "" {
		cmd.Env = map[string]secret.Value{"CONTAINERD_ADDRESS": secret.New(n.address)}
	}
	return cmd
}

// forget takes those of the names away that mean the image.
func (n *node) forget(ctx context.Context, env *module.Env, namespace string, names []string, ids ...string) error {
	for _, name := range names {
		if !n.has(name, ids...) {
			continue
		}
		cmd := conn.Command(n.engine, "image", "rm", name)
		if n.engine == "containerd" {
			cmd = n.ctr(`ctr -n "$1" images rm "$2"`, namespace, name)
		}
		_, err := env.Run(ctx, cmd)
		if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
			return explain(exit, fmt.Sprintf("remove %s from %s", name, env.Target))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
