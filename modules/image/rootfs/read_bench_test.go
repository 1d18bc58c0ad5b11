package rootfs

import (
	"archive/tar"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/modules/image/store"
)

// large is an image like the story's: 20 layers, 40,000 files, 700 MB.
func large(b *testing.B) *store.Image {
	b.Helper()
	const layers, files, total = 20, 40_000, 700 << 20
	random := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, 1<<20)
	var tars [][]byte
	for l := range layers {
		name := filepath.Join(b.TempDir(), "layer.tar")
		f, err := os.Create(name)
		require.NoError(b, err)
		tw := tar.NewWriter(f)
		for n := range files / layers {
			size := int64(random.ExpFloat64() * total / files)
			if n%50 == 0 {
				require.NoError(b, tw.WriteHeader(&tar.Header{Name: fmt.Sprintf("usr/lib/d%d-%d/", l, n/50), Typeflag: tar.TypeDir, Mode: 0o755}))
			}
			require.NoError(b, tw.WriteHeader(&tar.Header{Name: fmt.Sprintf("usr/lib/d%d-%d/file-%d.so", l, n/50, n), Typeflag: tar.TypeReg, Mode: 0o644, Size: size}))
			for ; size > 0; size -= int64(len(buf)) {
				part := buf[:min(size, int64(len(buf)))]
				for i := 0; i < len(part); i += 4096 {
					part[i] = byte(random.Int())
				}
				_, err := tw.Write(part)
				require.NoError(b, err)
			}
		}
		require.NoError(b, tw.Close())
		_, err = f.Seek(0, io.SeekStart)
		require.NoError(b, err)
		text, err := io.ReadAll(f)
		require.NoError(b, err)
		require.NoError(b, f.Close())
		tars = append(tars, text)
	}
	return imageOf(b, tars...)
}

func BenchmarkLook(b *testing.B) {
	img := large(b)
	b.Run("Read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := Read(b.Context(), img)
			require.NoError(b, err)
		}
		b.ReportMetric(float64(img.Size())/1e6, "MB-image")
	})
	tree, err := Read(b.Context(), img)
	require.NoError(b, err)
	b.Run("Waste", func(b *testing.B) {
		for b.Loop() {
			_, err := tree.Waste(b.Context(), nil)
			require.NoError(b, err)
		}
	})
	b.Run("All", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for range tree.All() {
				n++
			}
			require.Greater(b, n, 40_000)
		}
	})
}
