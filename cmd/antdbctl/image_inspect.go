package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/modules/image"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

// imageView is what the flags of `image inspect` ask for.
type imageView struct {
	layer   int
	file    string
	files   string
	program string
	symbols []string
	waste   bool
}

func (a *app) imageInspectCommand() *cobra.Command {
	var v imageView
	c := &cobra.Command{
		Use:   "inspect SOURCE",
		Short: "Show the layers, files and wasted bytes of an image",
		Long: `Inspect shows what each layer of an image did, what it cost, and which bytes
nobody needs. SOURCE is an image of docker or an archive. No container is
started and nothing is unpacked.

Files are counted as + added, ~ changed and - deleted; folders, links and
devices count too, and what was in a deleted folder counts one by one. Wasted
bytes lie in a layer and are not seen: they were deleted or overwritten by a
later layer (which cannot make this one smaller), or they are there twice.

Patterns of --files know *, ? and [a-z] within a name, and ** for any folders;
a pattern without a slash is looked for in every folder.

Exit code 0: shown. 1: no such image or archive, damaged, or no such file in it.`,
		Example: `  antdbctl image inspect crunchydata/antdb-ha:4.1
  antdbctl image inspect antdb-ha.tar.gz --waste
  antdbctl image inspect antdb-ha.tar.gz --layer 17
  antdbctl image inspect antdb-ha:1 --files '/usr/pgsql-11/lib/**/*.so'
  antdbctl image inspect antdb-ha:1 --elf /usr/pgsql-11/lib/pgaudit.so --symbol Pg_magic_func
  antdbctl image inspect antdb-ha:1 --file /opt/cpm/conf/postgres-ha-initdb.yaml
  antdbctl image inspect antdb-ha:1 --json | jq '.history[] | select(.wasted > 1e6)'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.inspectImage(c, args[0], v) },
	}
	flags := c.Flags()
	flags.IntVar(&v.layer, "layer", 0, "list what layer `number` added, changed and deleted")
	flags.StringVar(&v.file, "file", "", "write the file at `path` in the image to standard output")
	flags.StringVar(&v.files, "files", "", "list the files that a `pattern` names")
	flags.StringVar(&v.program, "elf", "", "show what the program or library at `path` needs and lacks")
	flags.StringSliceVar(&v.symbols, "symbol", nil, "with --elf, say of a symbol's `name` whether it is defined or wanted; may be repeated")
	flags.BoolVar(&v.waste, "waste", false, "list every wasted file")
	c.MarkFlagsMutuallyExclusive("layer", "file", "files", "elf", "waste")
	return c
}

func (a *app) inspectImage(c *cobra.Command, source string, v imageView) error {
	m := &image.Inspect{Details: v.layer == 0 && v.file == "" && v.files == "" && v.program == ""}
	m.Image, m.Archive = imageSource(source)
	switch {
	case v.program == "" && v.symbols != nil:
		return errors.New("--symbol asks about the program of --elf: give both")
	case v.program != "":
		m.Symbols = map[string][]string{inImage(v.program): v.symbols}
	case !m.Details:
		m.Paths = []string{"/"} // so that the tree is read
	}
	ctx, env, done := a.here(c.Context())
	_, err := m.Check(ctx, env)
	done()
	if err != nil {
		return explained(err)
	}
	switch {
	case v.file != "":
		return a.catImageFile(c, m.Tree(), v.file)
	case v.layer != 0:
		return a.listImageLayer(m, v.layer)
	case v.files != "":
		return a.listImageFiles(m.Tree(), v.files)
	case v.program != "":
		return a.showProgram(inImage(v.program), m.Programs, v.symbols)
	case a.json:
		return a.imageJSON(m)
	case v.waste:
		return a.listWaste(m)
	}
	return a.showImage(source, m)
}

func (a *app) catImageFile(c *cobra.Command, t *rootfs.Tree, p string) error {
	f, err := t.Open(c.Context(), inImage(p))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the image has no file %s%s", visibleName(p), gone(t, inImage(p)))
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(a.stdout, f)
	return err
}

// gone tells which layer took a file away, if one did.
func gone(t *rootfs.Tree, p string) string {
	for n := len(t.Layers) - 1; n >= 0; n-- {
		for _, c := range t.Changes(n) {
			if c.Op == rootfs.Deleted && c.Entry.Path == p {
				return fmt.Sprintf(": layer %d deleted it", n+1)
			}
		}
	}
	return ""
}

func (a *app) listImageLayer(m *image.Inspect, n int) error {
	t := m.Tree()
	if n < 1 || n > len(t.Layers) {
		return fmt.Errorf("there is no layer %d: the image has %d", n, len(t.Layers))
	}
	if !a.json {
		a.layerHead(m, n)
	}
	for _, c := range t.Changes(n - 1) {
		if a.json {
			if err := a.jsonEntry(c.Op.String(), c.Entry); err != nil {
				return err
			}
			continue
		}
		sign := map[rootfs.Op]string{rootfs.Added: "+", rootfs.Changed: "~", rootfs.Deleted: "-"}[c.Op]
		fmt.Fprintf(a.stdout, "%s %s\n", sign, entryLine(c.Entry))
	}
	return nil
}

// layerHead says what the layer is, with the whole command.
func (a *app) layerHead(m *image.Inspect, n int) {
	l := m.Tree().Layers[n-1]
	fmt.Fprintf(a.stdout, "Layer %d of %d · %.19s · %s · %d added, %d changed, %d deleted\n",
		n, len(m.Tree().Layers), l.Digest, bytesText(l.Size), l.Added, l.Changed, l.Deleted)
	commands, err := m.Commands()
	if err != nil {
		fmt.Fprintf(a.stdout, "Note: %s\n\n", err)
		return
	}
	fmt.Fprintf(a.stdout, "%s\n\n", cut(commands[n-1], 1<<20))
}

func (a *app) listImageFiles(t *rootfs.Tree, pattern string) error {
	found, err := t.Glob(pattern)
	if err != nil {
		return err
	}
	for _, e := range found {
		if a.json {
			if err := a.jsonEntry("", e); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.stdout, "%s  layer %d\n", entryLine(e), e.Layer+1)
	}
	if len(found) == 0 {
		return fmt.Errorf("nothing in the image is named %s", visibleName(pattern))
	}
	return nil
}

func (a *app) jsonEntry(change string, e rootfs.Entry) error {
	return json.NewEncoder(a.stdout).Encode(struct {
		Change string `json:"change,omitempty"`
		Path   string `json:"path"`
		Mode   string `json:"mode"`
		UID    int    `json:"uid"`
		GID    int    `json:"gid"`
		Size   int64  `json:"size"`
		Link   string `json:"link,omitempty"`
		Layer  int    `json:"layer"`
	}{change, e.Path, e.Mode.String(), e.UID, e.GID, e.Size, e.Link, e.Layer + 1})
}

// inImage is a path from the image's root.
func inImage(p string) string { return "/" + strings.TrimLeft(p, "/") }

// entryLine is an entry as ls shows it.
func entryLine(e rootfs.Entry) string {
	line := fmt.Sprintf("%-11s %5d:%-5d %10s  %s", e.Mode, e.UID, e.GID, entrySize(e), visibleName(e.Path))
	if e.Link != "" {
		line += " -> " + visibleName(e.Link)
	}
	return line
}

func entrySize(e rootfs.Entry) string {
	if !e.Mode.IsRegular() {
		return "-"
	}
	return bytesText(e.Size)
}

// visibleName makes a name from an image safe for a terminal.
func visibleName(name string) string {
	if quoted := strconv.Quote(name); quoted[1:len(quoted)-1] != name {
		return quoted
	}
	return name
}
