package host

import (
	"context"
	"fmt"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// meta is what a runbook wants of mode, owner and group; empty means as it is.
type meta struct{ mode, owner, group string }

// diff lists what of m the entry e does not have.
func (m meta) diff(e entry) []module.Diff {
	var d []module.Diff
	if bits, ok := modeBits(m.mode); ok && bits != e.mode() {
		d = append(d, module.Diff{Path: "mode", Before: modeText(e.mode()), After: modeText(bits)})
	}
	if m.owner != "" && m.owner != e.user && m.owner != e.uid {
		d = append(d, module.Diff{Path: "owner", Before: e.user, After: m.owner})
	}
	if m.group != "" && m.group != e.group && m.group != e.gid {
		d = append(d, module.Diff{Path: "group", Before: e.group, After: m.group})
	}
	return d
}

// String is m for a plan: "0640, postgres:dba".
func (m meta) String() string {
	var parts []string
	if bits, ok := modeBits(m.mode); ok {
		parts = append(parts, modeText(bits))
	}
	switch {
	case m.group != "":
		parts = append(parts, m.owner+":"+m.group)
	case m.owner != "":
		parts = append(parts, m.owner)
	}
	return strings.Join(parts, ", ")
}

// setScript gives $1 the mode $2, owner $3 and group $4, those that are not
// empty; with $5 it makes the directory first. The mode comes last, because a
// change of owner takes the setuid bit away.
const setScript = `LC_ALL=C; export LC_ALL
if [ -n "$5" ]; then umask 022; mkdir -p -m "${2:-0755}" "$1" || exit 80; fi
[ -z "$3" ] || chown "$3" "$1" || exit 81
[ -z "$4" ] || chgrp "$4" "$1" || exit 82
[ -z "$2" ] || chmod "$2" "$1" || exit 83
`

// setMeta runs setScript. The mode goes with five digits: with fewer, GNU chmod
// leaves the setgid bit that a directory may have from its parent.
func setMeta(ctx context.Context, r conn.Runner, path string, m meta, mkdir bool) error {
	flag := ""
	if mkdir {
		flag = "mkdir"
	}
	mode := ""
	if bits, ok := modeBits(m.mode); ok {
		mode = fmt.Sprintf("%05o", bits)
	}
	_, err := r.Run(ctx, conn.Script(setScript, path, mode, m.owner, m.group, flag))
	return err
}

// setArg is the argument that an exit status of setScript speaks of.
func setArg(err error) string {
	code, _ := conn.ExitCode(err)
	switch code {
	case 81:
		return "owner"
	case 82:
		return "group"
	case 83:
		return "mode"
	}
	return "path"
}

// summaryOf joins the names of what changes: "content, mode 0600 → 0644".
func summaryOf(diffs []module.Diff) string {
	parts := make([]string, len(diffs))
	for i, d := range diffs {
		parts[i] = d.Path
		if d.Path != "content" {
			parts[i] = fmt.Sprintf("%s %s → %s", d.Path, d.Before, d.After)
		}
	}
	return strings.Join(parts, ", ")
}
