package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/adbsql/antdbctl/engine/diagnosis/bundle"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
)

// Bundle looks around as Diagnose does and packs what it saw into a file, whole
// or not at all.
func Bundle(ctx context.Context, cfg Config, book *lang.Runbook, path string, overwrite bool) (Outcome, error) {
	if err := writable(path, overwrite); err != nil {
		return Outcome{Failed: true}, err
	}
	r, err := open(ctx, cfg, book, "bundle")
	if r == nil {
		return Outcome{Failed: true}, err
	}
	if err == nil {
		err = r.pack(ctx, path, overwrite)
	}
	return r.finish(ctx, "bundle", err)
}

// rehearse plans the runbook while the answers of the site are kept: its checks
// can be asked again on the bundle. What fails of it fails there as well.
func (r *run) rehearse(ctx context.Context, spool *bundle.Spool) {
	if r.Diagnosis.Tape == nil || len(r.book.Steps) == 0 {
		return
	}
	cfg := r.Config
	cfg.Sinks = nil
	cfg.Openers = r.Diagnosis.Tape(r.Redactor, spool.Answer)
	ctx, cancel := context.WithTimeout(ctx, rehearsal)
	defer cancel()
	if _, _, err := Plan(ctx, cfg, r.book); err != nil {
		spool.Gap("what the runbook's checks are answered", evidence.Place{}, err)
	}
}

// rehearsal is how long the checks of a runbook may take for a bundle.
const rehearsal = time.Minute

// writable finds out before the long work whether a file can be written.
func writable(path string, overwrite bool) error {
	if info, err := os.Stat(filepath.Dir(path)); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%s is no folder", filepath.Dir(path))
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder: name a file", path)
	case err == nil && !overwrite:
		return fmt.Errorf("%s is there already: --force writes over it", path)
	}
	return nil
}

func (r *run) pack(ctx context.Context, path string, overwrite bool) (err error) {
	soft, cancel := r.soft(ctx)
	defer cancel()
	targets, err := r.everywhere()
	if err != nil {
		return err
	}
	spool, err := bundle.NewSpool(bundle.Options{Redactor: r.Redactor, Clock: r.Clock})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spool.Close()) }()
	_, unseen := r.collect(soft, targets, nil, spool)
	r.rehearse(soft, spool)
	if soft.Err() != nil {
		return nil // interrupted
	}
	sum, err := spool.Pack(path, bundle.Packing{Program: "antdbctl " + r.Version, Overwrite: overwrite})
	if err != nil {
		return err
	}
	if soft.Err() != nil && !overwrite {
		return os.Remove(path)
	}
	done := event.Bundled{
		Language: r.Diagnosis.Language, Path: sum.Path, Size: sum.Size, Facts: sum.Facts, Logs: sum.Logs, Bytes: sum.LogBytes, Gaps: sum.Gaps,
		Command: "antdbctl diagnose --bundle " + path,
	}
	for _, kind := range slices.Sorted(maps.Keys(sum.Redacted)) {
		done.Redacted = append(done.Redacted, event.Redacted{Kind: kind, Count: sum.Redacted[kind]})
	}
	r.bus.Emit(done)
	return unseen
}

// DiagnoseBundle asks the knowledge base about what a file holds. It needs
// nothing of the site.
func DiagnoseBundle(ctx context.Context, cfg Config, path string) (out Outcome, err error) {
	dossier, err := bundle.Open(path)
	if err != nil {
		return Outcome{Failed: true}, err
	}
	defer func() { err = errors.Join(err, dossier.Close()) }()
	cfg = cfg.filled()
	r := &run{Config: cfg, id: newRunID(cfg.Clock()), book: &lang.Runbook{}, started: cfg.Clock(), table: newTable(&lang.Runbook{})}
	r.bus = event.NewBus(r.id, cfg.Clock, cfg.Redactor, cfg.Sinks...)
	r.bus.Emit(event.RunStarted{Command: "diagnose", Runbook: filepath.Base(path), Path: path, Version: cfg.Version})
	soft, cancel := r.soft(ctx)
	defer cancel()
	v, err := r.judge(soft, dossier, nil)
	done := event.RunFinished{Command: "diagnose", OK: err == nil, Interrupted: r.stopped(ctx)}
	switch {
	case err != nil:
		r.report(hcl.Diagnostics{runFault(err)})
	case !done.Interrupted:
		v.Bundle, v.Taken = path, dossier.Taken()
		v.Seconds = cfg.Clock().Sub(r.started).Seconds()
		r.conclude(v)
	}
	done.Seconds = cfg.Clock().Sub(r.started).Seconds()
	r.bus.Emit(done)
	return Outcome{Run: r.id, Failed: err != nil, Interrupted: done.Interrupted, found: r.found}, nil
}
