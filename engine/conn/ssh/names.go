package ssh

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
)

// sftp knows users and groups by number only; their names are asked for by a
// command, once for each connection.

// The databases that names come from.
const (
	userNames  = "passwd"
	groupNames = "group"
)

type nameKey struct{ database, what string }

// entry prints the entry of $2, a name or number, in the database $1.
const entry = `getent "$1" "$2" 2>/dev/null && exit
[ -r "/etc/$1" ] && while IFS=: read -r name x id rest; do
	if [ "$name" = "$2" ] || [ "$id" = "$2" ]; then echo "$name:$x:$id"; exit; fi
done <"/etc/$1"
exit 0`

// lookUp gives the entry's name and number; empty when there is none.
func (h *Host) lookUp(ctx context.Context, l *link, database, what string) (name, id string, err error) {
	key := nameKey{database, what}
	l.sftp.mu.Lock()
	line, known := l.sftp.names[key]
	l.sftp.mu.Unlock()
	if !known {
		res, err := h.Run(ctx, conn.Script(entry, database, what))
		if err != nil {
			return "", "", fmt.Errorf("look up %s in %s: %w", what, database, err)
		}
		line = strings.TrimSpace(res.Stdout)
		l.sftp.mu.Lock()
		if l.sftp.names == nil {
			l.sftp.names = map[nameKey]string{}
		}
		l.sftp.names[key] = line
		l.sftp.mu.Unlock()
	}
	if fields := strings.Split(line, ":"); len(fields) >= 3 {
		return fields[0], fields[2], nil
	}
	return "", "", nil
}

// nameOf is the name of a number, or the number where it has no name.
func (h *Host) nameOf(ctx context.Context, l *link, database string, number uint32) (string, error) {
	if number == 0 {
		return "root", nil
	}
	text := strconv.FormatUint(uint64(number), 10)
	name, _, err := h.lookUp(ctx, l, database, text)
	if name == "" {
		name = text
	}
	return name, err
}

// numberOf is the number of a name; a number may be given as well.
func (h *Host) numberOf(ctx context.Context, l *link, database, name string) (int, error) {
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	_, id, err := h.lookUp(ctx, l, database, name)
	if err != nil {
		return 0, err
	}
	if id == "" {
		return 0, fmt.Errorf("%s has no %s %q", h.target, map[string]string{userNames: "user", groupNames: "group"}[database], name)
	}
	return strconv.Atoi(id)
}
