package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/modules/image/store"
)

// stored is an image of layers that need not be archives.
func stored(t *testing.T, layers ...[]byte) *store.Image {
	t.Helper()
	s, err := store.At(t.TempDir())
	require.NoError(t, err)
	var ids []string
	for _, l := range layers {
		b, err := s.Put(bytes.NewReader(l))
		require.NoError(t, err)
		ids = append(ids, b.Digest)
	}
	text, err := json.Marshal(map[string]any{"architecture": "amd64", "os": "linux",
		"rootfs": map[string]any{"type": "layers", "diff_ids": ids}})
	require.NoError(t, err)
	b, err := s.Put(bytes.NewReader(text))
	require.NoError(t, err)
	img, err := s.Lookup(b.Digest)
	require.NoError(t, err)
	return img
}

// tarball is a layer: an empty archive, told apart by what comes after its end.
func tarball(text string) []byte { return append(make([]byte, 1024), text...) }

func serve(t *testing.T, r *Registry) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, r *Registry, method, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	req.SetBasicAuth(User, r.Password().Reveal())
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(text)
}

func TestAPullFindsAllPartsByTagAndByDigest(t *testing.T) {
	one, two := stored(t, tarball("a"), tarball("b")), stored(t, tarball("c"))
	r := New(Image{"corp/antdb-ha", "4.1", one}, Image{"two", "latest", two})
	base := serve(t, r).URL + "/v2/"
	for path, want := range map[string]*store.Image{
		"corp/antdb-ha/manifests/4.1":                          one,
		"corp/antdb-ha/manifests/" + r.Digest("corp/antdb-ha"): one,
		"two/manifests/latest":                                 two,
	} {
		res, text := get(t, r, http.MethodGet, base+path)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, string(types.DockerManifestSchema2), res.Header.Get("Content-Type"))
		require.Equal(t, digest(text), res.Header.Get("Docker-Content-Digest"))
		head, none := get(t, r, http.MethodHead, base+path)
		require.Equal(t, int64(len(text)), head.ContentLength)
		require.Empty(t, none)

		m, err := v1.ParseManifest(strings.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, want.ID, m.Config.Digest.String())
		require.Len(t, m.Layers, len(want.Layers))
		repository, _, _ := strings.Cut(path, "/manifests/")
		for _, part := range append(m.Layers, m.Config) {
			_, blob := get(t, r, http.MethodGet, base+repository+"/blobs/"+part.Digest.String())
			require.Equal(t, part.Digest.String(), digest(blob))
			require.Equal(t, part.Size, int64(len(blob)))
		}
	}
	_, text := get(t, r, http.MethodGet, base+"corp/antdb-ha/tags/list")
	require.JSONEq(t, `{"name":"corp/antdb-ha","tags":["4.1"]}`, text)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func TestALayerIsReadWholeOrFromWhereAPullWasCut(t *testing.T) {
	layer := tarball("what the layer holds")
	img := stored(t, layer)
	r := New(Image{"a", "latest", img})
	var sent atomic.Int64
	r.Sent = func(n int) { sent.Add(int64(n)) }
	url := serve(t, r).URL + "/v2/a/blobs/" + img.Layers[0].Digest

	res, text := get(t, r, http.MethodHead, url)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, int64(len(layer)), res.ContentLength)
	require.Equal(t, img.Layers[0].Digest, res.Header.Get("Docker-Content-Digest"))
	require.Empty(t, text)
	require.Zero(t, sent.Load())

	res, text = get(t, r, http.MethodGet, url)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, string(layer), text)
	require.Equal(t, int64(len(layer)), sent.Load())

	res, text = get(t, r, http.MethodGet, url, "Range", "bytes=1030-")
	require.Equal(t, http.StatusPartialContent, res.StatusCode)
	require.Equal(t, string(layer[1030:]), text)
	require.Equal(t, fmt.Sprintf("bytes 1030-%d/%d", len(layer)-1, len(layer)), res.Header.Get("Content-Range"))

	res, _ = get(t, r, http.MethodGet, url, "Range", "bytes=99999-")
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, res.StatusCode)
}

func TestNobodyReadsWithoutThePassword(t *testing.T) {
	img := stored(t, tarball("secret"))
	r, other := New(Image{"a", "latest", img}), New(Image{"a", "latest", img})
	require.NotEqual(t, r.Password().Reveal(), other.Password().Reveal())
	require.GreaterOrEqual(t, len(r.Password().Reveal()), 32)
	base := serve(t, r).URL
	for _, path := range []string{"/v2/", "/v2/a/manifests/latest", "/v2/a/blobs/" + img.ID, "/v2/a/tags/list", "/"} {
		for _, password := range []string{"", "x", other.Password().Reveal()} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
			require.NoError(t, err)
			if password != "" {
				req.SetBasicAuth(User, password)
			}
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			text, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusUnauthorized, res.StatusCode)
			require.Contains(t, string(text), "UNAUTHORIZED")
			require.Contains(t, res.Header.Get("WWW-Authenticate"), "Basic")
		}
	}
	res, _ := get(t, r, http.MethodGet, base+"/v2/", "Authorization", r.Authorization().Reveal())
	require.Equal(t, http.StatusOK, res.StatusCode)
}

func TestWhatIsNotThereIsSaidInTheProtocolsWords(t *testing.T) {
	one, two := stored(t, tarball("a")), stored(t, tarball("b"))
	r := New(Image{"one", "latest", one}, Image{"two", "latest", two})
	base := serve(t, r).URL + "/v2/"
	for path, code := range map[string]string{
		"three/manifests/latest":              "NAME_UNKNOWN",
		"one/manifests/2":                     "MANIFEST_UNKNOWN",
		"one/manifests/" + r.Digest("two"):    "MANIFEST_UNKNOWN",
		"one/blobs/" + two.Layers[0].Digest:   "BLOB_UNKNOWN",
		"one/blobs/sha256:../../../etc/hosts": "NAME_UNKNOWN",
		"one/referrers/x":                     "UNSUPPORTED",
		"_catalog":                            "UNSUPPORTED",
	} {
		res, text := get(t, r, http.MethodGet, base+path)
		require.Equal(t, http.StatusNotFound, res.StatusCode, path)
		var body struct{ Errors []struct{ Code string } }
		require.NoError(t, json.Unmarshal([]byte(text), &body))
		require.Equal(t, code, body.Errors[0].Code, path)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		res, text := get(t, r, method, base+"one/blobs/uploads/")
		require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode)
		require.Contains(t, text, "UNSUPPORTED")
	}
}

func TestManyPullsTakeNoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a gigabyte")
	}
	layer := make([]byte, 128<<20)
	img := stored(t, layer)
	sum := sha256.Sum256(layer)
	layer = nil
	runtime.GC()
	r := New(Image{"a", "latest", img})
	server := serve(t, r)
	var peak atomic.Uint64
	stop := make(chan struct{})
	go func() {
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse))
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v2/a/blobs/"+img.Layers[0].Digest, nil)
			if err != nil {
				t.Error(err)
				return
			}
			req.SetBasicAuth(User, r.Password().Reveal())
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			got := sha256.New()
			if _, err := io.Copy(got, res.Body); err != nil {
				t.Error(err)
			}
			if hex.EncodeToString(got.Sum(nil)) != hex.EncodeToString(sum[:]) {
				t.Error("the layer came damaged")
			}
		})
	}
	wg.Wait()
	close(stop)
	require.Less(t, peak.Load(), uint64(48<<20))
}
