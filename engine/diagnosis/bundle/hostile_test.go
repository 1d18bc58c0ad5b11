package bundle

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// forge makes bundles that antdbctl would not.
type forge struct {
	t    testing.TB
	out  bytes.Buffer
	zstd *zstd.Encoder
}

func newForge(t testing.TB) *forge {
	enc, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	f := &forge{t: t, zstd: enc}
	f.skip([]byte(magic))
	return f
}

func (f *forge) skip(text []byte) {
	f.out.Write(binary.LittleEndian.AppendUint32(append([]byte{}, skippable...), uint32(len(text))))
	f.out.Write(text)
}

func (f *forge) frame(content []byte) { f.out.Write(f.zstd.EncodeAll(content, nil)) }

func (f *forge) header(h tar.Header) {
	var b bytes.Buffer
	require.NoError(f.t, tar.NewWriter(&b).WriteHeader(&h))
	f.frame(b.Bytes()[b.Len()-block:])
}

func (f *forge) member(name, text string) {
	f.header(tar.Header{Name: name, Size: int64(len(text)), Mode: 0o600, Typeflag: tar.TypeReg})
	if text != "" {
		f.frame(append([]byte(text), make([]byte, padding(int64(len(text))))...))
	}
}

func (f *forge) manifest(m manifest) {
	m.Bundle = version
	text, err := json.Marshal(m)
	require.NoError(f.t, err)
	f.member(manifestFile, string(text))
}

func (f *forge) end() []byte {
	f.frame(make([]byte, 2*block))
	return f.out.Bytes()
}

func opened(t testing.TB, text []byte) (*Bundle, error) {
	path := filepath.Join(t.TempDir(), "x.bundle")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	b, err := Open(path)
	if err == nil {
		t.Cleanup(func() { _ = b.Close() })
	}
	return b, err
}

func reasons(b *Bundle) string {
	var all []string
	for _, g := range b.Gaps() {
		all = append(all, g.String())
	}
	return strings.Join(all, "\n")
}

var oneLog = manifest{Logs: []logFile{{File: "logs/1.log", Kind: evidence.KernelLog, Name: "the kernel log", Bytes: 6}}}

func TestWhatIsNoBundleIsSaidPlainly(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "text": "hello, world, how are you?", "short": "\x50\x2a", "zstd": "\x28\xb5\x2f\xfd" + strings.Repeat("x", 100)} {
		_, err := opened(t, []byte(text))
		require.ErrorIs(t, err, ErrNoBundle, name)
	}
	_, err := Open(t.TempDir())
	require.ErrorIs(t, err, ErrNoBundle)
	_, err = Open(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	f := newForge(t)
	f.member(manifestFile, `{"bundle":99}`)
	_, err = opened(t, f.end())
	require.ErrorContains(t, err, "format 99")
	f = newForge(t)
	f.member(manifestFile, `{"bundle":`)
	_, err = opened(t, f.end())
	require.ErrorContains(t, err, "manifest")
	f = newForge(t)
	_, err = opened(t, f.end())
	require.ErrorContains(t, err, "damaged at its beginning")
}

func TestATruncatedBundleTellsWhatIsWhole(t *testing.T) {
	s := filled(t)
	path := filepath.Join(t.TempDir(), "site.bundle")
	_, err := s.Pack(path, Packing{})
	require.NoError(t, err)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	good := all(t, s.Dossier())
	some, full := 0, 0
	for cut := len(whole) - 1; cut > 0; cut -= max(1, len(whole)/150) {
		b, err := opened(t, whole[:cut])
		if err != nil {
			continue // the manifest itself is cut
		}
		got := all(t, b)
		lost := len(got.Logs) < len(good.Logs)
		for name, text := range got.Logs {
			require.True(t, strings.HasPrefix(good.Logs[name], text))
			lost = lost || text != good.Logs[name]
		}
		lost = lost || len(got.Facts) < len(good.Facts)
		if lost {
			some++
			require.Contains(t, reasons(b), "cut off", "at %d", cut)
		} else {
			full++
			require.Equal(t, good.Gaps, got.Gaps)
		}
	}
	require.Greater(t, some, 50)
	require.Positive(t, full)
}

func TestDamageIsFoundByItsChecksum(t *testing.T) {
	s := filled(t)
	path := filepath.Join(t.TempDir(), "site.bundle")
	_, err := s.Pack(path, Packing{})
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	b, err := Open(path)
	require.NoError(t, err)
	defer b.Close()
	last := b.members[b.manifest.Logs[3].File].frames[1]
	text[last.at+last.length-1] ^= 1 // in the checksum
	damaged, err := opened(t, text)
	require.NoError(t, err)
	n := 0
	for l := range damaged.Logs() {
		r, err := l.Open()
		require.NoError(t, err)
		if _, err = io.Copy(io.Discard, r); err != nil {
			require.ErrorContains(t, err, "damaged at byte")
			n++
		}
	}
	require.Equal(t, 1, n)
}

