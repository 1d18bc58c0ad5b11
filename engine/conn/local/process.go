package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
)

// prepare makes the process of cmd. Root becomes another user by itself, with
// that user's groups and home; anybody else asks sudo, which must not need a
// password (there is nobody to type one).
func prepare(ctx context.Context, cmd conn.Cmd) (*exec.Cmd, error) {
	if len(cmd.Args) == 0 {
		return nil, errors.New("empty command")
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	who, err := other(cmd.User)
	if err != nil {
		return nil, err
	}
	if who != nil && os.Geteuid() != 0 {
		return bySudo(ctx, cmd, attr)
	}

	env := os.Environ()
	if who != nil {
		if attr.Credential, err = credential(who); err != nil {
			return nil, err
		}
		env = append(env, "HOME="+who.HomeDir, "USER="+who.Username, "LOGNAME="+who.Username)
	}
	for name, value := range cmd.Env {
		env = append(env, name+"="+value.Reveal())
	}
	p := process(ctx, cmd.Args, attr)
	p.Env, p.Dir, p.Stdin = env, cmd.Dir, cmd.Stdin
	return p, nil
}

// bySudo lets a shell behind sudo set folder and environment: sudo itself
// cleans the environment, and its user may enter folders that we may not.
func bySudo(ctx context.Context, cmd conn.Cmd, attr *syscall.SysProcAttr) (*exec.Cmd, error) {
	args, stdin, err := shell.Wrap(cmd, shell.Start{Prefix: []string{"sudo", "-n", "-u", cmd.User, "--"}})
	if err != nil {
		return nil, err
	}
	p := process(ctx, args, attr)
	p.Stdin = stdin
	return p, nil
}

func process(ctx context.Context, args []string, attr *syscall.SysProcAttr) *exec.Cmd {
	p := exec.CommandContext(ctx, args[0], args[1:]...)
	p.SysProcAttr = attr
	p.Cancel = func() error { return syscall.Kill(-p.Process.Pid, syscall.SIGTERM) }
	p.WaitDelay = grace
	return p
}

// other is the user called name, or nil when that is who we are already.
func other(name string) (*user.User, error) {
	if name == "" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("run as %s: %w", name, err)
	}
	if u.Uid == strconv.Itoa(os.Geteuid()) {
		return nil, nil
	}
	return u, nil
}

func credential(u *user.User) (*syscall.Credential, error) {
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", u.Username, err)
	}
	uid, gid, err := numbers(u.Uid, u.Gid)
	if err != nil {
		return nil, err
	}
	c := &syscall.Credential{Uid: uid, Gid: gid}
	for _, id := range ids {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("group %s of %s: %w", id, u.Username, err)
		}
		c.Groups = append(c.Groups, uint32(n))
	}
	return c, nil
}

func numbers(uid, gid string) (uint32, uint32, error) {
	u, err := strconv.ParseUint(uid, 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("user number: %w", err)
	}
	g, err := strconv.ParseUint(gid, 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("group number: %w", err)
	}
	return uint32(u), uint32(g), nil
}

func isMissing(err error) bool {
	return errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist)
}

func isRefused(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOEXEC) || errors.Is(err, syscall.EISDIR)
}
