package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// story is what is measured against: save the image to a file, copy it to one node after the other, load it there.
func (b *bench) story(ctx context.Context, nodes []host) (time.Duration, error) {
	made, err := b.buildCold(ctx, "story")
	if err != nil {
		return 0, err
	}
	file := filepath.Join(b.dir, "story.tar")
	defer os.Remove(file)
	begin := time.Now()
	if _, err := b.fleet.docker(ctx, "save", "--output", file, made.name); err != nil {
		return 0, err
	}
	saved := time.Since(begin)
	var copied, loaded time.Duration
	for _, n := range nodes {
		const there = "/var/lib/docker/story.tar"
		start := time.Now()
		if _, err := output(b.fleet.controller(ctx, "scp", "-q", "-F", b.fleet.SSHConfig, file, n.Name+":"+there)); err != nil {
			return 0, err
		}
		copied += time.Since(start)
		start = time.Now()
		if _, err := output(b.fleet.controller(ctx, "ssh", "-F", b.fleet.SSHConfig, n.Name, "docker load -q -i "+there+" && rm "+there)); err != nil {
			return 0, err
		}
		loaded += time.Since(start)
		if err := b.verify(ctx, n.Name, "docker", made); err != nil {
			return 0, err
		}
	}
	all := time.Since(begin)
	fmt.Printf("  the story's way, %d nodes: save %.1f s, scp to each %.1f s, docker load on each %.1f s: %.1f s\n",
		len(nodes), seconds(saved), seconds(copied), seconds(loaded), seconds(all))
	return all, b.forget(ctx, made, nodes)
}