func TestWhatAntdbctlDoesNotPackIsLeftOut(t *testing.T) {
	for name, h := range map[string]tar.Header{
		"link":    {Name: "logs/1.log", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		"hard":    {Name: "logs/1.log", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"},
		"device":  {Name: "logs/1.log", Typeflag: tar.TypeBlock, Devmajor: 8},
		"folder":  {Name: "logs/1.log/", Typeflag: tar.TypeDir},
		"huge":    {Name: "logs/1.log", Typeflag: tar.TypeReg, Size: 1 << 60, Format: tar.FormatGNU},
		"too big": {Name: "logs/1.log", Typeflag: tar.TypeReg, Size: 8<<30 - 1},
	} {
		f := newForge(t)
		f.manifest(oneLog)
		f.member(factsFile, "")
		f.header(h)
		f.frame(make([]byte, 4*block))
		b, err := opened(t, f.end())
		require.NoError(t, err, name)
		for _, text := range all(t, b).Logs {
			require.LessOrEqual(t, len(text), 6*block, "only what is there: %s", name)
		}
		require.Contains(t, reasons(b), "the kernel log: ", name)
	}
}

func TestNamesAreNeverPaths(t *testing.T) {
	f := newForge(t)
	f.manifest(manifest{Logs: []logFile{
		{File: "../../../etc/passwd", Kind: evidence.KernelLog, Name: "a", Bytes: 4}, {File: "/etc/shadow", Kind: evidence.KernelLog, Name: "b"},
		{File: "/etc/shadow", Kind: evidence.KernelLog, Name: "twice"}, {File: "x", Kind: "unheard of", Name: "c"},
		{File: "y", Kind: evidence.KernelLog, Name: "d", Bytes: 3},
	}})
	f.member(factsFile, "")
	f.member("../../../etc/passwd", "mine")
	f.member("../../../etc/passwd", "second")
	f.member("y", "longer than that")
	f.member("../etc/other", "strange")
	f.member("x", "y")
	b, err := opened(t, f.end())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "mine", "d": "longer than that"}, all(t, b).Logs)
	got := reasons(b)
	require.Contains(t, got, "2 files that do not belong into it")
	require.Contains(t, got, "b: it is not in the bundle")
	require.Contains(t, got, "d: it has 16 bytes and should have 3")
}

func TestBombsAreNotBelieved(t *testing.T) {
	zeros := make([]byte, largestFrame)
	bomb := newForge(t).zstd.EncodeAll(zeros, nil)
	t.Run("too much in all", func(t *testing.T) {
		f := newForge(t)
		f.manifest(oneLog)
		f.member(factsFile, "")
		f.header(tar.Header{Name: "logs/1.log", Typeflag: tar.TypeReg, Size: 8<<30 - 1})
		for range 1023 {
			f.out.Write(bomb)
		}
		b, err := opened(t, f.out.Bytes())
		require.NoError(t, err)
		require.Contains(t, reasons(b), "not believed")
		require.LessOrEqual(t, b.members["logs/1.log"].whole, int64(expandsFreely))
	})
	t.Run("a frame that is too large", func(t *testing.T) {
		f := newForge(t)
		f.manifest(oneLog)
		f.header(tar.Header{Name: factsFile, Typeflag: tar.TypeReg, Size: largestFrame + block})
		f.frame(make([]byte, largestFrame+block))
		b, err := opened(t, f.end())
		require.NoError(t, err)
		require.Contains(t, reasons(b), "too large")
	})
	t.Run("a frame that lies about its size", func(t *testing.T) {
		f := newForge(t)
		f.manifest(oneLog)
		f.header(tar.Header{Name: "logs/1.log", Typeflag: tar.TypeReg, Size: block})
		lie := f.zstd.EncodeAll(make([]byte, 1<<20), nil)
		var h zstd.Header
		require.NoError(t, h.Decode(lie))
		// Four bytes of size behind the magic and the descriptor.
		at := h.HeaderSize - 4
		require.EqualValues(t, 1<<20, binary.LittleEndian.Uint32(lie[at:]))
		binary.LittleEndian.PutUint32(lie[at:], block)
		f.out.Write(lie)
		b, err := opened(t, f.end())
		require.NoError(t, err)
		for l := range b.Logs() {
			r, err := l.Open()
			require.NoError(t, err)
			n, err := io.Copy(io.Discard, r)
			require.Error(t, err)
			require.Zero(t, n)
		}
	})
	t.Run("many frames of nothing", func(t *testing.T) {
		f := newForge(t)
		f.manifest(oneLog)
		for range mostFrames {
			f.skip(nil)
		}
		b, err := opened(t, f.end())
		require.NoError(t, err)
		require.Contains(t, reasons(b), "more than")
	})
}

func TestGarbageAmongFactsIsSkippedAndSaid(t *testing.T) {
	f := newForge(t)
	f.manifest(manifest{Facts: 3})
	f.member(factsFile, `{"kind":"node.reach","name":"a","place":{},"data":{"reachable":true}}
garbage
{"kind":"of no kind","name":"b","place":{},"data":{}}
{"kind":"node.reach","name":"c","place":{},"data":[1]}
`+strings.Repeat("x", longestFact+10)+`
{"kind":"node.reach","name":"d","place":{},"data":{"reachable":1,"unknown":{}}}
{"kind":"node.reach","name":"e","place":{},"data":{"error":"no answer"}}`)
	b, err := opened(t, f.end())
	require.NoError(t, err)
	got := all(t, b)
	require.Len(t, got.Facts, 2)
	require.Equal(t, &evidence.Reach{Error: "no answer"}, got.Facts[1].Data)
	require.Contains(t, reasons(b), "of them cannot be read")
}

// FuzzOpen changes bytes of a bundle, also inside of what is compressed.
func FuzzOpen(f *testing.F) {
	made := newForge(f)
	made.manifest(oneLog)
	made.member(factsFile, `{"kind":"node.reach","name":"a","place":{},"data":{"reachable":true}}`)
	made.member("logs/1.log", "a log\n")
	good := made.end()
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(good[:100])
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := read(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			require.Nil(t, b)
			return
		}
		defer b.decoder.Close()
		for _, err := range b.Facts() {
			require.NoError(t, err)
		}
		for l := range b.Logs() {
			r, err := l.Open()
			require.NoError(t, err)
			_, _ = io.Copy(io.Discard, r)
		}
		_ = b.Gaps()
	})
}
