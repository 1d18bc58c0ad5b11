package elf

import (
	"bytes"
	"debug/elf"
	"fmt"
	"regexp"
)

// Constant finds the first text among the constants of a program that matches
// a pattern as a whole, and gives it with the pattern's groups; nil when there
// is none.
func (f *File) Constant(pattern *regexp.Regexp) ([]string, error) {
	for _, s := range f.file.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_ALLOC == 0 || s.Flags&(elf.SHF_EXECINSTR|elf.SHF_WRITE) != 0 {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return nil, fmt.Errorf("damaged ELF file: %s: %w", s.Name, err)
		}
		for _, m := range pattern.FindAllSubmatchIndex(data, -1) {
			if (m[0] == 0 || data[m[0]-1] == 0) && m[1] < len(data) && data[m[1]] == 0 {
				return submatches(data, m), nil
			}
		}
	}
	return nil, nil
}

func submatches(data []byte, m []int) []string {
	var out []string
	for i := 0; i < len(m); i += 2 {
		if m[i] < 0 {
			out = append(out, "")
			continue
		}
		out = append(out, string(bytes.TrimSpace(data[m[i]:m[i+1]])))
	}
	return out
}
