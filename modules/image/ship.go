package image

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
	"github.com/adbsql/antdbctl/modules/image/store"
)

//go:embed ship.hcl
var shipExample string

// Ship makes sure that a host has an image: save, send and load in one step,
// because "this host has this image" is the one result that can be checked.
type Ship struct {
	From      conn.Target `hcl:"from" doc:"Docker target that has the image."`
	Image     string      `hcl:"image" doc:"Image there: an ID or a name."`
	Ref       string      `hcl:"ref,optional" doc:"Name to give it on the host; the value of image if not set."`
	Tags      []string    `hcl:"tags,optional" doc:"Further names to give it on the host."`
	Runtime   string      `hcl:"runtime,optional" default:"auto" oneof:"auto,docker,containerd,podman" doc:"Container engine of the host; auto finds the one that the host's kubelet uses."`
	Namespace string      `hcl:"namespace,optional" default:"k8s.io" doc:"Namespace of containerd; the kubelet's is k8s.io."`
	Via       string      `hcl:"via,optional" default:"auto" oneof:"auto,chain,star,registry" doc:"Way of the layers: along a chain, where every node passes them on to the next by SSH; as a star, from this machine to every node; or pulled by the node from a registry. auto takes the chain for SSH hosts, and the star for little."`
	Compress  string      `hcl:"compress,optional" default:"auto" oneof:"auto,none,gzip,zstd" doc:"Compression on the way; auto takes what all nodes have, while it saves time."`
	Registry  string      `hcl:"registry,optional" doc:"Registry that the host pulls the image from, as host[:port]/project; http:// before it where it speaks no https. The image is pushed to it first. Without it, a pull is served through the connection to the host."`

	RegistryUser     string       `hcl:"registry_user,optional" doc:"User of the registry, who may push there."`
	RegistryPassword secret.Value `hcl:"registry_password,optional" doc:"Password of that user. On the host it is in a file of the user's own while it pulls, and in no command line."`

	ID     string `out:"id" doc:"Content address of the image."`
	Name   string `out:"name" doc:"Full name of the image on the host."`
	Engine string `out:"engine" doc:"Container engine that has the image."`
	Bytes  int64  `out:"bytes" doc:"How many bytes were sent."`

	source docker    // where the image comes from
	info   imageInfo // what it is there
	node   *node     // what the host said at the last Check
}

func (*Ship) Info() module.Info {
	return module.Info{
		Name:    "image.ship",
		Summary: "Bring an image to a host that runs containers.",
		Doc: `The host needs nothing but its container engine's own command line: docker, or ctr for containerd, or podman for CRI-O.
Which one is decided by what the host's kubelet uses, for an image that is loaded into the wrong one is not found.

The image is the same when the digest of its configuration is: then nothing is sent. Otherwise the layers that the host
lacks are sent, and no temporary file is written there. The image is saved once on this machine, in the user's cache
folder, however many hosts it goes to, and its layers stay there until two weeks after their last use.

Along a **chain** each host passes on to the next what it receives, so that many hosts take about as long as one. This
machine gives a host the way to the next: a key that is made for the one transfer, whose line in the next host's
authorized_keys lets its bearer bring chunks of it and nothing else; no port is opened. A host that is gone, stands still
or is much slower than the others is passed by, and fed from here if it can be. Where hosts have no ssh, or may not log in
to each other, it is a **star**.

Every host has a small script running while it receives (mkfifo, dd, sha256sum), which outlives the connection: a cut
costs what was under way, 2 MiB at most, and a run that was killed is continued by the next one. Without a sign of
antdbctl for ten minutes it takes itself away.

` + "`via = \"registry\"`" + ` makes the host's engine pull instead: from ` + "`registry`" + `, to which the image is pushed first, or
from one that this process serves on the host's loopback for as long as it takes.`,
		On:      []string{conn.SSH, conn.Local, conn.Container},
		Example: shipExample,
	}
}

// Validate holds the names to the rules that every engine has.
func (s *Ship) Validate() error {
	if s.Ref == "" && isID(s.Image) {
		return module.At("ref", errors.New("the image is given by its ID, so it needs a name to have on the host"))
	}
	if s.Ref == "" {
		return errors.Join(checkNames("image", s.Image), s.validateRegistry())
	}
	return errors.Join(checkNames("ref", s.Ref), checkNames("tags", s.Tags...), s.validateRegistry())
}

// pulls: the host's engine fetches the image by itself.
func (s *Ship) pulls() bool { return s.Via == "registry" || s.Via == "auto" && s.Registry != "" }

