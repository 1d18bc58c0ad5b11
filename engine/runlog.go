package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/event"
)

// runLog is the sink that keeps a run's events beside the runbook, one JSON
// object a line, so that a run can be shown again.
type runLog struct {
	file *os.File
	err  error // the first write that failed; the run goes on and says so at its end
}

func createRunLog(dir, id string) (*runLog, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, id+".jsonl"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &runLog{file: file}, nil
}

// Emit implements event.Sink.
func (l *runLog) Emit(e event.Envelope) {
	if _, frequent := e.Event.(event.StepProgress); frequent || l.err != nil {
		return
	}
	data, err := json.Marshal(e)
	if err == nil {
		_, err = l.file.Write(append(data, '\n'))
	}
	l.err = err
}

// Close gives the first error there was.
func (l *runLog) Close() error {
	err := errors.Join(l.err, l.file.Close())
	if err != nil {
		return fmt.Errorf("keep the run's log: %w", err)
	}
	return nil
}

// Runs lists the ids of the runs of the runbook in dir, oldest first.
func Runs(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, StateDir, "runs"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".jsonl"); ok {
			ids = append(ids, id)
		}
	}
	return sorted(ids), nil
}

// Replay sends the stored events of a run to sink. A log that ends in the
// middle of a line, because its writer was killed, ends there.
func Replay(dir, id string, sink event.Sink) error {
	file, err := os.Open(filepath.Join(dir, StateDir, "runs", id+".jsonl"))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no run %q in %s", id, dir)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	for in := bufio.NewReader(file); ; {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var e event.Envelope
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("run %s: %w", id, err)
		}
		sink.Emit(e)
	}
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

// stepOf is the step's name in an instance's address.
func stepOf(address string) string {
	name, _, _ := strings.Cut(address, "[")
	return name
}
