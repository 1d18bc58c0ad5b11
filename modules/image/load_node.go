package image

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
	"github.com/adbsql/antdbctl/modules/image/relay"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// load brings the image to the host's engine, without the layers in there,
// together with other hosts that lack the same.
func (s *Ship) load(ctx context.Context, env *module.Env, img *store.Image, there map[string]bool) error {
	names := s.names()
	cmd := conn.Command(s.node.engine, "image", "load")
	cargo, err := img.Docker(names, len(there))
	if s.node.engine == "containerd" {
		interim := "antdbctl.local/incoming:" + short(img.ID)
		cmd = s.node.ctr(importScript, append([]string{s.Namespace, interim}, names...)...)
		cargo, err = img.OCI(interim, there)
	}
	if err != nil {
		return err
	}
	began := time.Now()
	env.Phase("send")
	r, err := pier.join(s.info.ID, &passenger{
		ctx: ctx, host: env.Target.Key(), cargo: cargo,
		opts: relay.Options{Chain: s.chain(env, cargo), Compress: s.Compress},
		node: &relay.Node{
			Name: env.Target.String(), Host: env.Host, Login: login(ctx, env.Host), Load: cmd, Note: env.Logf,
			At: func(n int64) {
				env.Progress(n, cargo.Size(), "B")
				if n == cargo.Size() {
					env.Phase("load")
				}
			},
		},
	})
	if err != nil {
		return shipError(err, env.Target.String())
	}
	s.Bytes += cargo.Size()
	if r.Code != 0 {
		return &conn.ExitError{Cmd: cmd, Code: r.Code, Stderr: r.Log}
	}
	by := "this machine"
	if r.By != "" {
		by = r.By
	}
	env.Logf("%s from %s in %.1f s (%s/s), loaded after %.1f s", size(cargo.Size()), by, r.Received.Seconds(),
		size(int64(float64(cargo.Size())/max(r.Received.Seconds(), 0.001))), time.Since(began).Seconds())
	return nil
}

// loadAgain deals with what may have changed behind our back: parts of the
// store, which are saved again, and layers that vanished between looking and
// loading, when all are sent.
func (s *Ship) loadAgain(ctx context.Context, env *module.Env, img *store.Image, there map[string]bool, failed *conn.ExitError) (*store.Image, error) {
	damage := img.Verify()
	switch {
	case damage != nil:
		env.Logf("saving the image again: %s", damage)
		var err error
		if img, err = fetch(ctx, env, s.source, s.info); err != nil {
			return img, module.At("image", err)
		}
	case len(there) > 0:
		env.Logf("sending all layers, since sending %d of %d failed: %s", len(img.Layers)-len(there), len(img.Layers), tail(failed.Stderr, 3))
		there = nil
	default:
		return img, failed
	}
	return img, s.load(ctx, env, img, there)
}

// chainFrom is how much an image must have to be worth connecting nodes.
const chainFrom = 4 << 20

func (s *Ship) chain(env *module.Env, cargo *store.Archive) bool {
	switch s.Via {
	case "chain":
		return true
	case "auto":
		return env.Target.Kind == conn.SSH && cargo.Size() >= chainFrom
	}
	return false
}

// login is how other hosts log in to a host; nil where that is no SSH host.
func login(ctx context.Context, host conn.Host) *ssh.Login {
	h, ok := conn.As[interface {
		Login(context.Context) (ssh.Login, error)
	}](host)
	if !ok {
		return nil
	}
	l, err := h.Login(ctx)
	if err != nil {
		return nil // the way there says so itself when it is used
	}
	return &l
}

func shipError(err error, place string) error {
	if errors.Is(err, relay.ErrBusy) {
		return module.Explain(fmt.Errorf("%s: %w", place, err), "wait until that run has ended, and apply again: what is there then is not sent again")
	}
	return err
}

// importScript gives the names only to an image that is whole: an import that
// lacks a layer leaves a record behind that looks like an image and is none.
const importScript = `ns=$1 interim=$2
shift 2
trap 'ctr -n "$ns" images rm "$interim" >/dev/null 2>&1' EXIT
trap 'exit 1' HUP INT TERM
ctr -n "$ns" images import - >&2 || exit 1
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
