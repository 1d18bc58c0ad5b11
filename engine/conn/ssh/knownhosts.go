package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// knownDB is what known_hosts files say.
type knownDB struct {
	*knownhosts.HostKeyDB
	copies map[string]string // the file that a copy was made of
}

// file is where a known key is written.
func (db *knownDB) file(k xknownhosts.KnownKey) string {
	if original := db.copies[k.Filename]; original != "" {
		return original
	}
	return k.Filename
}

// readKnownHosts reads those of files that are there.
func readKnownHosts(files []string) (*knownDB, error) {
	var present []string
	for _, f := range files {
		if _, err := os.Stat(f); err == nil {
			present = append(present, f)
		}
	}
	if db, err := knownhosts.NewDB(present...); err == nil {
		return &knownDB{HostKeyDB: db}, nil
	}
	return readReadable(present)
}

// readReadable leaves out the lines that cannot be read (key types of other
// times, typing errors), as OpenSSH does; the library would give up the file.
// It needs copies, in which all other lines keep their number.
func readReadable(files []string) (*knownDB, error) {
	dir, err := os.MkdirTemp("", "antdbctl-known-hosts-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	copies := map[string]string{}
	var names []string
	for i, f := range files {
		text, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return nil, err
		}
		lines := bytes.Split(text, []byte("\n"))
		for n, line := range lines {
			if _, _, _, _, _, err := ssh.ParseKnownHosts(line); err != nil {
				lines[n] = []byte("#")
			}
		}
		name := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(name, bytes.Join(lines, []byte("\n")), 0o600); err != nil {
			return nil, err
		}
		copies[name] = f
		names = append(names, name)
	}
	db, err := knownhosts.NewDB(names...)
	return &knownDB{HostKeyDB: db, copies: copies}, err
}

// remembering keeps hosts that are met at the same time from mixing lines.
var remembering sync.Mutex

// remember adds a key that accept-new accepts.
func remember(file, host string, key ssh.PublicKey) error {
	remembering.Lock()
	defer remembering.Unlock()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("remember host key: %w", err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("remember host key: %w", err)
	}
	line := knownhosts.Line([]string{host}, key) + "\n"
	if last := make([]byte, 1); !endsLine(f, last) {
		line = "\n" + line
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}

// endsLine tells whether f is empty or ends with a newline.
func endsLine(f *os.File, last []byte) bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return true
	}
	_, err = f.ReadAt(last, info.Size()-1)
	return err != nil || last[0] == '\n'
}
