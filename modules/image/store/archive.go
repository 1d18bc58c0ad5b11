package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Ingest takes an image out of an archive as it streams in, packed or not. pick
// is as of ReadArchive.
func (s Store) Ingest(ctx context.Context, r io.Reader, pick string) (*Image, error) {
	in, err := s.receive()
	if err != nil {
		return nil, err
	}
	defer in.discard()
	plain, _, stop, err := unpacked(in.count(ctx, r))
	if err != nil {
		return nil, explain(err, "the archive", s.dir)
	}
	defer stop()
	a, err := in.openStream(ctx, plain)
	if err != nil {
		return nil, err
	}
	return in.image(ctx, a, pick)
}

// ReadArchive takes an image out of a file on this machine, or out of a folder
// that is an OCI layout. The file may be packed with gzip or zstd. pick is a
// name or the beginning of an ID, and is needed when there are several images.
// progress is told bytes of the file; the total is 0 for a folder. A file that
// was read before, and is the same, is not read again.
func (s Store) ReadArchive(ctx context.Context, file, pick string, progress func(done, total int64)) (*Image, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, notThere(file, err)
	}
	key := keyOf(file, pick, info)
	if img, ok := s.Noted(key); ok && key != "" {
		return img, nil
	}
	in, err := s.receive()
	if err != nil {
		return nil, err
	}
	defer in.discard()
	total := info.Size()
	if info.IsDir() {
		total = 0
	}
	in.progress = func(n int64) { progress(n, total) }
	img, err := in.readPath(ctx, file, info, pick)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	progress(max(total, in.read), max(total, in.read))
	if key != "" {
		s.Note(key, img)
	}
	return img, nil
}

func notThere(file string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Fault{Text: "there is no file " + file, Remedy: "write the whole path of the archive, or one from the folder of the runbook"}
	case errors.Is(err, fs.ErrPermission):
		return &Fault{Text: file + " may not be read", Remedy: "docker save run by root makes files of root: change its owner or its mode"}
	}
	return err
}

func (in *incoming) readPath(ctx context.Context, file string, info fs.FileInfo, pick string) (*Image, error) {
	switch {
	case info.IsDir():
		root, err := os.OpenRoot(file)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		return in.image(ctx, newFolder(in, root), pick)
	case !info.Mode().IsRegular():
		return nil, foreign("it is no file")
	case info.Size() == 0:
		return nil, &Fault{Text: "the file is empty", Remedy: copyAgain}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, notThere(file, err)
	}
	defer f.Close()
	head := make([]byte, tarBlock)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	a, err := in.openFile(ctx, f, head[:n])
	if err != nil {
		return nil, err
	}
	return in.image(ctx, a, pick)
}

const tarBlock = 512

// openFile reads a file by what it begins with; names of files lie.
func (in *incoming) openFile(ctx context.Context, f *os.File, head []byte) (files, error) {
	switch {
	case bytes.HasPrefix(head, gzipMagic), bytes.HasPrefix(head, zstdMagic):
		plain, _, stop, err := unpacked(in.count(ctx, f))
		if err != nil {
			return nil, explain(err, "the file", in.store.dir)
		}
		defer stop()
		return in.openStream(ctx, plain)
	}
	if err := noTar(head); err != nil {
		return nil, err
	}
	return openTar(in, f)
}

func (in *incoming) openStream(ctx context.Context, plain io.Reader) (files, error) {
	buf := bufio.NewReaderSize(plain, tarBlock)
	head, err := buf.Peek(tarBlock)
	if err != nil && err != io.EOF {
		return nil, explain(err, "the archive", in.store.dir)
	}
	if err := noTar(head); err != nil {
		return nil, err
	}
	return readStream(ctx, in, buf)
}

// image proves the image that is picked and lets its parts into the store.
func (in *incoming) image(ctx context.Context, a files, pick string) (*Image, error) {
	all, err := candidates(a)
	if err != nil {
		return nil, err
	}
	c, err := choose(all, pick)
	if err != nil {
		return nil, err
	}
	config, diffIDs, err := in.config(ctx, a, c)
	if err != nil {
		return nil, err
	}
	var parts []part
	for i, name := range c.layers {
		p, err := a.take(ctx, name, diffIDs[i])
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, &Fault{Text: fmt.Sprintf("the archive lacks layer %d of %d, %s", i+1, len(c.layers), name), Remedy: copyAgain}
		case err != nil:
			return nil, err
		case p.err != nil && !errors.Is(p.err, errOther):
			return nil, p.err
		case p.Digest != diffIDs[i]:
			return nil, wrongLayer(i, name, p.Digest, diffIDs)
		}
		parts = append(parts, p)
	}
	if err := in.enter(append(parts, config)...); err != nil {
		return nil, err
	}
	img, err := in.store.Lookup(config.Digest)
	if err == nil {
		img.Names = c.fullNames()
	}
	return img, err
}

func wrongLayer(i int, name, digest string, diffIDs []string) error {
	if n := slices.Index(diffIDs, digest); n >= 0 {
		return damaged("layers are swapped: %s stands in place %d and belongs in place %d", name, i+1, n+1)
	}
	return damaged("layer %d of %d, %s, has the digest %s, and the image wants %s", i+1, len(diffIDs), name, digest, diffIDs[i])
}

// config takes the configuration of an image and the digests of its layers.
func (in *incoming) config(ctx context.Context, a files, c candidate) (part, []string, error) {
	text, err := a.small(c.config)
	if errors.Is(err, fs.ErrNotExist) {
		return part{}, nil, &Fault{Text: "the archive lacks the configuration of the image, " + c.config, Remedy: copyAgain}
	}
	if err != nil {
		return part{}, nil, err
	}
	p, err := in.take(bytes.NewReader(text), c.config, wanted{})
	if err == nil {
		err = p.err
	}
	if err != nil {
		return part{}, nil, err
	}
	if c.id != "" && p.Digest != c.id {
		return part{}, nil, damaged("the configuration %s has the digest %s", c.config, p.Digest)
	}
	diffIDs, err := parseConfig(text)
	switch {
	case err != nil:
		return part{}, nil, damaged("the configuration %s is no JSON: %s", c.config, err)
	case len(diffIDs) == 0 && len(c.layers) > 0:
		return part{}, nil, foreign("this is no image but something else in an image's clothes: its configuration names no layers")
	case len(diffIDs) != len(c.layers):
		return part{}, nil, damaged("it lists %d layers, and the image has %d", len(c.layers), len(diffIDs))
	case len(diffIDs) > in.limits.layers:
		return part{}, nil, suspicious("the image has %d layers, and no engine takes more than %d", len(diffIDs), in.limits.layers)
	}
	for _, d := range diffIDs {
		if err := readable(d); err != nil {
			return part{}, nil, err
		}
	}
	return p, diffIDs, nil
}

// parseConfig gives the digests of the layers, from the base up.
func parseConfig(text []byte) ([]string, error) {
	var body struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	err := json.Unmarshal(text, &body)
	return body.RootFS.DiffIDs, err
}
