// Package image makes the lab's images: two root file systems from Debian packages, and single binaries from scratch.
// Nothing is pulled from a registry.
package image

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/adbsql/antdbctl/lab/debian"
	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/layout"
)

//go:embed pg-base.packages
var basePackages string

//go:embed node.packages
var nodePackages string

// Debian is an image made of Debian packages.
type Debian struct {
	Name   string
	rootfs debian.RootFS
	config []string // Dockerfile instructions for `docker import --change`
}

// Base is the image under the database image: PostgreSQL, Patroni, pgaudit, pgBackRest.
func Base() Debian {
	return Debian{
		Name: layout.BaseImage,
		rootfs: debian.RootFS{
			Packages: packageList(basePackages),
			// PGO's images run as uid 26, and so must who owns the data. Debian gives gid 26 to "tape".
			Essential: []string{
				`sed -i '/^tape:/d; $apostgres:x:26:' "$1/etc/group"`,
				`echo 'postgres:x:26:26:PostgreSQL administrator:/var/lib/postgresql:/bin/bash' >> "$1/etc/passwd"`,
				`mkdir -p "$1/etc/postgresql-common"; echo create_main_cluster=false > "$1/etc/postgresql-common/createcluster.conf"`,
			},
			Customize: []string{
				// the image that this one stands in for is a CentOS, where sh is bash; archive commands rely on it
				`ln -sf bash "$1/bin/sh"`,
				`printf 'en_US.UTF-8 UTF-8\nzh_CN.UTF-8 UTF-8\n' > "$1/etc/locale.gen"; chroot "$1" locale-gen`,
				// just-in-time compilation is optional at run time and a third of the image
				`rm -f "$1"/usr/lib/*/libLLVM* "$1"/usr/lib/*/libz3.so* "$1"/usr/lib/postgresql/15/lib/llvmjit.so; rm -rf "$1"/usr/lib/postgresql/15/lib/bitcode`,
				`rm -rf "$1"/usr/share/i18n "$1"/etc/ssh/ssh_host_* "$1"/var/log/*.log "$1"/var/cache/debconf/*`,
				`find "$1/usr" -name __pycache__ -prune -exec rm -rf {} +`,
				`test "$(stat -c %u:%g "$1/var/lib/postgresql")" = 26:26`,
			},
		},
		config: []string{"ENV LANG=en_US.utf-8", "ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", `CMD ["bash"]`},
	}
}

// Node is the image of a node: sshd, containerd, Docker Engine, CNI plugins. The kubelet comes in by bind mount.
func Node() Debian {
	return Debian{
		Name: layout.NodeImage,
		rootfs: debian.RootFS{
			Packages: packageList(nodePackages),
			Customize: []string{
				`rm -f "$1"/etc/ssh/ssh_host_*; rm -rf "$1"/var/cache/debconf/*`,
				// bare shells and empty homes: a login shell with a start-up file costs each command 200 ms
				`chroot "$1" usermod -s /bin/sh root; rm -f "$1"/root/.bashrc "$1"/root/.profile; rm -f "$1"/etc/skel/.[a-z]*`,
				`chroot "$1" useradd -m -s /bin/sh -p '*' op; echo 'op ALL=(ALL) NOPASSWD: ALL' > "$1/etc/sudoers.d/op"; chmod 440 "$1/etc/sudoers.d/op"`,
			},
		},
		config: []string{`CMD ["/etc/antdb-lab/start"]`},
	}
}

// key changes with everything that goes into the image.
func (d Debian) key(sources string) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q", []any{d.rootfs, d.config, sources})
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// Present reports whether the engine has this very image.
func (d Debian) Present(ctx context.Context, engine docker.Engine, sources string) bool {
	return engine.Label(ctx, d.Name, docker.KeyLabel) == d.key(sources)
}

// Ensure makes the root file system unless the cache has it, and imports it unless the engine has it.
func (d Debian) Ensure(ctx context.Context, lab layout.Lab, engine docker.Engine, sources string) error {
	if d.Present(ctx, engine, sources) {
		return nil
	}
	base := strings.NewReplacer("/", "-", ":", "-").Replace(d.Name)
	tar := lab.Cached("rootfs", base+"-"+d.key(sources)+".tar")
	if _, err := os.Stat(tar); err != nil {
		if err := d.build(ctx, lab, sources, tar, base); err != nil {
			return err
		}
	}
	file, err := os.Open(tar)
	if err != nil {
		return err
	}
	defer file.Close()
	argv := []string{"import"}
	for _, change := range append(d.config, "LABEL "+docker.KeyLabel+"="+d.key(sources)) {
		argv = append(argv, "--change", change)
	}
	_, err = engine.Feed(ctx, file, append(argv, "-", d.Name)...)
	return err
}

func (d Debian) build(ctx context.Context, lab layout.Lab, sources, tar, base string) error {
	for _, dir := range []string{filepath.Dir(tar), lab.In("logs")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	old, _ := filepath.Glob(filepath.Join(filepath.Dir(tar), base+"-*.tar"))
	log, err := os.Create(lab.In("logs", base+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	if err := d.rootfs.Build(ctx, sources, tar, log); err != nil {
		return err
	}
	for _, file := range old { // one generation is enough: these are hundreds of megabytes
		os.Remove(file)
	}
	return nil
}

func packageList(text string) []string {
	var packages []string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			packages = append(packages, line)
		}
	}
	return packages
}
