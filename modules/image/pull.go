package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
	"github.com/adbsql/antdbctl/modules/image/registry"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// origin is a registry as a node's engine sees it, and one image there.
type origin struct {
	scheme string // http or https
	host   string // with the port
	ref    string // HOST/REPOSITORY@DIGEST: the engine itself refuses any other content
	auth   secret.Value
	ids    []string // what the engine may call the image
}

// basic is what registries take as the credentials of a user.
func basic(user string, password secret.Value) secret.Value {
	return secret.New(base64.StdEncoding.EncodeToString([]byte(user + ":" + password.Reveal())))
}

// pull makes the node's engine fetch the image by itself: from the registry that
// the step names, else from one inside this process that the node reaches
// through its SSH connection. The names are given to nothing but the image, and
// no other name of it stays. With a registry, img is not asked for and may be nil.
func (s *Ship) pull(ctx context.Context, env *module.Env, img *store.Image) error {
	if s.Registry != "" {
		from, err := s.push(ctx, env)
		if err != nil {
			return err
		}
		return s.pullFrom(ctx, env, from)
	}
	from, stop, err := s.serve(ctx, env, img)
	if err != nil {
		return err
	}
	defer stop()
	return s.pullFrom(ctx, env, from)
}

// serve serves the image on the node's loopback, where everybody may knock and
// only who has the password gets in.
func (s *Ship) serve(ctx context.Context, env *module.Env, img *store.Image) (from origin, stop func(), err error) {
	host, ok := conn.As[conn.Listener](env.Host)
	if !ok {
		return from, nil, module.At("via", module.Explain(conn.NotSupported(env.Target.String(), "serve a registry there"),
			`give a registry that the node reaches, or use via = "star"`))
	}
	far, err := host.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return from, nil, module.At("via", err)
	}
	repository := "antdbctl/" + short(img.ID)
	r := registry.New(registry.Image{Repository: repository, Tag: "latest", Image: img})
	sent := &handedOut{env: env, total: s.missing(img)}
	r.Sent = sent.add
	// Who has no password gets little to hold on to.
	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(far) // a node that is lost fails the pull, which says more
	}()
	stop = func() {
		_ = server.Close()
		<-served
		s.Bytes += sent.n
	}
	digest := r.Digest(repository)
	return origin{
		scheme: "http", host: far.Addr().String(), ref: far.Addr().String() + "/" + repository + "@" + digest,
		auth: basic(registry.User, r.Password()), ids: []string{img.ID, digest},
	}, stop, nil
}

// missing is how many bytes of layers the node lacks, as far as is known.
func (s *Ship) missing(img *store.Image) (n int64) {
	var digests []string
	for _, l := range img.Layers {
		digests = append(digests, l.Digest)
	}
	there := s.node.layersThere(digests)
	for _, l := range img.Layers {
		if !there[l.Digest] {
			n += l.Size
		}
	}
	return n
}

// handedOut reports the bytes that a registry hands out, to several
// connections at once.
type handedOut struct {
	env   *module.Env
	total int64

	mu      sync.Mutex
	n, told int64
}

func (h *handedOut) add(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n += int64(n)
	if h.n-h.told >= 1<<20 || h.n >= h.total {
		h.told = h.n
		h.env.Progress(h.n, max(h.n, h.total), "B")
	}
}

// pullFrom pulls, looks whether it got the image, and names it.
func (s *Ship) pullFrom(ctx context.Context, env *module.Env, from origin) error {
	env.Phase("pull")
	engine := s.node.engine
	defer s.dropInterim(ctx, env, from.ref)
	cmd := s.node.ctr(pullScripts[engine], s.Namespace, from.scheme, from.host, from.ref)
	credentials := from.auth
	if engine == "containerd" {
		credentials = from.authorization(ctx, env)
	}
	cmd.Stdin = strings.NewReader(credentials.Reveal())
	_, err := env.Run(ctx, cmd)
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return module.At(s.pullArgument(), explainPull(exit, fmt.Sprintf("pull %s into %s of %s", s.names()[0], engine, env.Target), from.host))
	}
	if err != nil {
		return err
	}
	n, err := lookAt(ctx, env, s.Runtime, s.Namespace, from.ids[0], []string{from.ref})
	if err != nil {
		return err
	}
	if !n.has(from.ref, from.ids...) {
		return fmt.Errorf("%s of %s pulled %s and got another image than %s", engine, env.Target, from.ref, short(from.ids[0]))
	}
	_, err = env.Run(ctx, s.node.ctr(nameScripts[engine], append([]string{s.Namespace, from.ref}, s.names()...)...))
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return explain(exit, fmt.Sprintf("name %s on %s", s.names()[0], env.Target))
	}
	return err
}

// pullArgument is the argument that a failed pull is about.
func (s *Ship) pullArgument() string {
	if s.Registry != "" {
		return "registry"
	}
	return "via"
}

// dropInterim takes the name away under which the image was pulled; where the
// pull failed there is none.
func (s *Ship) dropInterim(ctx context.Context, env *module.Env, ref string) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer stop()
	_, _ = env.Run(ctx, s.node.ctr(dropScripts[s.node.engine], s.Namespace, ref))
}
