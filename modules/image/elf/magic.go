package elf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Magic is what a PostgreSQL server compares before it loads an extension: the
// Pg_magic_struct of its fmgr.h. An extension is taken when all of it equals
// the server's own.
type Magic struct {
	Length       int // of the struct, in bytes
	Version      int // major × 100 since PostgreSQL 10: 1100
	FuncMaxArgs  int
	IndexMaxKeys int
	NameDataLen  int
	Float4ByVal  int // up to PostgreSQL 12, else -1
	Float8ByVal  int
	ABI          string // since PostgreSQL 15; "PostgreSQL" for the unaltered server
}

// Major is the server's major version as people say it: "11", "9.6".
func (m Magic) Major() string {
	if m.Version >= 1000 {
		return fmt.Sprint(m.Version / 100)
	}
	return fmt.Sprintf("%d.%d", m.Version/100, m.Version%100)
}

// Errors of Magic.
var (
	ErrNoMagic      = errors.New("no PG_MODULE_MAGIC: the file is no extension of PostgreSQL")
	ErrMagicUnknown = errors.New("PG_MODULE_MAGIC is not where it could be read")
)

// magicLengths are the lengths that the struct ever had, by the first version:
// five numbers and float4byval, without it, with abi_extra, with name and version.
var magicLengths = []struct{ from, length int }{{1800, 72}, {1500, 56}, {1300, 24}, {802, 28}}

// Magic reads the block of an extension. The function Pg_magic_func, which the
// server would call, does nothing but give the block's address.
func (f *File) Magic() (Magic, error) {
	list, err := f.file.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return Magic{}, fmt.Errorf("damaged ELF file: symbols: %w", err)
	}
	i := slices.IndexFunc(list, func(s elf.Symbol) bool { return s.Name == "Pg_magic_func" && s.Section != elf.SHN_UNDEF })
	if i < 0 {
		return Magic{}, ErrNoMagic
	}
	if addr, ok := f.returned(list[i].Value); ok {
		if data := f.at(addr, 72); data != nil {
			if m, ok := parseMagic(data, f.file.ByteOrder); ok {
				return m, nil
			}
		}
	}
	return f.scan()
}

// ServerMagic reads the block that a server program compares with.
func (f *File) ServerMagic() (Magic, error) { return f.scan() }

// scan looks for the one block among the constants.
func (f *File) scan() (Magic, error) {
	var found []Magic
	for _, s := range f.file.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_ALLOC == 0 || s.Flags&elf.SHF_EXECINSTR != 0 {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return Magic{}, fmt.Errorf("damaged ELF file: %s: %w", s.Name, err)
		}
		for at := 0; at+24 <= len(data); at += 4 {
			if m, ok := parseMagic(data[at:], f.file.ByteOrder); ok && !slices.Contains(found, m) {
				found = append(found, m)
			}
		}
	}
	if len(found) != 1 {
		return Magic{}, ErrMagicUnknown
	}
	return found[0], nil
}

// parseMagic takes bytes for the block if they can be one.
func parseMagic(data []byte, order binary.ByteOrder) (Magic, bool) {
	if len(data) < 24 {
		return Magic{}, false
	}
	word := func(i int) int { return int(int32(order.Uint32(data[4*i:]))) }
	m := Magic{Length: word(0), Version: word(1), FuncMaxArgs: word(2), IndexMaxKeys: word(3), NameDataLen: word(4), Float4ByVal: -1}
	if m.Version < 802 || m.Version >= 10000 || len(data) < m.Length || m.Length != magicLength(m.Version) {
		return Magic{}, false
	}
	next := 5
	if m.Version < 1300 {
		m.Float4ByVal, next = word(5), 6
	}
	m.Float8ByVal = word(next)
	if m.Version >= 1500 {
		m.ABI = string(bytes.TrimRight(data[4*next+4:4*next+36], "\x00"))
	}
	plausible := m.FuncMaxArgs >= 8 && m.FuncMaxArgs <= 10000 && m.IndexMaxKeys >= 8 && m.IndexMaxKeys <= 10000 &&
		m.NameDataLen >= 32 && m.NameDataLen <= 65536 && (m.Float8ByVal == 0 || m.Float8ByVal == 1) && m.Float4ByVal <= 1
	return m, plausible
}

func magicLength(version int) int {
	for _, l := range magicLengths {
		if version >= l.from {
			return l.length
		}
	}
	return 0
}

// returned is the address that a function of one thought returns: what
// compilers make of `return &constant`.
func (f *File) returned(addr uint64) (uint64, bool) {
	code := f.at(addr, 32)
	switch {
	case code == nil:
	case f.file.Machine == elf.EM_X86_64:
		return returnedX86(code, addr)
	case f.file.Machine == elf.EM_AARCH64:
		return returnedARM(code, addr)
	}
	return 0, false
}

// returnedX86 finds `lea disp(%rip),%rax` after what marks and frames a
// function.
func returnedX86(code []byte, addr uint64) (uint64, bool) {
	lea := bytes.Index(code, []byte{0x48, 0x8d, 0x05})
	if lea < 0 || lea > 12 || lea+7 > len(code) {
		return 0, false
	}
	disp := int64(int32(binary.LittleEndian.Uint32(code[lea+3:])))
	return uint64(int64(addr) + int64(lea) + 7 + disp), true
}

// returnedARM finds `adrp x0, page` and `add x0, x0, #offset`.
func returnedARM(code []byte, addr uint64) (uint64, bool) {
	for i := 0; i+8 <= len(code) && i <= 12; i += 4 {
		adrp, add := binary.LittleEndian.Uint32(code[i:]), binary.LittleEndian.Uint32(code[i+4:])
		if adrp&0x9f00001f != 0x90000000 || add&0xff8003ff != 0x91000000 {
			continue
		}
		pages := int64(adrp>>29&3) | int64(int32(adrp<<8)>>13)<<2
		page := int64((addr+uint64(i))&^0xfff) + pages<<12
		offset := int64(add >> 10 & 0xfff)
		return uint64(page + offset), true
	}
	return 0, false
}

// at reads up to n bytes from an address of the loaded file.
func (f *File) at(addr uint64, n int) []byte {
	for _, p := range f.file.Progs {
		if p.Type != elf.PT_LOAD || addr < p.Vaddr || addr >= p.Vaddr+p.Filesz {
			continue
		}
		data := make([]byte, min(uint64(n), p.Vaddr+p.Filesz-addr))
		if _, err := p.ReadAt(data, int64(addr-p.Vaddr)); err != nil && !errors.Is(err, io.EOF) {
			return nil
		}
		return data
	}
	return nil
}
