package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// noted is what is remembered of an archive that was read and proved.
type noted struct {
	ID    string
	Names []string
}

func (s Store) note(key string) string {
	sum := sha256.Sum256([]byte(key))
	return s.path("archives", hex.EncodeToString(sum[:]))
}

// Noted gives the image that was noted under a key, if all of it is still here.
func (s Store) Noted(key string) (*Image, bool) {
	text, err := os.ReadFile(s.note(key))
	if err != nil {
		return nil, false
	}
	var n noted
	if json.Unmarshal(text, &n) != nil {
		return nil, false
	}
	img, err := s.Lookup(n.ID)
	if err != nil {
		return nil, false
	}
	_ = touch(s.note(key))
	img.Touch()
	img.Names = n.Names
	return img, true
}

// Note remembers which image an archive gave, so that it need not be read
// again. The key must say all that makes the archive the same.
func (s Store) Note(key string, img *Image) {
	text, err := json.Marshal(noted{img.ID, img.Names})
	if err == nil && os.MkdirAll(s.path("archives"), 0o700) == nil {
		_ = os.WriteFile(s.note(key), text, 0o600) // without it, the archive is read again
	}
}

// stillBusy is how long after a change a file may change again without its
// times telling.
const stillBusy = 2 * time.Second

// keyOf says what makes a file the same; empty when nothing does.
func keyOf(file, pick string, info fs.FileInfo) string {
	sys, ok := info.Sys().(*syscall.Stat_t)
	abs, err := filepath.Abs(file)
	if !ok || err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < stillBusy {
		return ""
	}
	return fmt.Sprintf("%s#%s %d %d:%d %d %d", abs, pick, info.Size(), sys.Dev, sys.Ino, info.ModTime().UnixNano(), sys.Ctim.Nano())
}
