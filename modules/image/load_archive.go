package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// read finds out what image the archive holds, and gives the names it has
// there. A list of one image is believed; it is proved when it is loaded.
func (l *Load) read(ctx context.Context, env *module.Env) ([]string, error) {
	a, err := readArchive(ctx, env, l.Path, "")
	if err != nil {
		return nil, err
	}
	if !a.exists {
		return nil, module.Explain(fmt.Errorf("there is no %s on %s", l.Path, env.Target), "write it with image.save, or copy it there before this step")
	}
	l.archive, l.image = a, nil
	if len(a.entries) == 1 && a.pick == "" && a.entries[0].ID() != "" {
		l.ID = a.entries[0].ID()
		return a.entries[0].RepoTags, nil
	}
	if err := l.fetch(ctx, env); err != nil {
		return nil, err
	}
	l.ID = l.image.ID
	return l.image.Names, nil
}

// fetch reads the archive into the store of this machine, unless it was there
// before. It says precisely what is wrong with an archive.
func (l *Load) fetch(ctx context.Context, env *module.Env) error {
	s, err := store.Open()
	if err != nil {
		return fmt.Errorf("folder for saved images: %w", err)
	}
	key := ""
	if l.archive.sha256 != "" {
		key = l.archive.sha256 + "#" + l.archive.pick
		if img, ok := s.Noted(key); ok {
			l.image = img
			return nil
		}
	}
	env.Phase("read archive")
	var img *store.Image
	err = drain(ctx, env, conn.Command("cat", "--", l.archive.path), func(r io.Reader) (err error) {
		img, err = s.Ingest(ctx, &progressReader{r, env, l.archive.size, 0}, l.archive.pick)
		return err
	})
	if err != nil {
		return told(fmt.Errorf("%s on %s: %w", l.archive.path, env.Target, err))
	}
	if key != "" {
		s.Note(key, img)
	}
	l.image = img
	return nil
}

// Scripts that load the archive $1 and give its image ($2 and on) more names.
const (
	loadDocker = `engine=$1 file=$2 id=$3
shift 3
$engine image load --input "$file" || exit 1
for name; do $engine image tag "$id" "$name" || exit 1; done`

	// ctr names an image before it knows whether all of it is there, so names
	// that it had go back, and new ones go away, when it turns out not to be.
	loadContainerd = `ns=$1 file=$2 first=$3
shift 3
old=antdbctl.local/before:$$-
back() {
	n=0
	for name; do
		n=$((n + 1))
		if ctr -n "$ns" images ls -q "name==$old$n" | grep -q .; then
			[ -n "$done" ] || ctr -n "$ns" images tag --force "$old$n" "$name"
			ctr -n "$ns" images rm "$old$n"
		elif [ -z "$done" ]; then
			ctr -n "$ns" images rm "$name"
		fi
	done
} >/dev/null 2>&1
done= n=0
trap 'back "$@"' EXIT
trap 'exit 1' HUP INT TERM
for name; do
	n=$((n + 1))
	! ctr -n "$ns" images ls -q "name==$name" | grep -q . || ctr -n "$ns" images tag --force "$name" "$old$n" >/dev/null || exit 1
done
case $(od -An -tx1 -N2 "$file" | tr -d ' ') in
1f8b) gzip -dc "$file" | ctr -n "$ns" images import - || exit 1 ;;
*) ctr -n "$ns" images import "$file" || exit 1 ;;
esac
line=$(ctr -n "$ns" images check "name==$first" | sed -n 2p)
case $line in
*" complete "*) ;;
*) printf 'the image is not whole after the import: %s\n' "$line" >&2; exit 1 ;;
esac
for name; do
	[ "$name" = "$first" ] || ctr -n "$ns" images tag --force "$first" "$name" >/dev/null || exit 1
done
done=1`
)

// Apply loads and names the image. What the engine cannot read is read here:
// that says what is wrong with it, or else the image comes from here.
func (l *Load) Apply(ctx context.Context, env *module.Env) error {
	if l.image == nil {
		err := l.direct(ctx, env)
		exit := (*conn.ExitError)(nil)
		if !errors.As(err, &exit) {
			return err
		}
		told := module.At("path", explain(exit, fmt.Sprintf("load %s into %s of %s", l.Path, l.node.engine, env.Target)))
		if known := (*module.Explained)(nil); errors.As(told, &known) { // the engine's own trouble
			return told
		}
		if err := l.fetch(ctx, env); err != nil {
			return module.At("path", err)
		}
		if l.image.ID != l.ID {
			return told
		}
		env.Logf("%s does not read the archive, so it comes through this machine: %s", l.node.engine, tail(exit.Stderr, 3))
	}
	err := l.through(ctx, env)
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return module.At("path", explain(exit, fmt.Sprintf("load %s into %s of %s", l.Path, l.node.engine, env.Target)))
	}
	return err
}

// direct lets the host's engine read the archive.
func (l *Load) direct(ctx context.Context, env *module.Env) error {
	env.Phase("load")
	cmd := conn.Script(loadDocker, append([]string{l.node.engine, l.archive.path, l.ID}, l.Names...)...)
	if l.node.engine == "containerd" {
		cmd = l.node.ctr(loadContainerd, append([]string{l.Namespace, l.archive.path, l.Names[0]}, l.Names...)...)
	}
	_, err := env.Run(ctx, cmd)
	return err
}

// through sends the image from the store of this machine.
func (l *Load) through(ctx context.Context, env *module.Env) error {
	env.Phase("send")
	cmd := conn.Command(l.node.engine, "image", "load")
	cargo, err := l.image.Docker(l.Names, 0)
	if l.node.engine == "containerd" {
		interim := "antdbctl.local/incoming:" + short(l.image.ID)
		cmd = l.node.ctr(importScript, append([]string{l.Namespace, interim}, l.Names...)...)
		cargo, err = l.image.OCI(interim, nil)
	}
	if err != nil {
		return err
	}
	body := &progressReader{io.NewSectionReader(cargo, 0, cargo.Size()), env, cargo.Size(), 0}
	_, err = feed(ctx, env, cmd, func(w io.Writer) error {
		_, err := io.Copy(w, body)
		env.Phase("load")
		return err
	})
	return err
}
