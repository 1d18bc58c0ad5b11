package preflight

import (
	"encoding/binary"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
)

// operatorLocale is what the operator's images run in.
const operatorLocale = "en_US.utf-8"

// B6.5: the locale of the environment is in the image.
func (s *subject) locale(f *finding) {
	want, source := s.wantedLocale()
	if plain := normal(want); plain == "C" || plain == "POSIX" {
		f.notef("%s is built in (%s)", want, source)
		return
	}
	archived, err := s.archivedLocales()
	if err != nil {
		f.warnf("Make it again: localedef -i en_US -f UTF-8 en_US.UTF-8", "/usr/lib/locale/locale-archive cannot be read: %s", err)
	}
	dir := path.Join("/usr/lib/locale", normal(want))
	_, found := s.tree.Stat(path.Join(dir, "LC_CTYPE"))
	switch {
	case found:
		f.notef("%s is in %s (%s)", want, dir, source)
	case slices.ContainsFunc(archived, func(name string) bool { return normal(name) == normal(want) }):
		f.notef("%s is in /usr/lib/locale/locale-archive (%s)", want, source)
	default:
		language, codeset, _ := strings.Cut(want, ".")
		f.failf("RUN localedef -i "+language+" -f "+strings.ToUpper(codeset)+" "+language+"."+strings.ToUpper(codeset)+" (or install the language pack).",
			"the image has no locale %s (%s): initdb stops with \"invalid locale name\"", want, source)
		switch all := append(s.localeDirs(), archived...); {
		case len(all) > 0:
			f.notef("it has %s", strings.Join(all[:min(len(all), 8)], ", "))
		default:
			f.notef("it has none at all")
		}
		f.absent("/usr/lib/locale/locale-archive", "/usr/lib/locale")
	}
}

func (s *subject) wantedLocale() (name, source string) {
	if s.want.Locale != "" {
		return s.want.Locale, "asked for"
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if s.env[name] != "" {
			return s.env[name], "the environment's " + name
		}
	}
	return operatorLocale, "the operator's; the environment has none"
}

// normal is a locale's name as glibc compares it: en_US.UTF-8 and en_US.utf-8
// are en_US.utf8.
func normal(name string) string {
	name, modifier, _ := strings.Cut(name, "@")
	language, codeset, ok := strings.Cut(name, ".")
	if ok {
		codeset = "." + strings.Map(func(r rune) rune {
			switch {
			case r >= 'A' && r <= 'Z':
				return r + 'a' - 'A'
			case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
				return r
			}
			return -1
		}, codeset)
	}
	if modifier != "" {
		modifier = "@" + modifier
	}
	return language + codeset + modifier
}

func (s *subject) localeDirs() []string {
	var names []string
	for _, e := range s.tree.Dir("/usr/lib/locale") {
		if e.IsDir() {
			names = append(names, path.Base(e.Path))
		}
	}
	return names
}

func (s *subject) archivedLocales() ([]string, error) {
	if _, ok := s.tree.Stat("/usr/lib/locale/locale-archive"); !ok {
		return nil, nil
	}
	r, _, err := s.files.Open("/usr/lib/locale/locale-archive")
	if err != nil {
		return nil, err
	}
	return parseLocaleArchive(r)
}

// localeMagic begins a glibc locale-archive.
const localeMagic = 0xde020109

var errLocaleArchive = errors.New("it is no locale-archive of glibc")

// parseLocaleArchive lists the locales in a locale-archive of glibc: a header,
// a table of hashes that point to names, and the names.
func parseLocaleArchive(r io.ReaderAt) ([]string, error) {
	head := make([]byte, 32)
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil, errLocaleArchive
	}
	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint32(head) != localeMagic {
		if order = binary.BigEndian; order.Uint32(head) != localeMagic {
			return nil, errLocaleArchive
		}
	}
	start, count := int64(order.Uint32(head[8:])), int64(order.Uint32(head[16:]))
	if count > 1<<16 {
		return nil, errLocaleArchive
	}
	table := make([]byte, 12*count)
	if _, err := r.ReadAt(table, start); err != nil && count > 0 {
		return nil, errLocaleArchive
	}
	var names []string
	for i := range count {
		entry := table[12*i:]
		if at, record := order.Uint32(entry[4:]), order.Uint32(entry[8:]); record != 0 {
			name := make([]byte, 64)
			n, _ := r.ReadAt(name, int64(at)) // the last name may end with the file
			text, _, _ := strings.Cut(string(name[:n]), "\x00")
			names = append(names, text)
		}
	}
	slices.Sort(names)
	return names, nil
}
