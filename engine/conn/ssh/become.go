package ssh

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
	"github.com/adbsql/antdbctl/engine/secret"
)

// become is how a command gets to run as another user. The zero value stays.
type become struct {
	changes  bool
	user     string
	prefix   []string // sudo with its options
	password secret.Value
	su       string // by su, which root may do anywhere, even where no sudo is
	killer   bool   // it ends another command, and is not ended itself
}

// become works out how to run as name; empty is the target's own way.
func (h *Host) become(name string) become {
	if name == "" && h.settings.Sudo {
		name = "root"
	}
	if name == "" || name == h.route.user {
		return become{}
	}
	b := become{changes: true, user: name}
	switch {
	case h.route.user == "root":
		b.su = name
	case h.settings.SudoPassword.IsZero():
		b.prefix = []string{"sudo", "-n", "-u", name, "--"}
	default:
		// The prompt would end up in stderr.
		b.prefix = []string{"sudo", "-S", "-p", "", "-u", name, "--"}
		b.password = h.settings.SudoPassword
	}
	return b
}

// SudoError reports that a command could not run as another user.
type SudoError struct {
	Target string
	User   string // who asked
	As     string // to run as
	Text   string // what sudo or su said
}

func (e *SudoError) Error() string {
	return fmt.Sprintf("%s: user %s cannot run commands as %s: %s", e.Target, e.User, e.As, e.Text)
}

// Hint says what to do about it.
func (e *SudoError) Hint() string {
	switch {
	case strings.Contains(e.Text, "password is required"):
		return fmt.Sprintf("give sudo_password in the target, or let %s use sudo with NOPASSWD", e.User)
	case strings.Contains(e.Text, "try again"), strings.Contains(e.Text, "incorrect password"):
		return "check sudo_password in the target"
	case strings.Contains(e.Text, "tty"):
		return fmt.Sprintf("remove requiretty for %s from sudoers there", e.User)
	case strings.Contains(e.Text, "not found"):
		return "install sudo there, or log in as root"
	}
	return fmt.Sprintf("let %s run commands as %s in sudoers there", e.User, e.As)
}

func (b become) failed(h *Host, stderr string) error {
	return &SudoError{Target: h.target.String(), User: h.route.user, As: b.user, Text: strings.TrimSpace(stderr)}
}

// sudoState remembers as whom the sudo password was seen to work.
type sudoState struct {
	mu    sync.Mutex
	works map[string]bool
}

// sudoWorks tries the sudo password before it is first needed, all alone: sudo
// would take what follows a wrong one, the environment, for another guess.
func (h *Host) sudoWorks(ctx context.Context, b become) error {
	if b.password.IsZero() {
		return nil
	}
	h.sudo.mu.Lock()
	defer h.sudo.mu.Unlock()
	if h.sudo.works[b.user] {
		return nil
	}
	try := conn.Command(append(append([]string{}, b.prefix...), "true")...)
	try.Stdin = strings.NewReader(b.password.Reveal() + "\n")
	res, err := h.run(ctx, try, become{})
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return b.failed(h, res.Stderr)
	}
	if err != nil {
		return err
	}
	if h.sudo.works == nil {
		h.sudo.works = map[string]bool{}
	}
	h.sudo.works[b.user] = true
	return nil
}

// Files keeps files by sftp. As another user than the one who logs in, sftp
// cannot act; then, and where there is no sftp, a shell does it.
func (h *Host) Files() (conn.Files, error) {
	if h.become("").changes {
		return shell.Files(h), nil
	}
	return files{h}, nil
}
