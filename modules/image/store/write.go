package store

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Archive is an archive of an image as an engine loads it. It is put together
// while it is read, from anywhere in it, and the same image gives the same
// bytes. It is safe for concurrent use.
type Archive struct {
	image  *Image
	pieces []piece
	size   int64
	id     string
}

// piece is a run of bytes of an archive: those of text, or else a whole blob.
type piece struct {
	at, size int64
	text     []byte
	blob     Blob
}

// Size is the length of the archive in bytes.
func (a *Archive) Size() int64 { return a.size }

// ID is the same for archives of the same bytes, and only for those.
func (a *Archive) ID() string { return a.id }

// ReadAt implements io.ReaderAt.
func (a *Archive) ReadAt(p []byte, off int64) (n int, err error) {
	for _, piece := range a.pieces {
		if n == len(p) {
			return n, nil
		}
		from := off + int64(n) - piece.at
		if from >= piece.size {
			continue
		}
		part := p[n:min(int64(len(p)), int64(n)+piece.size-from)]
		if err := a.read(part, piece, from); err != nil {
			return n, err
		}
		n += len(part)
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (a *Archive) read(p []byte, piece piece, from int64) error {
	if piece.text != nil {
		copy(p, piece.text[from:])
		return nil
	}
	f, err := a.image.Open(piece.blob)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.ReadAt(p, from); err != nil {
		return fmt.Errorf("layer %s in %s: %w", digest12(piece.blob.Digest), a.image.store.dir, err)
	}
	return nil
}

// Docker is the image as `docker load` takes it, named refs. The first skip
// layers are mentioned and left out: Docker looks for a layer by its chain
// before it opens the file, on purpose, and fails when it has neither.
func (i *Image) Docker(refs []string, skip int) (*Archive, error) {
	hex := func(digest string) string { return strings.TrimPrefix(digest, "sha256:") }
	e := Entry{Config: hex(i.ID) + ".json", RepoTags: refs}
	for _, l := range i.Layers {
		e.Layers = append(e.Layers, hex(l.Digest)+"/layer.tar")
	}
	manifest, err := json.Marshal([]Entry{e})
	if err != nil {
		return nil, err
	}
	b := &builder{image: i}
	b.blob(e.Config, i.Config)
	for n, l := range i.Layers[min(skip, len(i.Layers)):] {
		b.blob(e.Layers[skip+n], l)
	}
	b.text("manifest.json", manifest)
	return b.archive()
}

// Media types of the OCI image specification, version 1.
const (
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociConfig   = "application/vnd.oci.image.config.v1+json"
	ociLayer    = "application/vnd.oci.image.layer.v1.tar"
)

// Descriptor is how the OCI image specification refers to a blob.
type Descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// OCI is the image as an OCI layout under one full name. Blobs in have are left
// out: containerd takes them from its own store.
func (i *Image) OCI(name string, have map[string]bool) (*Archive, error) {
	manifest := i.manifest()
	sum := sha256.Sum256(manifest)
	target := Blob{"sha256:" + hex.EncodeToString(sum[:]), int64(len(manifest))}
	index, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": ociIndex,
		"manifests": []Descriptor{{ociManifest, target.Digest, target.Size, map[string]string{
			"io.containerd.image.name": name, // a full name; the OCI annotation may be a bare tag
		}}},
	})
	if err != nil {
		return nil, err
	}
	b := &builder{image: i}
	b.text("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	for _, part := range append([]Blob{i.Config}, i.Layers...) {
		if !have[part.Digest] {
			b.blob(ociPath(part.Digest), part)
		}
	}
	b.text(ociPath(target.Digest), manifest)
	b.text("index.json", index)
	return b.archive()
}

// manifest is the same for the same image, so all nodes agree on its digest.
func (i *Image) manifest() []byte {
	layers := make([]Descriptor, len(i.Layers))
	for n, l := range i.Layers {
		layers[n] = Descriptor{MediaType: ociLayer, Digest: l.Digest, Size: l.Size}
	}
	text, err := json.Marshal(struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        Descriptor   `json:"config"`
		Layers        []Descriptor `json:"layers"`
	}{2, ociManifest, Descriptor{MediaType: ociConfig, Digest: i.ID, Size: i.Config.Size}, layers})
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return text
}

func ociPath(digest string) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) }

// builder lines up the pieces of an archive.
type builder struct {
	image  *Image
	pieces []piece
	size   int64
	named  map[string]bool
	err    error
}

func (b *builder) add(p piece) {
	p.at = b.size
	b.pieces = append(b.pieces, p)
	b.size += p.size
}

func (b *builder) bytes(text []byte) {
	if len(text) > 0 {
		b.add(piece{text: text, size: int64(len(text))})
	}
}

// blob adds a file whose content is a part of the image; once, if it comes twice.
func (b *builder) blob(name string, part Blob) {
	if b.named[name] {
		return
	}
	if b.named == nil {
		b.named = map[string]bool{}
	}
	b.named[name] = true
	b.header(name, part.Size)
	if part.Size > 0 {
		b.add(piece{blob: part, size: part.Size})
	}
	b.pad(part.Size)
}

func (b *builder) text(name string, text []byte) {
	b.header(name, int64(len(text)))
	b.bytes(text)
	b.pad(int64(len(text)))
}

func (b *builder) header(name string, size int64) {
	var head bytes.Buffer
	err := tar.NewWriter(&head).WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, Typeflag: tar.TypeReg})
	if b.err == nil {
		b.err = err
	}
	b.bytes(head.Bytes())
}

// pad fills up to the tar format's blocks of 512 bytes.
func (b *builder) pad(size int64) { b.bytes(make([]byte, (512-size%512)%512)) }

func (b *builder) archive() (*Archive, error) {
	b.bytes(make([]byte, 1024)) // two empty blocks end a tar
	sum := sha256.New()
	for _, p := range b.pieces {
		_, _ = fmt.Fprintf(sum, "%d %s\n", p.size, p.blob.Digest)
		_, _ = sum.Write(p.text)
	}
	return &Archive{image: b.image, pieces: b.pieces, size: b.size, id: hex.EncodeToString(sum.Sum(nil))}, b.err
}
