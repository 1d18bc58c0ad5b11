package store

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// otherKinds are files that are taken for archives of images now and then.
var otherKinds = []struct{ magic, is, remedy string }{
	{"PK\x03\x04", "a zip file", "unpack it, if it holds the archive"},
	{"BZh", "packed with bzip2", "unpack it (bunzip2), or pack it with gzip or zstd"},
	{"\xfd7zXZ\x00", "packed with xz", "unpack it (unxz), or pack it with gzip or zstd"},
	{"7z\xbc\xaf\x27\x1c", "a 7-Zip file", "unpack it, if it holds the archive"},
	{"\x7fELF", "a program", saveIt},
	{"hsqs", "a squashfs image", saveIt},
	{"\x1f\x8b", "packed twice", "unpack it once (gunzip)"},
	{"\x28\xb5\x2f\xfd", "packed twice", "unpack it once (unzstd)"},
}

// noTar says what a file is that is no tar, by its beginning.
func noTar(head []byte) error {
	if len(head) >= tarBlock && (string(head[257:262]) == "ustar" || head[0] > ' ' && oldTar(head)) {
		return nil
	}
	for _, k := range otherKinds {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return &Fault{Text: "this is no archive of an image: it is " + k.is, Remedy: k.remedy}
		}
	}
	what := "it is no tar"
	switch {
	case len(head) == 0:
		what = "nothing is packed in it"
	case len(bytes.Trim(head, "\x00")) == 0:
		what = "it begins with zeros"
	case !slices.ContainsFunc(head, func(c byte) bool { return c < ' ' && c != '\n' && c != '\r' && c != '\t' }):
		line, _, _ := strings.Cut(string(head), "\n")
		what = fmt.Sprintf("it is a text that begins with %.40q", line)
	}
	return &Fault{Text: "this is no archive of an image: " + what, Remedy: saveIt + "; if it was one, " + copyAgain}
}

// oldTar reports whether a block is the header of a tar before POSIX: its sum
// is in octal digits.
func oldTar(head []byte) bool {
	sum := bytes.Trim(head[148:156], " \x00")
	return len(sum) > 0 && len(bytes.Trim(sum, "01234567")) == 0
}
