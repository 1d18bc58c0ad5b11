package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The kernel brings files to the disk in its own time, and nobody waits for
// it: on a slow disk that would take longer than the save. A part that is
// perhaps not on the disk yet has a mark, in a folder named after this machine
// and its boot. File systems bring names to the disk in their order, the mark
// before the part's. So when the machine stops suddenly, its next boot finds
// the marks, and what had one goes: it may be a name without bytes.

// settled is when the kernel has written all of a file for sure; it begins
// after half a minute.
const settled = 10 * time.Minute

// thisBoot names the machine and its boot; empty where the kernel does not
// tell, and then every part is waited for.
func thisBoot() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	host, hostErr := os.Hostname()
	if err != nil || hostErr != nil {
		return ""
	}
	return host + "@" + strings.TrimSpace(string(boot))
}

func (s Store) mark(digest string) string { return s.path("unsettled", s.boot, short64(digest)) }

// unsettle marks a part before it gets its name.
func (s Store) unsettle(digest string) error {
	if s.boot == "" {
		return nil
	}
	return os.WriteFile(s.mark(digest), nil, 0o600)
}

// afterCrash drops the parts that an earlier boot of this machine left marked.
func (s Store) afterCrash() error {
	host, _, ok := strings.Cut(s.boot, "@")
	if !ok {
		return nil
	}
	if err := os.MkdirAll(s.path("unsettled", s.boot), 0o700); err != nil {
		return err
	}
	boots, err := os.ReadDir(s.path("unsettled"))
	if err != nil {
		return err
	}
	for _, b := range boots {
		if b.Name() == s.boot || !strings.HasPrefix(b.Name(), host+"@") {
			continue // another machine's, where the store is on a network
		}
		dir := s.path("unsettled", b.Name())
		marks, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, m := range marks {
			if err := os.Remove(s.file(m.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// settle takes the marks from parts that are on the disk by now, and makes
// sure of it.
func (s Store) settle() error {
	marks, err := filepath.Glob(s.path("unsettled", s.boot, "*"))
	if err != nil || s.boot == "" {
		return err
	}
	for _, mark := range marks {
		info, err := os.Stat(mark)
		if err != nil || time.Since(info.ModTime()) < settled {
			continue
		}
		file := s.file(filepath.Base(mark))
		if err := sync1(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			_ = os.Remove(file) // the disk failed to keep it
		}
		if err := os.Remove(mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func sync1(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
