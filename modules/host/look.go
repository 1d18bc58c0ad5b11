package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
)

// lookScript describes one path in one round trip.
//
//	$1 path
//	$2 "-L" to look through a symbolic link, or empty
//	$3 greatest size in bytes of a file whose content is shown; -1 for none
//	$4 SHA-256 of the content that need not be shown
//
// It prints "missing", or "denied" and the folder that it may not enter, or
// raw mode (hex), size, uid, gid; user; group; and then, for a link its target
// or (with -L) its real path, for a file its hash and perhaps its content.
const lookScript = `LC_ALL=C; export LC_ALL
p=$1
if [ ! -e "$p" ] && [ ! -h "$p" ]; then
  d=$p
  until [ -e "${d:-/}" ]; do d=${d%/*}; done
  if [ -x "${d:-/}" ] || [ ! -d "${d:-/}" ]; then echo missing; else echo "denied ${d:-/}"; fi
  exit 0
fi
[ -e "$p" ] || set -- "$p" "" "$3" "$4"
stat $2 -c '%f %s %u %g
%U
%G' "$p" || exit
if [ -h "$p" ]; then
  if [ -z "$2" ]; then echo "link $(readlink "$p")"; exit; fi
  echo "real $(readlink -f "$p")"
fi
[ -f "$p" ] || exit 0
[ -r "$p" ] || { echo unreadable; exit 0; }
h=-
if command -v sha256sum >/dev/null; then h=$(sha256sum <"$p")
elif command -v openssl >/dev/null; then h=$(openssl dgst -sha256 -r <"$p")
fi
h=${h%% *}
echo "sha256 $h"
if [ "$3" -ge 0 ] && [ "$h" != "$4" ] && [ "$(wc -c <"$p")" -le "$3" ]; then echo content; cat "$p"; fi
`

// What a path may be; other values are named by what.
const (
	regular   = 0x8000
	directory = 0x4000
	symlink   = 0xa000
	typeMask  = 0xf000
)

// entry is what lookScript saw.
type entry struct {
	missing    bool
	raw        uint32 // st_mode
	size       int64
	uid, gid   string
	user       string
	group      string
	link       string // target of a symbolic link
	real       string // where the content is, when path is a link
	unreadable bool
	sha256     string // empty where there is no tool for it
	shown      bool   // content is set
	content    string
}

func (e entry) kind() uint32 { return e.raw & typeMask }
func (e entry) mode() uint32 { return e.raw & 0o7777 }

// what names the kind of e in messages.
func (e entry) what() string {
	switch e.kind() {
	case regular:
		return "a file"
	case directory:
		return "a directory"
	case symlink:
		return "a symbolic link to " + e.link
	}
	return "a device, pipe or socket"
}

// look describes path. follow looks through a symbolic link; a file of at most
// limit bytes is shown unless its content has the hash known.
func look(ctx context.Context, r conn.Runner, path string, follow bool, limit int64, known string) (entry, error) {
	flag := ""
	if follow {
		flag = "-L"
	}
	res, err := r.Run(ctx, conn.Look(lookScript, path, flag, strconv.FormatInt(limit, 10), known))
	if err != nil {
		return entry{}, fmt.Errorf("look at %s: %w", path, err)
	}
	e, err := parseEntry(res.Stdout)
	if err != nil {
		return e, fmt.Errorf("look at %s: %w", path, err)
	}
	if e.real == "" {
		e.real = path
	}
	return e, nil
}

func parseEntry(out string) (entry, error) {
	var e entry
	line, rest, _ := strings.Cut(out, "\n")
	if line == "missing" {
		e.missing = true
		return e, nil
	}
	if dir, ok := strings.CutPrefix(line, "denied "); ok {
		return e, fmt.Errorf("the folder %s may not be entered: %w", dir, fs.ErrPermission)
	}
	if _, err := fmt.Sscanf(line, "%x %d %s %s", &e.raw, &e.size, &e.uid, &e.gid); err != nil {
		return e, fmt.Errorf("unexpected answer %q", line)
	}
	e.user, rest, _ = strings.Cut(rest, "\n")
	e.group, rest, _ = strings.Cut(rest, "\n")
	for rest != "" {
		line, rest, _ = strings.Cut(rest, "\n")
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "link":
			e.link = value
		case "real":
			e.real = value
		case "unreadable":
			e.unreadable = true
		case "sha256":
			e.sha256 = strings.TrimPrefix(value, "-")
		case "content":
			e.shown, e.content = true, rest
			return e, nil
		default:
			return e, errors.New("unexpected answer " + strconv.Quote(line))
		}
	}
	return e, nil
}
