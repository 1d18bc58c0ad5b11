package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/event"
)

// shipment is what one run of the program shall do.
type shipment struct {
	image   image
	nodes   []host
	via     string
	runtime string
	watch   func(event.Envelope) // sees every event as it comes; nil: nobody looks
}

// shipped is what one run of the program did.
type shipped struct {
	events []event.Envelope
	wall   time.Duration
	failed error // the program's exit, with what it said
}

// shipLimit ends a program that hangs. The slowest way takes a quarter of it.
const shipLimit = 10 * time.Minute

// ship runs the program on the controller. It is no error when the program fails: a part may want that.
func (b *bench) ship(ctx context.Context, s shipment) (shipped, error) {
	ctx, cancel := context.WithTimeout(ctx, shipLimit)
	defer cancel()
	book, err := b.writeBook(s)
	if err != nil {
		return shipped{}, err
	}
	program, err := filepath.Abs(b.program)
	if err != nil {
		return shipped{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return shipped{}, err
	}
	sizeFile := filepath.Join(b.dir, "resident")
	apply := b.fleet.controller(ctx, program, "apply", book, "--auto-approve", "--json")
	cmd := exec.CommandContext(ctx, self, append([]string{measureVerb, sizeFile}, apply.Args...)...)
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(b.dir, "cache"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	lines, err := cmd.StdoutPipe()
	if err != nil {
		return shipped{}, err
	}
	stop := b.memory.watch(b.fleet.Cgroup)
	defer stop()
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return shipped{}, err
	}
	var out shipped
	out.events, err = b.readEvents(lines, s.watch)
	failed := cmd.Wait()
	out.wall = time.Since(begin)
	if failed != nil {
		out.failed = fmt.Errorf("antdbctl apply: %w: %s%s", failed, faults(out.events), stderr.String())
	}
	if ctx.Err() != nil {
		return out, fmt.Errorf("antdbctl apply is still at work after %.0f s: %w", seconds(out.wall), ctx.Err())
	}
	resident, sizeErr := readResident(sizeFile)
	b.memory.controller(resident)
	return out, errors.Join(err, sizeErr)
}

// writeBook writes the runbook of a shipment into a folder of its own, so that no state is there.
func (b *bench) writeBook(s shipment) (string, error) {
	dir, err := os.MkdirTemp(b.dir, "book-")
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "runbook \"ship\" {}\n\ntarget \"docker\" \"builder\" {\n  host = \"unix://%s\"\n}\n", b.fleet.Docker)
	fmt.Fprintf(&text, "\ntarget \"ssh\" \"nodes\" {\n  hosts = {\n")
	for _, n := range s.nodes {
		fmt.Fprintf(&text, "    %s = { address = %q }\n", n.Name, n.Address)
	}
	fmt.Fprintf(&text, "  }\n  user        = \"root\"\n  ssh_config  = %q\n  identity    = %q\n  known_hosts = %q\n}\n", b.fleet.SSHConfig, b.fleet.Identity, b.fleet.KnownHosts)
	fmt.Fprintf(&text, "\nstep \"image.ship\" \"image\" {\n  on      = target.nodes\n  from    = target.builder\n  image   = %q\n  ref     = %q\n  runtime = %q\n  via     = %q\n}\n",
		s.image.id, s.image.name, s.runtime, s.via)
	book := filepath.Join(dir, "ship.hcl")
	return book, os.WriteFile(book, []byte(text.String()), 0o600)
}

func (b *bench) readEvents(r io.Reader, watch func(event.Envelope)) ([]event.Envelope, error) {
	var events []event.Envelope
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		var e event.Envelope
		if err := json.Unmarshal(line, &e); err != nil {
			_, _ = io.Copy(io.Discard, lines) // the program must not block
			return events, fmt.Errorf("%w in %s", err, line)
		}
		if said, ok := e.Event.(event.StepLog); ok && b.talk {
			fmt.Printf("    %s %s %s\n", e.Time.Format("05.000"), said.Address, said.Line)
		}
		events = append(events, e)
		if watch != nil {
			watch(e)
		}
	}
}

// faults are what the program said went wrong.
func faults(events []event.Envelope) string {
	var text strings.Builder
	for _, e := range events {
		switch e := e.Event.(type) {
		case event.StepFinished:
			for _, d := range e.Diagnostics {
				fmt.Fprintf(&text, "%s: %s; %s\n", e.Address, d.Summary, d.Detail)
			}
		case event.Diagnosed:
			for _, d := range e.Diagnostics {
				fmt.Fprintf(&text, "%s; %s\n", d.Summary, d.Detail)
			}
		}
	}
	return text.String()
}
