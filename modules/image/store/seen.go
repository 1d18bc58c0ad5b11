package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// seen is what is remembered of an archive that was read and proved, so that
// looking at it again takes no time while the file is the same.
type seen struct {
	Size           int64
	Device, Inode  uint64
	Written, Moved int64 // times of the content and of the file, in nanoseconds
	Pick           string
	ID             string
	Names          []string
}

// stillBusy is how long after a change a file may change again without its
// times telling.
const stillBusy = 2 * time.Second

// identity is what says that a file is the same; false when nothing does.
func identity(info fs.FileInfo, pick string) (seen, bool) {
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || time.Since(info.ModTime()) < stillBusy {
		return seen{}, false
	}
	return seen{
		Size: info.Size(), Device: uint64(sys.Dev), Inode: sys.Ino, Pick: pick,
		Written: info.ModTime().UnixNano(), Moved: sys.Ctim.Nano(),
	}, true
}

func (s Store) seenFile(file, pick string) string {
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	sum := sha256.Sum256([]byte(file + "#" + pick))
	return s.path("archives", hex.EncodeToString(sum[:]))
}

// recall gives the image of an archive that was read before.
func (s Store) recall(file, pick string, info fs.FileInfo) (*Image, bool) {
	now, ok := identity(info, pick)
	if !ok {
		return nil, false
	}
	note := s.seenFile(file, pick)
	text, err := os.ReadFile(note)
	if err != nil {
		return nil, false
	}
	var before seen
	if json.Unmarshal(text, &before) != nil {
		return nil, false
	}
	now.ID, now.Names = before.ID, before.Names
	if again, err := json.Marshal(now); err != nil || string(again) != string(text) {
		return nil, false
	}
	img, err := s.Lookup(before.ID)
	if err != nil {
		return nil, false
	}
	_ = touch(note)
	img.Touch()
	img.Names = before.Names
	return img, true
}

// remember notes that an archive was read. info is from before the reading.
func (s Store) remember(file, pick string, info fs.FileInfo, img *Image) {
	note, ok := identity(info, pick)
	if !ok {
		return
	}
	note.ID, note.Names = img.ID, img.Names
	text, err := json.Marshal(note)
	if err == nil && os.MkdirAll(s.path("archives"), 0o700) == nil {
		_ = os.WriteFile(s.seenFile(file, pick), text, 0o600) // without it, the file is read again
	}
}
