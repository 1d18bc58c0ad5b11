package elf

import (
	"bytes"
	"debug/elf"
	"fmt"
	"regexp"
)

// Constant finds the first text among the constants of a program that begins
// with prefix and matches a pattern, and gives the pattern's groups; nil when
// there is none.
func (f *File) Constant(prefix string, pattern *regexp.Regexp) (found []string, err error) {
	err = f.constants(func(data []byte) bool {
		for at := 0; ; at += len(prefix) {
			n := bytes.Index(data[at:], []byte(prefix))
			if n < 0 {
				return false
			}
			at += n
			text, _, ended := bytes.Cut(data[at:], []byte{0})
			if !ended || at > 0 && data[at-1] != 0 {
				continue
			}
			if found = pattern.FindStringSubmatch(string(text)); found != nil {
				return true
			}
		}
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
