package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Verify reads every part of the image again. Those whose bytes have changed
// since they were stored are dropped, so that the next save brings them anew,
// and the first of them is the error.
func (i *Image) Verify() error {
	var first error
	for _, b := range append([]Blob{i.Config}, i.Layers...) {
		digest, err := i.hash(b)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = i.broken(b, "has gone")
		case err != nil:
			return err
		case digest == b.Digest:
			continue
		default:
			err = i.broken(b, "is not what was stored there")
			if rm := os.Remove(i.store.file(b.Digest)); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
				return rm
			}
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func (i *Image) broken(b Blob, how string) error {
	return &Fault{Text: fmt.Sprintf("part %s in %s %s", digest12(b.Digest), i.store.dir, how), Remedy: "check that disk; the image is saved again"}
}

func (i *Image) hash(b Blob) (string, error) {
	f, err := i.Open(b)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return digestOf(sum.Sum(nil)), nil
}
