package elf

import (
	"bytes"
	"debug/elf"
	"fmt"
	"regexp"
	"slices"
)

// Constant finds the first text among the constants of a program that begins
// with prefix and matches a pattern, and gives the pattern's groups; nil when
// there is none.
func (f *File) Constant(prefix string, pattern *regexp.Regexp) (found []string, err error) {
	err = f.texts(prefix, func(text string) bool {
		found = pattern.FindStringSubmatch(text)
		return found != nil
	})
	return found, err
}

// texts hands over the constants that begin with prefix, until look is content.
func (f *File) texts(prefix string, look func(text string) (done bool)) error {
	return f.constants(func(data []byte) bool {
		for at := 0; ; at += len(prefix) {
			n := bytes.Index(data[at:], []byte(prefix))
			if n < 0 {
				return false
			}
			at += n
			text, _, ended := bytes.Cut(data[at:min(len(data), at+longest)], []byte{0})
			if ended && (at == 0 || data[at-1] == 0) && look(string(text)) {
				return true
			}
		}
	})
}

// longest is where a text ends to be one that is looked for.
const longest = 8192

// Constants finds all texts among the constants that begin with prefix and match
// a pattern, each once.
func (f *File) Constants(prefix string, pattern *regexp.Regexp) (found []string, err error) {
	err = f.texts(prefix, func(text string) bool {
		if pattern.MatchString(text) && !slices.Contains(found, text) {
			found = append(found, text)
		}
		return false
	})
	return found, err
}

// Holds reports whether a text is among the constants of a program, alone or
// within another.
func (f *File) Holds(text string) (found bool, err error) {
	err = f.constants(func(data []byte) bool {
		found = bytes.Contains(data, []byte(text))
		return found
	})
	return found, err
}

// constants hands over the sections that hold them, until look is content.
func (f *File) constants(look func(data []byte) (done bool)) error {
	for _, s := range f.file.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_ALLOC == 0 || s.Flags&(elf.SHF_EXECINSTR|elf.SHF_WRITE) != 0 {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return fmt.Errorf("damaged ELF file: %s: %w", s.Name, err)
		}
		if look(data) {
			return nil
		}
	}
	return nil
}
