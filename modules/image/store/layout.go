package store

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// layout collects the images of an OCI layout.
type layout struct {
	files
	found []candidate
	seen  int
}

// ociDocument is a manifest or an index.
type ociDocument struct {
	MediaType string       `json:"mediaType"`
	Manifests []ociPointer `json:"manifests"`
	Config    ociPointer   `json:"config"`
	Layers    []ociPointer `json:"layers"`
}

type ociPointer struct {
	Descriptor
	Platform struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
	} `json:"platform"`
}

// index follows an index to its images. A layout may list images of platforms
// whose parts it does not have.
func (w *layout) index(text []byte, from *ociPointer, depth int) error {
	var doc ociDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		return damaged("the index is no JSON: %s", err)
	}
	if depth > 4 {
		return suspicious("the indexes of the archive lead to one another without end")
	}
	for _, p := range doc.Manifests {
		if p.Annotations["vnd.docker.reference.type"] != "" { // a note on how another was built
			continue
		}
		if w.seen++; w.seen > 1000 {
			return suspicious("the archive lists more than 1000 images")
		}
		text, err := w.blob(p.Digest)
		if errors.Is(err, fs.ErrNotExist) && from != nil {
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			return damaged("it lacks the manifest %s", p.Digest)
		}
		if err != nil {
			return err
		}
		if from != nil && imageName(p.Annotations) == "" {
			p.Annotations = from.Annotations
		}
		if err := w.manifest(text, p, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *layout) manifest(text []byte, p ociPointer, depth int) error {
	var doc ociDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		return damaged("the manifest %s is no JSON: %s", p.Digest, err)
	}
	if len(doc.Manifests) > 0 {
		return w.index(text, &p, depth+1)
	}
	if err := readable(doc.Config.Digest); err != nil {
		return err
	}
	c := candidate{id: doc.Config.Digest, config: ociPath(doc.Config.Digest)}
	if p.Platform.OS != "" {
		c.platform = strings.Trim(p.Platform.OS+"/"+p.Platform.Architecture+"/"+p.Platform.Variant, "/")
	}
	if name := imageName(p.Annotations); name != "" {
		c.names = []string{name}
	}
	for _, l := range doc.Layers {
		if err := readable(l.Digest); err != nil {
			return err
		}
		c.layers = append(c.layers, ociPath(l.Digest))
	}
	if same := slices.IndexFunc(w.found, func(f candidate) bool { return f.config == c.config }); same >= 0 {
		w.found[same].names = append(w.found[same].names, c.names...)
		return nil
	}
	w.found = append(w.found, c)
	return nil
}

// imageName is the name of an image in an index: engines write it whole in an
// annotation of their own, and perhaps its tag alone in the specified one.
func imageName(annotations map[string]string) string {
	if n := annotations["io.containerd.image.name"]; n != "" {
		return n
	}
	return annotations["org.opencontainers.image.ref.name"]
}

// blob reads a description and holds it to its digest.
func (w *layout) blob(digest string) ([]byte, error) {
	if err := readable(digest); err != nil {
		return nil, err
	}
	text, err := w.small(ociPath(digest))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(text); digestOf(sum[:]) != digest {
		return nil, damaged("%s has the digest %s", ociPath(digest), digestOf(sum[:]))
	}
	return text, nil
}

// readable refuses digests that are not of the one kind in use.
func readable(digest string) error {
	if hex, ok := strings.CutPrefix(digest, "sha256:"); !ok || !isHex(hex) {
		return damaged("it names a part %.80q, which is no SHA-256 digest", digest)
	}
	return nil
}
