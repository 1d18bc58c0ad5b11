package lint

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// The kinds of file that the rules tell apart, by their first bytes.
const (
	kindGzip  = "gzip"
	kindBzip2 = "bzip2"
	kindXz    = "xz"
	kindZstd  = "zstd"
	kindZip   = "zip"
	kindTar   = "plain tar"
	kindHTML  = "a web page"
	kindLFS   = "a Git LFS pointer"
	kindEmpty = "empty"
	kindText  = "text"
	kindOther = "unknown"
)

// suffixes say what a name promises.
var suffixes = []struct{ suffix, kind string }{
	{".tar.gz", kindGzip}, {".tgz", kindGzip}, {".gz", kindGzip}, {".tar.bz2", kindBzip2}, {".tbz2", kindBzip2}, {".tar.xz", kindXz},
	{".txz", kindXz}, {".tar.zst", kindZstd}, {".zip", kindZip}, {".tar", kindTar},
}

// promised is the kind that a name promises; empty for none.
func promised(name string) string {
	for _, s := range suffixes {
		if strings.HasSuffix(strings.ToLower(name), s.suffix) {
			return s.kind
		}
	}
	return ""
}

// holdsTar reports whether a name promises a tar archive, packed or not.
func holdsTar(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, ".tar") || strings.HasSuffix(name, ".tgz") || strings.HasSuffix(name, ".tbz2") || strings.HasSuffix(name, ".txz")
}

// sniff tells the kind of a file by what it begins with.
func sniff(name string) (kind string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	return kindOf(head[:n]), nil
}

func kindOf(head []byte) string {
	for _, magic := range []struct{ bytes, kind string }{
		{"\x1f\x8b", kindGzip}, {"BZh", kindBzip2}, {"\xfd7zXZ\x00", kindXz}, {"\x28\xb5\x2f\xfd", kindZstd}, {"PK\x03\x04", kindZip}, {"PK\x05\x06", kindZip},
		{"version https://git-lfs", kindLFS},
	} {
		if bytes.HasPrefix(head, []byte(magic.bytes)) {
			return magic.kind
		}
	}
	start := strings.ToLower(strings.TrimLeft(string(head), "\ufeff \t\r\n"))
	switch {
	case len(head) == 0:
		return kindEmpty
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return kindTar
	case strings.HasPrefix(start, "<!doctype html"), strings.HasPrefix(start, "<html"), strings.HasPrefix(start, "<?xml"):
		return kindHTML
	case strings.IndexFunc(start, func(r rune) bool { return r == '\ufffd' || r < ' ' && !strings.ContainsRune("\t\r\n\x1b", r) }) < 0:
		return kindText
	}
	return kindOther
}

// broken reads a gzip file to its end and says what is wrong with it; empty for
// nothing. tar asks that a tar archive be in it.
func broken(name string, tar bool) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<18))
	if err != nil {
		return "is cut off: it ends in its header"
	}
	var head beginning
	_, err = io.Copy(&head, z)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "is cut off: its end is missing"
	}
	if err != nil {
		return "is damaged: " + err.Error()
	}
	inner := kindOf(head)
	if tar && inner == kindGzip {
		return "is packed twice: there is another gzip file in it"
	}
	if tar && (inner == kindHTML || inner == kindText || inner == kindEmpty) {
		return "holds no tar archive but " + inner
	}
	return ""
}

// beginning keeps the first bytes of what is written to it.
type beginning []byte

func (b *beginning) Write(p []byte) (int, error) {
	if n := 512 - len(*b); n > 0 {
		*b = append(*b, p[:min(n, len(p))]...)
	}
	return len(p), nil
}
