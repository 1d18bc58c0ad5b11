package image

import (
	"context"
	"errors"
	"io"

	"github.com/adbsql/antdbctl/engine/conn"
)

// feed runs a command whose standard input is what write writes, as it writes
// it. A fault of write is told rather than the command's, which only follows.
func feed(ctx context.Context, r conn.Runner, cmd conn.Cmd, write func(io.Writer) error) (conn.Result, error) {
	pr, pw := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		err := write(pw)
		pw.CloseWithError(err)
		wrote <- err
	}()
	cmd.Stdin = pr
	out, err := r.Run(ctx, cmd)
	pr.Close()
	if werr := <-wrote; werr != nil && !errors.Is(werr, io.ErrClosedPipe) {
		return out, werr
	}
	return out, err
}

// drain runs a command and hands its standard output to read, as it comes. A
// fault of read's own is told rather than the command's, which only follows; a
// failed command reaches read as an error of its reader.
func drain(ctx context.Context, r conn.Runner, cmd conn.Cmd, read func(io.Reader) error) error {
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := read(pr)
		if err == nil { // what read did not want must not block the command
			_, err = io.Copy(io.Discard, pr)
		}
		pr.CloseWithError(err)
		done <- err
	}()
	cmd.Stdout = pw
	_, err := r.Run(ctx, cmd)
	pw.CloseWithError(err)
	if rerr := <-done; rerr != nil && (err == nil || !errors.Is(rerr, err)) {
		return rerr
	}
	return err
}
