package store

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzReadArchive: whatever the bytes are, an archive in a file and the same
// one streamed give the same image or both none, every part in the store is
// what its name says, and an archive that is refused leaves no part behind.
func FuzzReadArchive(f *testing.F) {
	small := make1("f:1", "x", "y")
	for _, files := range [][]file{classic(small), modern(plain, small), modern(gzipOf, small), layoutOf(zstdOf, small), dotted(classic(small)), classic(small, make1("g:1", "x"))} {
		archive := tarOf(files...)
		f.Add(archive)
		f.Add(gzipOf(archive))
		f.Add(zstdOf(archive))
		f.Add(archive[:len(archive)/2])
	}
	f.Add(sparse())
	f.Add([]byte("FROM scratch\n"))
	f.Fuzz(func(t *testing.T, archive []byte) {
		s, streamed := tight(fresh(t)), tight(fresh(t))
		img, err := read(t, s, archive, "")
		whole(t, s, img, err)
		again, streamErr := streamed.Ingest(t.Context(), bytes.NewReader(archive), "")
		whole(t, streamed, again, streamErr)
		if bytes.HasPrefix(archive, gzipMagic) || bytes.HasPrefix(archive, zstdMagic) || err != nil && streamErr != nil {
			return
		}
		// a stream is read whole, so only that one meets faults of what nobody needs
		if f := (*Fault)(nil); streamErr != nil && errors.As(streamErr, &f) {
			return
		}
		require.NoError(t, streamErr)
		require.NoError(t, err)
		require.Equal(t, img.ID, again.ID)
	})
}

func whole(t *testing.T, s Store, img *Image, err error) {
	entries, readErr := os.ReadDir(s.path("blobs"))
	require.NoError(t, readErr)
	if err != nil {
		require.Nil(t, img)
		require.Empty(t, entries)
	}
	for _, e := range entries {
		text, err := os.ReadFile(s.path("blobs", e.Name()))
		require.NoError(t, err)
		require.Equal(t, e.Name(), hexOf(text))
	}
	if img != nil {
		_, err := s.Lookup(img.ID)
		require.NoError(t, err)
	}
}
