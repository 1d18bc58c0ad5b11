// Package shell does by a POSIX sh what a place has no better way for: it gives
// a command its environment, folder and user, and it keeps files. The doors to
// places where commands are started by others (SSH, containers) build on it.
package shell

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/secret"
)

// Quote joins args into one line that a POSIX sh reads back as just these args.
func Quote(args ...string) string {
	var b strings.Builder
	for i, arg := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(quote(arg))
	}
	return b.String()
}

func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:,@%+=", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Start is how a wrapped command is to be started.
type Start struct {
	// Prefix goes before the command: what makes it run as somebody else.
	Prefix []string
	// Password, when set, is offered to Prefix as the first line of stdin. It
	// need not be taken: what is left of it never reaches the command.
	Password secret.Value
	// Group makes the shell report its process group as the first line of
	// stderr, after GroupMark.
	Group bool
}

// GroupMark begins the line that tells the process group (Start.Group).
const GroupMark = "antdbctl-process-group:"

// lineMark begins the line of stdin that the wrapping shell waits for.
const lineMark = "antdbctl:"

// Wrap turns cmd into the argument vector and stdin of an equal command that
// needs no Env and no Dir, and whose arguments hold no value of Env. A cmd that
// needs nothing of the kind comes back as it is. The User is not looked at: it
// is Prefix that changes users.
//
// The environment travels as one line before the rest of stdin; sh's read takes
// it byte by byte, as POSIX has it, so that the rest is the command's.
func Wrap(cmd conn.Cmd, start Start) (args []string, stdin io.Reader, err error) {
	if len(cmd.Args) == 0 {
		return nil, nil, fmt.Errorf("empty command")
	}
	var script, head strings.Builder
	if start.Group {
		script.WriteString(`{ read -r _a _b _c _d _group _e </proc/$$/stat; } 2>/dev/null; echo "` + GroupMark + `$_group" >&2; `)
	}
	if len(cmd.Env) > 0 || !start.Password.IsZero() {
		env, err := exports(cmd.Env)
		if err != nil {
			return nil, nil, err
		}
		script.WriteString("_n='\n'; while IFS= read -r _l; do case $_l in " + lineMark + "*) break;; esac; done; ")
		script.WriteString("case $_l in " + lineMark + "*) ;; *) exit 125;; esac; ")
		script.WriteString(`eval "${_l#` + lineMark + `}"; unset _l _n; `)
		if !start.Password.IsZero() {
			head.WriteString(start.Password.Reveal() + "\n")
		}
		head.WriteString(lineMark + env + "\n")
	}
	var dir []string
	if cmd.Dir != "" {
		script.WriteString(`cd -- "$1" || exit 126; shift; `)
		dir = []string{cmd.Dir}
	}

	args, stdin = cmd.Args, cmd.Stdin
	if script.Len() > 0 {
		args = slices.Concat([]string{"sh", "-c", script.String() + `exec "$@"`, "sh"}, dir, cmd.Args)
	}
	if head.Len() > 0 {
		stdin = strings.NewReader(head.String())
		if cmd.Stdin != nil {
			stdin = io.MultiReader(stdin, cmd.Stdin)
		}
	}
	return slices.Concat(start.Prefix, args), stdin, nil
}

// exports writes env as sh commands on one line; $_n stands for a newline.
func exports(env map[string]secret.Value) (string, error) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !isName(name) {
			return "", fmt.Errorf("%q cannot be the name of an environment variable", name)
		}
		value := env[name].Reveal()
		if strings.ContainsRune(value, 0) {
			return "", fmt.Errorf("environment variable %s: holds a zero byte", name)
		}
		value = strings.ReplaceAll(value, "'", `'\''`)
		value = strings.ReplaceAll(value, "\n", `'"$_n"'`)
		fmt.Fprintf(&b, "export %s='%s';", name, value)
	}
	return b.String(), nil
}

func isName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
