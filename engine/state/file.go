package state

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// File is a Store in a folder, usually .antdbctl beside the runbook. The lock
// is an flock, so a killed process never leaves one behind.
type File struct {
	dir string
	mu  sync.Mutex
}

// NewFile makes a store in dir. Nothing is written before the first Save or Lock.
func NewFile(dir string) *File { return &File{dir: dir} }

func (f *File) path() string { return filepath.Join(f.dir, "state.json") }

// Load implements Store.
func (f *File) Load(context.Context) (*State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.load()
}

func (f *File) load() (*State, error) {
	data, err := os.ReadFile(f.path())
	if errors.Is(err, fs.ErrNotExist) {
		return empty(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	s, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path(), err)
	}
	return s, nil
}

// Save implements Store.
func (f *File) Save(_ context.Context, s *State) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	have, err := f.load()
	if err != nil {
		return err
	}
	if have.Serial != s.Serial || (have.Lineage != s.Lineage && have.Serial > 0) {
		return ErrMoved
	}
	next := *s
	next.Version, next.Serial = Version, s.Serial+1
	if next.Lineage == "" {
		next.Lineage = rand.Text()
	}
	data, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if err := WriteFile(f.path(), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	s.Version, s.Serial, s.Lineage = next.Version, next.Serial, next.Lineage
	return nil
}

// Lock implements Store.
func (f *File) Lock(_ context.Context, owner Owner) (func() error, error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(f.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer file.Close()
		locked := &LockedError{}
		_ = json.NewDecoder(file).Decode(&locked.Owner) // who it is helps, but the lock stands without it
		return nil, locked
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	data, err := json.Marshal(owner)
	if err == nil {
		err = errors.Join(file.Truncate(0), writeAt(file, data))
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return sync.OnceValue(func() error { return errors.Join(file.Truncate(0), file.Close()) }), nil
}

func writeAt(file *os.File, data []byte) error {
	_, err := file.WriteAt(data, 0)
	return err
}

// WriteFile puts data into path, whole or not at all, and makes it last through
// a power cut. The folder is made when it is missing.
func WriteFile(path string, data []byte, mode fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	if err := errors.Join(tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
