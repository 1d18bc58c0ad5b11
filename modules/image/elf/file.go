// Package elf reads of a program or library what decides whether it can be
// loaded: what it is built for, which libraries, versions and symbols it wants
// and has, and what PostgreSQL's loader checks in an extension. Nothing is run.
package elf

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// File is what the dynamic loader reads of an ELF file.
type File struct {
	Arch    string // in Go's words, such as amd64
	Kind    string // "program", "library", "object" or "core"
	Interp  string // the loader that a dynamic program names
	Soname  string
	Needed  []string
	RPath   []string // searched for its libraries and theirs, unless RunPath is set
	RunPath []string // searched for its own libraries alone
	Wants   []Version
	Defines []string // names of the versions it defines

	file *elf.File
	imp  []Symbol
	exp  map[string]bool
}

// Version is a version of symbols that a library must define.
type Version struct {
	Library string // its soname, such as libc.so.6
	Name    string // such as GLIBC_2.34
	Weak    bool   // loading goes on without it
}

// Symbol is one that a file wants from others.
type Symbol struct {
	Name    string
	Version string // empty when any will do
	Library string // that defines Version
	Weak    bool   // may stay undefined
}

// ErrNotELF is in the error of Read for a file of another format.
var ErrNotELF = errors.New("no ELF file")

const magic = elf.ELFMAG // how ELF files begin

// IsELF reports whether a file is of this format at all.
func IsELF(r io.ReaderAt) bool {
	head := make([]byte, len(magic))
	_, err := r.ReadAt(head, 0)
	return err == nil && string(head) == magic
}

// Read reads a file. Its content must stay readable as long as Magic and
// Strings are asked for.
func Read(r io.ReaderAt) (*File, error) {
	if !IsELF(r) {
		return nil, ErrNotELF
	}
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("damaged ELF file: %w", err)
	}
	out := &File{Arch: arch(f), Kind: kind(f), file: f}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < 4096 {
			name, err := io.ReadAll(p.Open())
			if err != nil {
				return nil, fmt.Errorf("damaged ELF file: the loader's name: %w", err)
			}
			out.Interp = strings.TrimRight(string(name), "\x00")
		}
	}
	if out.Interp != "" {
		out.Kind = "program" // position-independent ones look like libraries
	}
	if f.SectionByType(elf.SHT_DYNAMIC) == nil {
		return out, nil // linked statically
	}
	if err := out.dynamic(); err != nil {
		return nil, fmt.Errorf("damaged ELF file: %w", err)
	}
	return out, nil
}

// dynamic reads what the section .dynamic leads to.
func (f *File) dynamic() error {
	var soname []string
	for _, entry := range []struct {
		tag  elf.DynTag
		into *[]string
	}{{elf.DT_NEEDED, &f.Needed}, {elf.DT_RPATH, &f.RPath}, {elf.DT_RUNPATH, &f.RunPath}, {elf.DT_SONAME, &soname}} {
		list, err := f.file.DynString(entry.tag)
		if err != nil {
			return fmt.Errorf("%s: %w", entry.tag, err)
		}
		*entry.into = list
	}
	f.RPath, f.RunPath = paths(f.RPath), paths(f.RunPath)
	if f.RunPath != nil {
		f.RPath = nil
	}
	if len(soname) > 0 {
		f.Soname = soname[0]
	}
	return f.versions()
}

func (f *File) versions() error {
	if f.file.SectionByType(elf.SHT_GNU_VERSYM) == nil {
		return nil
	}
	needs, err := f.file.DynamicVersionNeeds()
	if err != nil {
		return fmt.Errorf("versions wanted: %w", err)
	}
	for _, n := range needs {
		for _, v := range n.Needs {
			f.Wants = append(f.Wants, Version{n.Name, v.Dep, v.Flags&elf.VER_FLG_WEAK != 0})
		}
	}
	defs, err := f.file.DynamicVersions()
	if err != nil {
		return fmt.Errorf("versions defined: %w", err)
	}
	for _, d := range defs {
		if d.Flags&elf.VER_FLG_BASE == 0 {
			f.Defines = append(f.Defines, d.Name)
		}
	}
	return nil
}

