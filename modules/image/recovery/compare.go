package recovery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/adbsql/antdbctl/modules/image/rootfs"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// Difference is one thing in which two images are not the same.
type Difference struct {
	What string // a setting's name, or a path
	Want string // in the original; empty when it is not there
	Have string // in the other
	By   string // for a path: the row of the history that made it in the original
}

func (d Difference) String() string {
	var text string
	switch {
	case d.Have == "":
		text = fmt.Sprintf("%s is missing (%s)", d.What, d.Want)
	case d.Want == "":
		text = fmt.Sprintf("%s is new (%s)", d.What, d.Have)
	default:
		text = fmt.Sprintf("%s: %s, now %s", d.What, d.Want, d.Have)
	}
	if d.By != "" {
		text += " [" + d.By + "]"
	}
	return text
}

// Compare tells in what two images differ as containers see them: settings, and
// files with type, mode, owner, size, target and content. Times are left out: a
// command that runs again writes files anew.
func Compare(ctx context.Context, want, have *store.Image) ([]Difference, error) {
	wantConfig, err := want.ConfigFile()
	if err != nil {
		return nil, err
	}
	haveConfig, err := have.ConfigFile()
	if err != nil {
		return nil, err
	}
	diffs := compareConfig(wantConfig, haveConfig)
	wantTree, err := rootfs.Read(ctx, want)
	if err != nil {
		return nil, err
	}
	haveTree, err := rootfs.Read(ctx, have)
	if err != nil {
		return nil, err
	}
	c := &comparison{ctx: ctx, want: wantTree, have: haveTree, volumes: wantConfig.Config.Volumes}
	if rows, err := rootfs.History(wantConfig); err == nil {
		c.rows = rows
	}
	files, err := c.files()
	return append(diffs, files...), err
}

type comparison struct {
	ctx        context.Context
	want, have *rootfs.Tree
	rows       []v1.History
	volumes    map[string]struct{}
}

// enginePaths are files that engines put into a container while a RUN runs,
// and leave traces of.
var enginePaths = map[string]bool{"/dev": true, "/proc": true, "/sys": true, "/etc/hosts": true, "/etc/hostname": true, "/etc/resolv.conf": true, "/etc/mtab": true, "/.dockerenv": true, "/run/.containerenv": true}

// engines reports whether an entry is an engine's doing. The classic builder
// makes the folders of volumes when a RUN line runs, others do not; buildah makes
// /run.
func (c *comparison) engines(e rootfs.Entry, t *rootfs.Tree) bool {
	if _, volume := c.volumes[e.Path]; (volume || e.Path == "/run") && e.IsDir() && len(t.Dir(e.Path)) == 0 {
		return true
	}
	for p := e.Path; p != "/"; p = path.Dir(p) {
		if enginePaths[p] {
			return true
		}
	}
	return false
}

func (c *comparison) files() (diffs []Difference, err error) {
	var contents []string // regular files of the same size whose layers differ
	seen := map[string]bool{}
	for w := range c.want.All() {
		seen[w.Path] = true
		if c.engines(w, c.want) {
			continue
		}
		h, ok := c.have.Lstat(w.Path)
		if !ok || h.Path != w.Path {
			diffs = append(diffs, Difference{What: w.Path, Want: describe(w, true), By: c.by(w)})
			continue
		}
		a, b := describe(w, w.Size != h.Size), describe(h, w.Size != h.Size)
		if w.Implied || h.Implied { // nobody said how it is
			continue
		}
		if a != b {
			diffs = append(diffs, Difference{What: w.Path, Want: a, Have: b, By: c.by(w)})
			continue
		}
		if w.Mode.IsRegular() && w.Size > 0 && c.want.Layers[w.Layer].Digest != c.have.Layers[h.Layer].Digest {
			contents = append(contents, w.Path)
		}
	}
	for h := range c.have.All() {
		if !seen[h.Path] && !c.engines(h, c.have) {
			diffs = append(diffs, Difference{What: h.Path, Have: describe(h, true)})
		}
	}
	changed, err := c.changed(contents)
	for _, p := range changed {
		e, _ := c.want.Lstat(p)
		diffs = append(diffs, Difference{What: p, Want: "its content", Have: "another of the same size", By: c.by(e)})
	}
	return diffs, err
}

// changed are those of the paths whose contents differ.
func (c *comparison) changed(paths []string) (changed []string, err error) {
	want, err := sums(c.ctx, c.want, paths)
	if err != nil {
		return nil, err
	}
	have, err := sums(c.ctx, c.have, paths)
	for _, p := range paths {
		if !bytes.Equal(want[p], have[p]) {
			changed = append(changed, p)
		}
	}
	return changed, err
}

func sums(ctx context.Context, t *rootfs.Tree, paths []string) (map[string][]byte, error) {
	sums := map[string][]byte{}
	err := t.Each(ctx, paths, func(p string, f *rootfs.File) error {
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		sums[p] = h.Sum(nil)
		return nil
	})
	return sums, err
}

// by is the row of the history that an entry comes from.
func (c *comparison) by(e rootfs.Entry) string {
	if e.Layer < 0 || e.Layer >= len(c.rows) {
		return ""
	}
	text := rootfs.Command(c.rows[e.Layer])
	if len(text) > 60 {
		text = text[:57] + "..."
	}
	return text
}

func describe(e rootfs.Entry, size bool) string {
	kind := "file"
	switch {
	case e.IsDir():
		kind = "folder"
	case e.Mode&fs.ModeSymlink != 0:
		return fmt.Sprintf("link to %s of %d:%d", e.Link, e.UID, e.GID)
	case !e.Mode.IsRegular():
		kind = e.Mode.Type().String()
	}
	text := fmt.Sprintf("%s %s %d:%d", kind, e.Octal(), e.UID, e.GID)
	if e.Mode.IsRegular() && size {
		text += fmt.Sprintf(" %d bytes", e.Size)
	}
	return text
}
