package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// files are what an archive holds, by clean relative names. A name that is not
// there gives fs.ErrNotExist.
type files interface {
	// small reads a description whole.
	small(name string) ([]byte, error)
	// take brings a file in, unpacked; then it should have the digest diffID,
	// if that is known.
	take(ctx context.Context, name, diffID string) (part, error)
	// about says what the archive looks like, for one who does not know it.
	about() *listing
}

// listing is what can be said of an archive without its contents.
type listing struct {
	entries int
	first   []string          // the first few names
	links   map[string]string // names that mean others
	named   bool              // it has the list of names that all versions of Docker write
	configs bool              // it has a configuration, as those since 1.10 do
}

const repositories = "repositories"

// target follows links from name to the name of a file.
func (l *listing) target(name string) (string, error) {
	for range 8 {
		next, ok := l.links[name]
		if !ok {
			return name, nil
		}
		name = next
	}
	return "", suspicious("the links of the archive lead in a circle at %s", name)
}

// note holds an entry's name to what names are in archives of images.
func (l *listing) note(name string, max int) (string, error) {
	clean := path.Clean(name)
	if path.IsAbs(name) || !fs.ValidPath(clean) {
		return "", suspicious("the archive names a file outside of itself: %.100q", name)
	}
	if l.entries++; l.entries > max {
		return "", suspicious("the archive has more than %d files, and an image has some hundred", max)
	}
	if len(l.first) < 3 && clean != "." {
		l.first = append(l.first, clean)
	}
	l.recognize(clean)
	if top, _, _ := strings.Cut(clean, "/"); rootFolders[top] {
		return "", foreign("this is the file system of a container or a machine (it has %s), and an image has settings and layers besides", clean)
	}
	return clean, nil
}

func (l *listing) recognize(name string) {
	hex, json := strings.CutSuffix(name, ".json")
	l.configs = l.configs || json && isHex(hex)
	l.named = l.named || name == repositories
}

// rootFolders are names in a root file system and never in an archive.
var rootFolders = map[string]bool{
	".dockerenv": true, "bin": true, "boot": true, "dev": true, "etc": true, "home": true, "lib": true, "lib64": true, "mnt": true,
	"opt": true, "proc": true, "root": true, "run": true, "sbin": true, "sys": true, "tmp": true, "usr": true, "var": true,
}

// digestInName is the digest that a blob of an OCI layout has by its name.
func digestInName(name string) string {
	if hex, ok := strings.CutPrefix(name, "blobs/sha256/"); ok && isHex(hex) {
		return "sha256:" + hex
	}
	return ""
}

func isHex(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// readSmall reads a description, which is no longer than limit.
func readSmall(r io.Reader, name string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		return nil, suspicious("%s in the archive has more than %d MiB, and descriptions of images have some KiB", name, limit>>20)
	}
	return text, err
}

// folder is an archive that someone unpacked: an OCI layout.
type folder struct {
	in    *incoming
	root  *os.Root
	index listing
}

func newFolder(in *incoming, root *os.Root) *folder {
	f := &folder{in: in, root: root}
	if entries, err := fs.ReadDir(root.FS(), "."); err == nil {
		f.index.entries = len(entries)
		for _, e := range entries {
			f.index.recognize(e.Name())
			if len(f.index.first) < 3 {
				f.index.first = append(f.index.first, e.Name())
			}
		}
	}
	return f
}

func (f *folder) about() *listing { return &f.index }

func (f *folder) small(name string) ([]byte, error) {
	file, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readSmall(file, name, f.in.small)
}

func (f *folder) take(ctx context.Context, name, diffID string) (part, error) {
	file, err := f.open(name)
	if err != nil {
		return part{}, err
	}
	defer file.Close()
	return f.in.take(f.in.count(ctx, file), name, wanted{plain: diffID})
}

// open does not leave the folder, whatever links are in there.
func (f *folder) open(name string) (*os.File, error) {
	if !fs.ValidPath(name) {
		return nil, suspicious("the archive names a file outside of itself: %.100q", name)
	}
	info, err := f.root.Stat(name) // before it is opened, for opening a pipe waits
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case errors.Is(err, fs.ErrPermission):
		return nil, notThere(name, err)
	case err != nil:
		return nil, &Fault{Text: name + " in the folder leads out of it", Err: err, Remedy: askAbout}
	case !info.Mode().IsRegular():
		return nil, suspicious("%s in the folder is no file", name)
	}
	return f.root.Open(name)
}