// Imports are the symbols that others must define.
func (f *File) Imports() ([]Symbol, error) {
	return f.imp, f.symbols()
}

// Exports reports whether the file defines a symbol for others.
func (f *File) Exports(name string) (bool, error) {
	err := f.symbols()
	return f.exp[name], err
}

// symbols reads the table of symbols, once.
func (f *File) symbols() error {
	if f.exp != nil {
		return nil
	}
	f.exp = map[string]bool{}
	list, err := f.file.DynamicSymbols()
	if errors.Is(err, elf.ErrNoSymbols) {
		return nil
	}
	if err != nil {
		f.exp = nil
		return fmt.Errorf("damaged ELF file: symbols: %w", err)
	}
	for _, s := range list {
		bind := elf.ST_BIND(s.Info)
		switch {
		case bind == elf.STB_LOCAL || s.Name == "":
		case s.Section == elf.SHN_UNDEF:
			f.imp = append(f.imp, Symbol{s.Name, s.Version, s.Library, bind == elf.STB_WEAK})
		default:
			f.exp[s.Name] = true
		}
	}
	return nil
}

// paths takes lists joined by colons apart.
func paths(lists []string) []string {
	var out []string
	for _, list := range lists {
		out = append(out, strings.FieldsFunc(list, func(r rune) bool { return r == ':' })...)
	}
	return out
}

// arch is the machine in the words of Go and of container images.
func arch(f *elf.File) string {
	little := f.Data == elf.ELFDATA2LSB
	switch {
	case f.Machine == elf.EM_X86_64:
		return "amd64"
	case f.Machine == elf.EM_386:
		return "386"
	case f.Machine == elf.EM_AARCH64 && little:
		return "arm64"
	case f.Machine == elf.EM_ARM && little:
		return "arm"
	case f.Machine == elf.EM_PPC64 && little:
		return "ppc64le"
	case f.Machine == elf.EM_S390:
		return "s390x"
	case f.Machine == elf.EM_RISCV && f.Class == elf.ELFCLASS64:
		return "riscv64"
	case f.Machine == elf.EM_LOONGARCH && f.Class == elf.ELFCLASS64:
		return "loong64"
	case f.Machine == elf.EM_MIPS && f.Class == elf.ELFCLASS64 && little:
		return "mips64le"
	}
	return strings.ToLower(strings.TrimPrefix(f.Machine.String(), "EM_"))
}

func kind(f *elf.File) string {
	switch f.Type {
	case elf.ET_EXEC:
		return "program"
	case elf.ET_DYN:
		return "library"
	case elf.ET_CORE:
		return "core"
	}
	return "object"
}

// Wanted is the highest version of a family that a file wants, such as "2.34"
// of GLIBC; empty when it wants none.
func (f *File) Wanted(family string) string {
	high := ""
	for _, v := range f.Wants {
		if number, ok := strings.CutPrefix(v.Name, family+"_"); ok && Compare(number, high) > 0 {
			high = number
		}
	}
	return high
}

// Highest is the highest version of a family that a file defines.
func (f *File) Highest(family string) string {
	high := ""
	for _, name := range f.Defines {
		if number, ok := strings.CutPrefix(name, family+"_"); ok && Compare(number, high) > 0 {
			high = number
		}
	}
	return high
}

// Compare orders versions of numbers and dots; what is none comes first.
func Compare(a, b string) int { return slices.Compare(numbers(a), numbers(b)) }

func numbers(version string) []int {
	var out []int
	for _, part := range strings.Split(version, ".") {
		n := 0
		if part == "" {
			return nil
		}
		for _, r := range part {
			if r < '0' || r > '9' || n > 1<<20 {
				return nil
			}
			n = n*10 + int(r-'0')
		}
		out = append(out, n)
	}
	return out
}
