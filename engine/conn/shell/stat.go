package shell

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
)

// parseStat reads what file_stat prints: seven fields of stat(1), or where
// there is none, a line of ls -ld, which has no exact time.
func parseStat(out string) (conn.FileInfo, error) {
	f := strings.Fields(out)
	if len(f) == 7 && !strings.ContainsAny(f[0], "-dlbcps") {
		return parseNumbers(f)
	}
	if len(f) < 5 || len(f[0]) < 10 {
		return conn.FileInfo{}, fmt.Errorf("cannot read %q", strings.TrimSpace(out))
	}
	info := conn.FileInfo{Mode: parseLetters(f[0]), Owner: f[2], Group: f[3]}
	if info.Mode&fs.ModeDevice == 0 {
		size, err := strconv.ParseInt(f[4], 10, 64)
		if err != nil {
			return conn.FileInfo{}, fmt.Errorf("size: %w", err)
		}
		info.Size = size
	}
	return info, nil
}

func parseNumbers(f []string) (conn.FileInfo, error) {
	size, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return conn.FileInfo{}, fmt.Errorf("size: %w", err)
	}
	mode, err := strconv.ParseUint(f[1], 16, 32)
	if err != nil {
		return conn.FileInfo{}, fmt.Errorf("mode: %w", err)
	}
	seconds, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return conn.FileInfo{}, fmt.Errorf("time: %w", err)
	}
	info := conn.FileInfo{Size: size, Mode: Mode(uint32(mode)), ModTime: time.Unix(seconds, 0), Owner: f[5], Group: f[6]}
	if info.Owner == "UNKNOWN" {
		info.Owner = f[3]
	}
	if info.Group == "UNKNOWN" {
		info.Group = f[4]
	}
	return info, nil
}

// The bits of st_mode, as every Unix has them.
const (
	bitSetuid = 0o4000
	bitSetgid = 0o2000
	bitSticky = 0o1000
)

var types = map[uint32]fs.FileMode{
	0o140000: fs.ModeSocket,
	0o120000: fs.ModeSymlink,
	0o060000: fs.ModeDevice,
	0o040000: fs.ModeDir,
	0o020000: fs.ModeDevice | fs.ModeCharDevice,
	0o010000: fs.ModeNamedPipe,
}

// Mode is st_mode as Go writes it.
func Mode(st uint32) fs.FileMode {
	mode := fs.FileMode(st&0o777) | types[st&0o170000]
	if st&bitSetuid != 0 {
		mode |= fs.ModeSetuid
	}
	if st&bitSetgid != 0 {
		mode |= fs.ModeSetgid
	}
	if st&bitSticky != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

// unixBits is the other way round, for the bits that chmod sets.
func unixBits(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		bits |= bitSetuid
	}
	if mode&fs.ModeSetgid != 0 {
		bits |= bitSetgid
	}
	if mode&fs.ModeSticky != 0 {
		bits |= bitSticky
	}
	return bits
}

// parseLetters reads "-rwsr-xr-x".
func parseLetters(s string) fs.FileMode {
	letters := map[byte]fs.FileMode{
		's': fs.ModeSocket, 'l': fs.ModeSymlink, 'b': fs.ModeDevice, 'd': fs.ModeDir,
		'c': fs.ModeDevice | fs.ModeCharDevice, 'p': fs.ModeNamedPipe,
	}
	mode := letters[s[0]]
	special := []fs.FileMode{fs.ModeSetuid, fs.ModeSetgid, fs.ModeSticky}
	for i, c := range []byte(s[1:10]) {
		bit := fs.FileMode(1) << (8 - i)
		switch c {
		case 'r', 'w', 'x':
			mode |= bit
		case 's', 't':
			mode |= bit | special[i/3]
		case 'S', 'T':
			mode |= special[i/3]
		}
	}
	return mode
}
