package shell

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
)

// Files keeps files by running sh and the few POSIX utilities (cat, mv, rm,
// chmod, chown, ls) of the place that run runs in.
func Files(run conn.Runner) conn.Files { return files{run} }

type files struct{ run conn.Runner }

//go:embed files.sh
var functions string

// What the scripts of files.sh exit with when they know the reason.
const (
	exitMissing = 43
	exitDenied  = 44
)

// small is the size up to which a file is sent and put in place by one command.
const small = 128 << 10

// script calls one function of files.sh.
func script(function string, args ...string) conn.Cmd {
	return conn.Script(functions+function+` "$@"`, args...)
}

// explain turns the exit status of a script into the error that conn.Files
// promises.
func explain(op, name string, err error) error {
	exit := (*conn.ExitError)(nil)
	if !errors.As(err, &exit) {
		return err
	}
	cause := errors.New(strings.TrimSpace(exit.Stderr))
	switch {
	case exit.Code == exitMissing:
		cause = fs.ErrNotExist
	case exit.Code == exitDenied:
		cause = fs.ErrPermission
	case exit.Stderr == "":
		cause = err
	}
	return &fs.PathError{Op: op, Path: name, Err: cause}
}

func (f files) Stat(ctx context.Context, name string) (conn.FileInfo, error) {
	res, err := f.run.Run(ctx, script("file_stat", name))
	if err != nil {
		return conn.FileInfo{}, explain("stat", name, err)
	}
	info, err := parseStat(res.Stdout)
	if err != nil {
		return conn.FileInfo{}, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return info, nil
}

func (f files) Remove(ctx context.Context, name string) error {
	_, err := f.run.Run(ctx, script("file_remove", name))
	return explain("remove", name, err)
}

// Write sends a small file and puts it in place by one command. A larger one
// takes two, since the first cannot tell the end of the content from the end
// of the connection.
func (f files) Write(ctx context.Context, name string, r io.Reader, meta conn.FileMeta) error {
	head := make([]byte, small+1)
	n, err := io.ReadFull(r, head)
	switch {
	case err == nil:
		return f.writeLarge(ctx, name, io.MultiReader(bytes.NewReader(head), r), meta)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("write %s: %w", name, err)
	}
	cmd := script("file_write", append([]string{name, temporary(name), strconv.Itoa(n)}, wanted(meta)...)...)
	cmd.Stdin = bytes.NewReader(head[:n])
	_, err = f.run.Run(ctx, cmd)
	return explain("write", name, err)
}

func (f files) writeLarge(ctx context.Context, name string, r io.Reader, meta conn.FileMeta) error {
	temp := temporary(name)
	content := &counter{r: r}
	receive := script("file_receive", name, temp)
	receive.Stdin = content
	_, err := f.run.Run(ctx, receive)
	if err == nil && content.err != nil {
		err = fmt.Errorf("write %s: %w", name, content.err)
	}
	if err == nil {
		args := append([]string{name, temp, strconv.FormatInt(content.n, 10)}, wanted(meta)...)
		_, err = f.run.Run(ctx, script("file_place", args...))
	}
	if err != nil {
		// The cause may be that ctx ended; the half file should still go.
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer stop()
		_, _ = f.run.Run(ctx, conn.Command("rm", "-f", "--", temp))
	}
	return explain("write", name, err)
}

// wanted is meta as the scripts take it: octal mode, owner, group; empty to keep.
func wanted(meta conn.FileMeta) []string {
	mode := ""
	if meta.Mode != 0 {
		mode = strconv.FormatUint(uint64(unixBits(meta.Mode)), 8)
	}
	return []string{mode, meta.Owner, meta.Group}
}

// temporary is a name beside name that nobody else has.
func temporary(name string) string {
	dir, base := path.Split(name)
	return dir + "." + base + "." + rand.Text()[:12]
}

// counter counts what it gave and keeps why it stopped, because the far side
// sees an early end and a failure alike.
type counter struct {
	r   io.Reader
	n   int64
	err error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}
