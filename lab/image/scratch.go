package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"

	"github.com/adbsql/antdbctl/lab/docker"
)

// Scratch is an image that holds one static binary and nothing else.
type Scratch struct {
	Name       string
	Binary     string // on the host
	Dockerfile string // its text; copies the binary by its base name
}

// Pause is the image of every pod's sandbox.
func Pause(name, binary string) Scratch {
	return Scratch{Name: name, Binary: binary, Dockerfile: "FROM scratch\nCOPY pause /pause\nENTRYPOINT [\"/pause\"]\n"}
}

// Ensure builds the image unless the engine has it with this very binary.
func (s Scratch) Ensure(ctx context.Context, engine docker.Engine) error {
	key, err := s.key()
	if err != nil || engine.Label(ctx, s.Name, docker.KeyLabel) == key {
		return err
	}
	dir, err := os.MkdirTemp("", "antdbctl-lab-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyFile(s.Binary, filepath.Join(dir, filepath.Base(s.Binary))); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(s.Dockerfile), 0o644); err != nil {
		return err
	}
	_, err = engine.Do(ctx, "build", "-q", "--network=none", "--label", docker.KeyLabel+"="+key, "-t", s.Name, dir)
	return err
}

func (s Scratch) key() (string, error) {
	file, err := os.Open(s.Binary)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	io.WriteString(sum, s.Dockerfile)
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o755)
}
