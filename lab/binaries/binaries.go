// Package binaries builds the programs that the lab runs, and keeps them in the cache: Kubernetes and etcd from
// the Go modules that go.mod pins, and the lab's own.
package binaries

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/proc"
	"github.com/adbsql/antdbctl/lab/progress"
)

// kubernetes are the programs built from k8s.io/kubernetes; the slowest first, its packages serve the others.
var kubernetes = []string{"kube-apiserver", "kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy"}

// Builder builds into the cache.
type Builder struct {
	Lab   layout.Lab
	Print *progress.Printer
}

// Cluster builds what the cluster consists of unless the cache has it, and returns the folder.
// The folder's name holds the versions, so that a new pin in go.mod gets new binaries.
func (b Builder) Cluster(ctx context.Context) (string, error) {
	kube, err := b.version(ctx, "k8s.io/kubernetes")
	if err != nil {
		return "", err
	}
	etcd, err := b.version(ctx, "go.etcd.io/etcd/server/v3")
	if err != nil {
		return "", err
	}
	dir := b.Lab.Cached("bin", "kubernetes-"+kube+"-etcd-"+etcd)
	for i, name := range kubernetes {
		what := fmt.Sprintf("build %s %s (%d of %d; once only, minutes when nothing is cached)", name, kube, i+1, len(kubernetes)+1)
		if err := b.once(ctx, what, filepath.Join(dir, name), "k8s.io/kubernetes/cmd/"+name, versionFlags(kube)); err != nil {
			return "", err
		}
	}
	what := fmt.Sprintf("build etcd %s (%d of %[2]d)", etcd, len(kubernetes)+1)
	return dir, b.once(ctx, what, filepath.Join(dir, "etcd"), "go.etcd.io/etcd/server/v3", "")
}

// Own builds a program of this module. Go is always asked; it sees by the target itself that nothing has changed.
func (b Builder) Own(ctx context.Context, pkg string) (string, error) {
	target := b.Lab.Cached("bin", "own", path.Base(pkg))
	return target, b.build(ctx, target, pkg, "")
}

func (b Builder) once(ctx context.Context, what, target, pkg, flags string) error {
	_, err := os.Stat(target)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// by way of a temporary name: a killed build must not leave half a binary that looks whole
	part := target + ".part"
	if err := b.Print.Do(ctx, what, func(ctx context.Context) error { return b.build(ctx, part, pkg, flags) }); err != nil {
		return err
	}
	return os.Rename(part, target)
}

func (b Builder) build(ctx context.Context, target, pkg, flags string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	cmd := proc.Command{
		Argv: []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w" + flags, "-o", target, pkg},
		Dir:  b.Lab.Source,
		Env:  []string{"CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off"},
	}
	if _, err := cmd.Output(ctx); err != nil {
		return fmt.Errorf("build %s: %w", pkg, err)
	}
	return nil
}

func (b Builder) version(ctx context.Context, module string) (string, error) {
	cmd := proc.Command{
		Argv: []string{"go", "list", "-m", "-f", "{{.Version}}", module},
		Dir:  b.Lab.Source,
		Env:  []string{"GOFLAGS=-mod=readonly", "GOWORK=off"},
	}
	out, err := cmd.Output(ctx)
	if err != nil {
		return "", fmt.Errorf("find the version of %s: %w", module, err)
	}
	return strings.TrimSpace(out), nil
}

// versionFlags make the binaries say the version they are; v0.0.0 breaks clients that look at it.
func versionFlags(version string) string {
	const pkg = "k8s.io/component-base/version"
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return fmt.Sprintf(" -X %s.gitVersion=%s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s", pkg, version, parts[0], parts[1])
}
