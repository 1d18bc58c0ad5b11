package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
)

func TestFaultMissingDocker(t *testing.T) {
	if testing.Short() {
		t.Skip("needs docker")
	}
	b := fixture(t, "docker.hcl")
	docker := labDocker(t)
	b.set("image", labImage)
	b.env = append(b.env, "DOCKER_HOST="+docker)

	with := slices.Clip(b.env)
	b.env = append(with, "PATH="+pathWithout(t, "docker"))
	b.apply().failed(fault{line: b.line(""), says: "there is no docker command on this machine", remedy: "install docker"})

	b.env = append(with, "DOCKER_HOST=unix://"+b.path("nobody.sock"))
	b.apply().failed(fault{line: b.line(""), says: "nobody.sock", remedy: "start the docker daemon"})

	b.env = with
	second := b.apply()
	second.done("needs")
	require.ElementsMatch(t, []string{"before", "content"}, second.steps(event.Unchanged))
}

func TestFaultImageThatDoesNotExist(t *testing.T) {
	if testing.Short() {
		t.Skip("needs docker")
	}
	b := fixture(t, "docker.hcl")
	b.env = append(b.env, "DOCKER_HOST="+labDocker(t))
	b.set("image", "crunchydata/antdb-ha:never-built")
	b.apply().failed(fault{line: b.line("image"), says: "there is no image crunchydata/antdb-ha:never-built", remedy: "image.build"})

	b.set("image", labImage)
	second := b.apply()
	second.done("needs")
	require.ElementsMatch(t, []string{"before", "content"}, second.steps(event.Unchanged))
}

// pathWithout is a folder with everything that PATH has, but one program.
func pathWithout(t *testing.T, program string) string {
	t.Helper()
	bin := t.TempDir()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		require.NoError(t, err)
		for _, e := range entries {
			if err := os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(bin, e.Name())); !errors.Is(err, fs.ErrExist) {
				require.NoError(t, err)
			}
		}
	}
	require.NoError(t, os.Remove(filepath.Join(bin, program)))
	return bin
}

// labImage is one that every lab has.
const labImage = "antdb-lab/pause:1"

// labDocker is the address of the lab's docker engine.
func labDocker(t *testing.T) string {
	t.Helper()
	lab := os.Getenv("ANTDBCTL_LAB_DIR")
	if lab == "" {
		lab = "/run/antdbctl-lab"
	}
	require.FileExists(t, lab+"/docker.sock", "the lab is not up: make lab")
	return "unix://" + strings.TrimSuffix(lab, "/") + "/docker.sock"
}
