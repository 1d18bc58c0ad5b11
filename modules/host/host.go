// Package host has the modules for the everyday things of a machine: facts,
// files, folders, lines, commands and services. They need nothing there but a
// POSIX sh and the usual small tools, and every Check is one command.
package host

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
)

// places are the kinds of target that these modules work on.
var places = []string{conn.Local, conn.SSH, conn.Container}

// checkPath accepts the absolute paths that Files and every script rely on.
func checkPath(p string) error {
	switch {
	case !strings.HasPrefix(p, "/"):
		return fmt.Errorf("the path %q is not absolute", p)
	case strings.ContainsAny(p, "\x00\n"):
		return fmt.Errorf("the path %q has a control character in it", p)
	case path.Clean(p) != p:
		return fmt.Errorf("write the path %q as %q", p, path.Clean(p))
	}
	return nil
}

// checkMode accepts permission bits as chmod takes them, in octal.
func checkMode(mode string) error {
	if mode == "" {
		return nil
	}
	if bits, err := strconv.ParseUint(mode, 8, 32); err != nil || bits > 0o7777 || len(mode) < 3 || len(mode) > 4 {
		return fmt.Errorf("the mode %q is not octal such as \"0644\"", mode)
	}
	return nil
}

// modeBits are the bits of a mode that checkMode accepted; ok is false for none.
func modeBits(mode string) (bits uint32, ok bool) {
	n, err := strconv.ParseUint(mode, 8, 32)
	return uint32(n), err == nil
}

func modeText(bits uint32) string { return fmt.Sprintf("%04o", bits) }

// bytesText is a size for people.
func bytesText(n int64) string {
	const units = "KMGTP"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1024, 0
	for f >= 1024 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[unit])
}
