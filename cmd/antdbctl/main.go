// Command antdbctl rolls databases out by declarative runbooks.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// The exit codes, the same for every command.
const (
	exitDone        = 0
	exitError       = 1
	exitChanges     = 2 // plan --detailed-exitcode, and there are changes
	exitInterrupted = 130
)

// exit is an error whose message was already shown, or needs none.
type exit struct{ code int }

func (e exit) Error() string { return fmt.Sprintf("exit status %d", e.code) }

func main() {
	// Others work on this machine too, and some runs take long: memory is given
	// back rather than time saved.
	debug.SetGCPercent(30)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program; tests call it too.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop, release := interrupts()
	defer release()
	app := &app{stdin: stdin, stdout: stdout, stderr: stderr, stop: stop}
	root := app.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && app.lines != nil {
		err = app.lines.Err() // a reader who got half of it must hear so
	}
	var coded exit
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &coded):
		return coded.code
	}
	fmt.Fprintf(stderr, "Error: %s\n", err)
	return exitError
}

// interrupts makes the first Ctrl-C (or SIGTERM) close stop, which lets what is
// under way finish, and the second cancel ctx, which stops that too.
func interrupts() (ctx context.Context, stop <-chan struct{}, release func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, soft := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			close(soft)
			fmt.Fprintln(os.Stderr, "\nInterrupted: finishing what is under way, starting nothing new. Once more to stop that too.")
		case <-ctx.Done():
			return
		}
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, soft, func() {
		signal.Stop(signals)
		cancel()
	}
}
