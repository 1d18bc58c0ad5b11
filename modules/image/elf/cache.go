package elf

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// cacheMagic begins the part of /etc/ld.so.cache that glibc reads since 2.2.
// Up to 2.31 an older table, which begins "ld.so-1.7.0", stands before it.
var cacheMagic = []byte("glibc-ld.so.cache1.1")

// errCache is about a cache in no known format.
var errCache = errors.New("/etc/ld.so.cache is in no known format")

// parseCache reads ld.so's cache: for each library the files that ldconfig
// found, the preferred first.
func parseCache(data []byte) (map[string][]string, error) {
	start := bytes.Index(data, cacheMagic)
	if start < 0 {
		return nil, errCache
	}
	data = data[start:] // offsets count from here
	const header, entry = 48, 24
	if len(data) < header {
		return nil, errCache
	}
	var order binary.ByteOrder = binary.LittleEndian
	if data[28]&3 == 3 { // byte order of the cache, where it says so
		order = binary.BigEndian
	}
	count := int(order.Uint32(data[20:]))
	if count < 0 || count > (len(data)-header)/entry {
		return nil, errCache
	}
	libs := map[string][]string{}
	for i := range count {
		at := data[header+i*entry:]
		key, value := text(data, order.Uint32(at[4:])), text(data, order.Uint32(at[8:]))
		if key == "" || value == "" {
			return nil, errCache
		}
		libs[key] = append(libs[key], value)
	}
	return libs, nil
}

// text is the string at an offset, up to its zero byte.
func text(data []byte, offset uint32) string {
	if int64(offset) >= int64(len(data)) {
		return ""
	}
	s, _, ok := bytes.Cut(data[offset:], []byte{0})
	if !ok {
		return ""
	}
	return string(s)
}
