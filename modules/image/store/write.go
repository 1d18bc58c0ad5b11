package store

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"strings"
)

// WriteDocker writes the image as `docker load` takes it, named refs. The
// first skip layers are mentioned and left out: Docker looks for a layer by its
// chain before it opens the file, on purpose, and fails when it has neither.
func (i *Image) WriteDocker(w io.Writer, refs []string, skip int) error {
	hex := func(digest string) string { return strings.TrimPrefix(digest, "sha256:") }
	e := Entry{Config: hex(i.ID) + ".json", RepoTags: refs}
	for _, l := range i.Layers {
		e.Layers = append(e.Layers, hex(l.Digest)+"/layer.tar")
	}
	manifest, err := json.Marshal([]Entry{e})
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	if err := i.add(tw, e.Config, i.Config); err != nil {
		return err
	}
	sent := map[string]bool{}
	for n, l := range i.Layers {
		if n < skip || sent[l.Digest] {
			continue
		}
		sent[l.Digest] = true
		if err := i.add(tw, e.Layers[n], l); err != nil {
			return err
		}
	}
	if err := addBytes(tw, "manifest.json", manifest); err != nil {
		return err
	}
	return tw.Close()
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

// WriteOCI writes the image as an OCI layout under one full name. Blobs in have
// are left out: containerd takes them from its own store.
func (i *Image) WriteOCI(w io.Writer, name string, have map[string]bool) error {
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
		return err
	}
	tw := tar.NewWriter(w)
	if err := addBytes(tw, "oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	sent := map[string]bool{}
	for _, b := range append([]Blob{i.Config}, i.Layers...) {
		if have[b.Digest] || sent[b.Digest] {
			continue
		}
		sent[b.Digest] = true
		if err := i.add(tw, ociPath(b.Digest), b); err != nil {
			return err
		}
	}
	if err := addBytes(tw, ociPath(target.Digest), manifest); err != nil {
		return err
	}
	if err := addBytes(tw, "index.json", index); err != nil {
		return err
	}
	return tw.Close()
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

func (i *Image) add(tw *tar.Writer, name string, b Blob) error {
	f, err := os.Open(i.store.file(b.Digest))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: b.Size, Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.Copy(tw, f)
	return err
}

func addBytes(tw *tar.Writer, name string, text []byte) error {
	if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err := tw.Write(text)
	return err
}
