package store

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Entry is one image in the manifest.json of an archive.
type Entry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// ID is the digest of the image's configuration, which names the file: as
// "<hex>.json" up to Docker 24, as "blobs/sha256/<hex>" since. It is empty for
// a file that some other tool named.
func (e Entry) ID() string {
	hex := strings.TrimSuffix(strings.TrimPrefix(path.Base(e.Config), "sha256:"), ".json")
	if !isHex(hex) {
		return ""
	}
	return "sha256:" + hex
}

// ParseManifest reads the manifest.json of an archive.
func ParseManifest(text []byte) ([]Entry, error) {
	var entries []Entry
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, damaged("manifest.json is no list of images: %s", err)
	}
	return entries, nil
}

// candidate is an image that an archive says it holds.
type candidate struct {
	id       string // empty if the archive does not say
	names    []string
	config   string // names of files
	layers   []string
	platform string // of an index
}

func (c candidate) String() string {
	text := strings.Join(c.names, ", ")
	if text == "" {
		text = "unnamed " + digest12(c.id)
	}
	if c.platform != "" {
		text += " (" + c.platform + ")"
	}
	return text
}

// candidates reads the list of images that an archive has. Docker's own list
// goes before the index of the layout around it, which leaves out names.
func candidates(a files) ([]candidate, error) {
	text, err := a.small("manifest.json")
	if err == nil {
		return dockerImages(text)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text, err = a.small("index.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unlisted(a)
	}
	if err != nil {
		return nil, err
	}
	w := &layout{files: a}
	if err := w.index(text, nil, 0); err != nil {
		return nil, err
	}
	return w.found, nil
}

// unlisted says what an archive is that lists no images.
func unlisted(a files) error {
	l := a.about()
	if l.entries == 0 {
		return foreign("the archive is empty")
	}
	if l.named && !l.configs {
		return &Fault{Text: "the archive was written by a Docker before 1.10, whose images have no configuration",
			Remedy: "load it into a newer Docker, up to version 28, and save the image from there"}
	}
	if l.named || slices.ContainsFunc(l.first, func(n string) bool { return strings.HasPrefix(n, "blobs/") || isHex(strings.SplitN(n, "/", 2)[0]) }) {
		return &Fault{Text: "the archive has no manifest.json and no index.json: its end is missing", Remedy: copyAgain}
	}
	return foreign("this is no archive of an image: it has neither manifest.json nor index.json, and begins with %s", strings.Join(l.first, ", "))
}

func dockerImages(text []byte) ([]candidate, error) {
	entries, err := ParseManifest(text)
	if err != nil {
		return nil, err
	}
	var found []candidate
	for _, e := range entries {
		c := candidate{id: e.ID(), names: e.RepoTags, config: path.Clean(e.Config)}
		for _, l := range e.Layers {
			c.layers = append(c.layers, path.Clean(l))
		}
		same := slices.IndexFunc(found, func(f candidate) bool { return f.config == c.config })
		if same >= 0 {
			found[same].names = append(found[same].names, c.names...)
			continue
		}
		found = append(found, c)
	}
	return found, nil
}