// names are the full names that the image shall have.
func (s *Ship) names() []string {
	names := []string{fullName(s.Ref)}
	if s.Ref == "" {
		names[0] = fullName(s.Image)
	}
	for _, tag := range s.Tags {
		if name := fullName(tag); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Check compares what the name means at the source and on the host.
func (s *Ship) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	if err := s.lookAtSource(ctx, env); err != nil {
		return module.NoChange, err
	}
	seen := pier.look(s.info.ID, env.Target.Key())
	change, err := s.compare(ctx, env)
	seen(change.Wanted())
	return change, err
}

func (s *Ship) compare(ctx context.Context, env *module.Env) (module.Change, error) {
	names := s.names()
	n, err := lookAt(ctx, env, s.Runtime, s.Namespace, s.info.ID, names)
	if err != nil {
		return module.NoChange, err
	}
	s.node, s.ID, s.Name, s.Engine = n, s.info.ID, names[0], n.engine
	if len(s.wrong()) == 0 {
		return module.NoChange, nil
	}
	if trap := latestTrap(names); trap != "" && pier.once(s.info.ID) {
		env.Logf("warning: %s", trap)
	}
	todo := s.estimate()
	if s.pulls() && n.engine == "docker" { // which does not know by a registry's names what it was loaded
		todo = shipment{bytes: s.info.Size, send: todo.total, total: todo.total}
	}
	if n.free >= 0 && n.free < todo.bytes {
		return module.NoChange, module.Explain(
			fmt.Errorf("%s has %s free in %s, and %s needs at least %s there", env.Target, size(n.free), n.root, names[0], size(todo.bytes)),
			"free space there (docker system prune, or crictl rmi --prune), or move the engine's folder to a larger disk")
	}
	change := module.Change{Action: module.Create, Summary: fmt.Sprintf("%s to %s: %s", familiar(names[0]), n.engine, todo)}
	if old := n.images[s.wrong()[0]]; old != nil {
		change.Action = module.Update
		change.Diff = []module.Diff{{Path: familiar(s.wrong()[0]), Before: short(old.ids[len(old.ids)-1]), After: short(s.info.ID)}}
	}
	return change, nil
}

func (s *Ship) lookAtSource(ctx context.Context, env *module.Env) error {
	host, err := env.Dialer.Dial(ctx, s.From)
	if err != nil {
		return module.At("from", err)
	}
	s.source = docker{host, s.From.String()}
	s.info, err = s.source.one(ctx, s.Image)
	return module.At("image", err)
}

// identities are the digests under which a host may know the image: where
// Docker keeps images in containerd's store, its ID is not the configuration's
// digest, and the store here knows that one after a save.
func (s *Ship) identities() []string {
	ids := []string{s.info.ID}
	if cache, err := store.Open(); err == nil {
		if config := cache.ConfigOf(s.info.ID); config != s.info.ID {
			ids = append(ids, config)
		}
	}
	return ids
}

// wrong are the names that do not mean the image on the host.
func (s *Ship) wrong() []string {
	ids := s.identities()
	return slices.DeleteFunc(s.names(), func(name string) bool { return s.node.has(name, ids...) })
}

// shipment is how much a host lacks.
type shipment struct {
	bytes, all  int64
	send, total int // layers
	exact       bool
}

func (l shipment) String() string {
	switch {
	case l.send == 0:
		return fmt.Sprintf("name it, all %d layers are there", l.total)
	case l.send == l.total:
		return fmt.Sprintf("send %s", size(l.bytes))
	case l.exact:
		return fmt.Sprintf("send %s of %s (%d of %d layers are there)", size(l.bytes), size(l.all), l.total-l.send, l.total)
	}
	return fmt.Sprintf("send %d of %d layers", l.send, l.total)
}

// estimate says what will be sent; the bytes are known for sure only when the
// image was saved before.
func (s *Ship) estimate() shipment {
	there := s.node.layersThere(s.info.RootFS.Layers)
	l := shipment{total: len(s.info.RootFS.Layers)}
	for _, digest := range s.info.RootFS.Layers {
		if !there[digest] {
			l.send++
		}
	}
	if cache, err := store.Open(); err == nil {
		if img, err := cache.Lookup(cache.ConfigOf(s.info.ID)); err == nil {
			l.exact, l.all = true, img.Size()
			for _, layer := range img.Layers {
				if !there[layer.Digest] {
					l.bytes += layer.Size
				}
			}
		}
	}
	if l.send == l.total && !l.exact {
		l.bytes = s.info.Size
	}
	return l
}

// Apply saves the image unless that was done before, and loads what the host
// lacks of it.
func (s *Ship) Apply(ctx context.Context, env *module.Env) error {
	if s.pulls() && s.Registry != "" {
		return s.pull(ctx, env, nil)
	}
	img, err := fetch(ctx, env, s.source, s.info)
	if err != nil {
		return module.At("image", err)
	}
	if s.pulls() {
		return s.pull(ctx, env, img)
	}
	digests := make([]string, len(img.Layers))
	for i, l := range img.Layers {
		digests[i] = l.Digest
	}
	n := s.node // Check has just looked
	there := n.layersThere(digests)
	err = s.load(ctx, env, img, there)
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) && !diskFull(exit) {
		img, err = s.loadAgain(ctx, env, img, there, exit)
	}
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		what := fmt.Sprintf("load %s into %s of %s", s.names()[0], n.engine, env.Target)
		if n.free >= 0 && diskFull(exit) {
			what += fmt.Sprintf(" (the image has %s; %s were free in %s)", size(img.Size()), size(n.free), n.root)
		}
		return explain(exit, what)
	}
	return err
}

func diskFull(exit *conn.ExitError) bool { return strings.Contains(exit.Stderr, "no space left") }

// Destroy takes the names away that mean this image on the host.
func (s *Ship) Destroy(ctx context.Context, env *module.Env) error {
	return s.node.forget(ctx, env, s.Namespace, s.names(), s.identities()...)
}
