package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Import loads images of the lab's engine into the node's containerd, those that are not there yet.
func (m Machine) Import(ctx context.Context, images ...string) error {
	names, blobs, err := m.contents(ctx)
	if err != nil {
		return err
	}
	var wanted []string
	for _, image := range images {
		id, err := m.Engine.Do(ctx, "image", "inspect", "--format", "{{.Id}}", image)
		if err != nil {
			return err
		}
		// an image's id is the digest of its configuration, which is a blob in containerd's store
		if !slices.Contains(names, canonical(image)) || !slices.Contains(blobs, id) {
			wanted = append(wanted, image)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	save := append([]string{"save"}, wanted...)
	load := []string{"exec", "--interactive", m.Node.Name, "ctr", "--namespace=k8s.io", "images", "import", "-"}
	if err := m.Engine.Pipe(ctx, save, load); err != nil {
		return fmt.Errorf("load %s on %s: %w", strings.Join(wanted, ", "), m.Node.Name, err)
	}
	return nil
}

// contents lists what the node's containerd has, waiting for it to come up first.
func (m Machine) contents(ctx context.Context) (names, blobs []string, err error) {
	ctr := func(args ...string) ([]string, error) {
		out, err := m.Engine.Do(ctx, append([]string{"exec", m.Node.Name, "ctr", "--namespace=k8s.io"}, args...)...)
		return strings.Fields(out), err
	}
	for deadline := time.Now().Add(time.Minute); ; {
		if names, err = ctr("images", "list", "--quiet"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			return nil, nil, fmt.Errorf("containerd on %s does not answer (see %s): %w", m.Node.Name, m.Lab.In("logs", m.Node.Name, "containerd.log"), err)
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	blobs, err = ctr("content", "list", "--quiet")
	return names, blobs, err
}

// canonical is the full form of an image name, as containerd keeps it.
func canonical(name string) string {
	if first, _, found := strings.Cut(name, "/"); found && strings.ContainsAny(first, ".:") {
		return name
	}
	return "docker.io/" + name
}
