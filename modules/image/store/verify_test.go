package store

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPartsThatChangedAreDropped(t *testing.T) {
	s, err := At(t.TempDir())
	require.NoError(t, err)
	m := make1("corp/app:1", "the base", "the top")
	archive := tarOf(classic(m)...)
	img, err := s.Ingest(t.Context(), bytes.NewReader(archive), "")
	require.NoError(t, err)
	require.NoError(t, img.Verify())

	require.NoError(t, os.WriteFile(s.file(img.Layers[1].Digest), []byte("something else"), 0o600))
	err = img.Verify()
	require.ErrorContains(t, err, "is not what was stored there")
	require.ErrorContains(t, err, digest12(img.Layers[1].Digest))
	require.NoFileExists(t, s.file(img.Layers[1].Digest))
	require.FileExists(t, s.file(img.Layers[0].Digest))
	require.ErrorContains(t, img.Verify(), "has gone")

	img, err = s.Ingest(t.Context(), bytes.NewReader(archive), "")
	require.NoError(t, err)
	require.NoError(t, img.Verify())
}
