package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// image is in the builder's engine. Its name has a tag: engines that add one by themselves differ in how they show it.
type image struct {
	id, name string
	bytes    int64 // what is in its layers
}

// build makes an image with a layer of random bytes for each file. Files that are in dir already stay, so that two
// images can have layers in common: then all but the last.
func (b *bench) build(ctx context.Context, dir, name string, sizes ...int) (image, error) {
	made := image{name: "antdbctl-bench/" + name}
	text := "FROM scratch\n"
	for i, size := range sizes {
		file := fmt.Sprintf("layer%d", i)
		text += fmt.Sprintf("COPY %s /%[1]s\n", file)
		made.bytes += int64(size)
		path := filepath.Join(b.dir, dir, file)
		if _, err := os.Stat(path); err == nil && i < len(sizes)-1 {
			continue
		}
		if err := writeRandom(path, int64(size)); err != nil {
			return made, err
		}
	}
	if err := os.WriteFile(filepath.Join(b.dir, dir, "Dockerfile"), []byte(text), 0o600); err != nil {
		return made, err
	}
	_, err := b.fleet.docker(ctx, "build", "--quiet", "--network=none", "--tag", made.name, filepath.Join(b.dir, dir))
	if err != nil {
		return made, err
	}
	b.fleet.images = append(b.fleet.images, made.name)
	made.id, err = b.fleet.docker(ctx, "image", "inspect", "--format", "{{.Id}}", made.name)
	return made, err
}

// buildCold makes an image of the chosen size that no node has a layer of.
func (b *bench) buildCold(ctx context.Context, name string) (image, error) {
	sizes := make([]int, b.layers)
	for i := range sizes {
		sizes[i] = b.mega * 1_000_000 / b.layers
	}
	made, err := b.build(ctx, name, name+":1", sizes...)
	return made, errors.Join(err, os.RemoveAll(filepath.Join(b.dir, name)))
}

func writeRandom(path string, size int64) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.CopyN(file, rand.Reader, size)
	return errors.Join(err, file.Close())
}

// verify reports whether a node has the image, whole, under its name. The node's own engine answers.
func (b *bench) verify(ctx context.Context, node, runtime string, i image) error {
	have, err := b.configOf(ctx, node, runtime, i.name)
	if err == nil && have != i.id {
		err = fmt.Errorf("%s has %s as %q, wanted %s", node, i.name, have, i.id)
	}
	return err
}

// configOf is the digest of the configuration of what a name means on a node.
func (b *bench) configOf(ctx context.Context, node, runtime, name string) (string, error) {
	if runtime == "docker" {
		return b.fleet.on(ctx, node, `docker image inspect --format '{{.Id}}' "$1"`, name)
	}
	name = "docker.io/" + name
	state, err := b.fleet.on(ctx, node, `ctr -n k8s.io images check "name==$1" | sed 1d`, name)
	if err != nil {
		return "", err
	}
	if !strings.Contains(state, " complete ") {
		return "", fmt.Errorf("%s is not whole on %s: %q", name, node, state)
	}
	digest := strings.Fields(state)[2]
	for range 2 { // a manifest, or an index that names one
		text, err := b.fleet.on(ctx, node, `ctr -n k8s.io content get "$1"`, digest)
		if err != nil {
			return "", err
		}
		var document struct {
			Config    struct{ Digest string }
			Manifests []struct{ Digest string }
		}
		if err := json.Unmarshal([]byte(text), &document); err != nil {
			return "", err
		}
		if document.Config.Digest != "" || len(document.Manifests) == 0 {
			return document.Config.Digest, nil
		}
		digest = document.Manifests[0].Digest
	}
	return "", fmt.Errorf("no manifest of %s on %s", name, node)
}

// forget removes an image from the nodes: some gigabytes would gather in a run.
func (b *bench) forget(ctx context.Context, i image, nodes []host) error {
	for _, n := range nodes {
		const script = `docker image rm --force "$1" >/dev/null 2>&1; ctr -n k8s.io images rm --sync "docker.io/$1" >/dev/null 2>&1; :`
		if _, err := b.fleet.on(ctx, n.Name, script, i.name); err != nil {
			return err
		}
	}
	_, err := b.fleet.docker(ctx, "image", "rm", "--force", i.name)
	return err
}
