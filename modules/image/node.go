package image

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/store"
)

//go:embed node.sh
var nodeScript string

// nodeLook is what is sent, to each node several times.
var nodeLook = shell.Lean(nodeScript)

// node is what a node said about its container engine and an image.
type node struct {
	engine  string // docker, containerd, podman
	address string // containerd's socket, when the kubelet says which
	root    string // folder of the engine's images
	free    int64  // bytes free there; -1 when unknown
	images  map[string]*nodeImage
	chains  [][]string      // docker: the layers of every image there
	blobs   map[string]bool // containerd: what its content store has
}

// nodeImage is what the node has under one name.
type nodeImage struct {
	ids   []string // digests that identify it; for an index, of each platform
	whole bool     // a containerd image may be a record whose layers are missing
}

// lookAt asks a node, in one command, for its engine and what names mean there.
func lookAt(ctx context.Context, env *module.Env, engine, namespace, id string, names []string) (*node, error) {
	args := append([]string{engine, namespace, id}, names...)
	out, err := env.Run(ctx, conn.Look(nodeLook, args...))
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return nil, explain(exit, "look for "+names[0]+" on "+env.Target.String())
	}
	if err != nil {
		return nil, err
	}
	n, err := parseNode(out.Stdout)
	if err != nil {
		return nil, fmt.Errorf("look for %s on %s: %w", names[0], env.Target, err)
	}
	if n.engine == "none" {
		return nil, module.Explain(fmt.Errorf("%s has no container engine: neither docker nor ctr nor podman is there", env.Target),
			"install Docker or containerd there, or take the host out of the step's targets")
	}
	return n, nil
}

func parseNode(text string) (*node, error) {
	n := &node{free: -1, images: map[string]*nodeImage{}, blobs: map[string]bool{}}
	var image *nodeImage
	for _, section := range strings.Split("\n"+text, "\n== ")[1:] {
		head, body, _ := strings.Cut(section, "\n")
		word, rest, _ := strings.Cut(head, " ")
		switch word {
		case "engine":
			n.engine = rest
		case "address":
			n.address = rest
		case "root":
			n.root, n.free = rest, freeBytes(body)
		case "image":
			image = newNodeImage(strings.TrimSpace(body))
			n.images[rest] = image
		case "manifest":
			if err := image.addManifest(body); err != nil {
				return nil, err
			}
		case "chains":
			for line := range strings.Lines(body) {
				n.chains = append(n.chains, strings.Fields(line))
			}
		case "blobs":
			for _, digest := range strings.Fields(body) {
				n.blobs[digest] = true
			}
		}
	}
	if n.engine == "" {
		return nil, errors.New("the answer names no container engine")
	}
	return n, nil
}

// checkLine is a line of `ctr images check`.
var checkLine = regexp.MustCompile(`(sha256:[0-9a-f]{64})\s+(\w+)\s.*\s(true|false)\s*$`)

func newNodeImage(line string) *nodeImage {
	if m := checkLine.FindStringSubmatch(line); m != nil {
		return &nodeImage{ids: []string{m[1]}, whole: m[2] == "complete" || m[3] == "true"}
	}
	if line != "" && !strings.HasPrefix(line, "sha256:") {
		line = "sha256:" + line // podman
	}
	return &nodeImage{ids: []string{line}, whole: true}
}

func (i *nodeImage) addManifest(text string) error {
	var m struct{ Config store.Descriptor }
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return fmt.Errorf("manifest of an image: %w", err)
	}
	if m.Config.Digest != "" {
		i.ids = append(i.ids, m.Config.Digest)
	}
	return nil
}

// freeBytes reads a line of `df -Pk`.
func freeBytes(line string) int64 {
	f := strings.Fields(line)
	for i := len(f) - 2; i >= 3; i-- {
		if strings.HasSuffix(f[i], "%") {
			if kib, err := strconv.ParseInt(f[i-1], 10, 64); err == nil {
				return kib << 10
			}
		}
	}
	return -1
}

// has reports whether the node has the image under that name, whole.
func (n *node) has(name string, ids ...string) bool {
	image := n.images[name]
	if image == nil || !image.whole {
		return false
	}
	for _, have := range image.ids {
		for _, id := range ids {
			if have == id {
				return true
			}
		}
	}
	return false
}

// layersThere says which of an image's layers need not be sent.
func (n *node) layersThere(layers []string) map[string]bool {
	there := map[string]bool{}
	switch n.engine {
	case "containerd":
		for _, l := range layers {
			if n.blobs[l] {
				there[l] = true
			}
		}
	case "docker":
		for _, l := range layers[:commonPrefix(layers, n.chains)] {
			there[l] = true
		}
	}
	return there
}

// commonPrefix is how many of the first layers some chain begins with. Docker
// knows a layer only together with all below it.
func commonPrefix(layers []string, chains [][]string) int {
	longest := 0
	for _, chain := range chains {
		i := 0
		for i < len(layers) && i < len(chain) && layers[i] == chain[i] {
			i++
		}
		longest = max(longest, i)
	}
	return longest
}
