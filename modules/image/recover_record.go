package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/history"
	"github.com/adbsql/antdbctl/modules/image/recovery"
)

// recordName is the file beside a recovered Dockerfile that remembers where it
// came from.
const recordName = ".antdbctl-recovery.json"

// record is what a folder was recovered from, and what was found out.
type record struct {
	Source      string   `json:"source"`
	Name        string   `json:"name"`
	How         string   `json:"how"`
	Dockerfile  string   `json:"dockerfile"` // its digest
	From        From     `json:"from"`
	Guesses     []string `json:"guesses"`
	Needs       []string `json:"needs"`
	Warnings    []string `json:"warnings"`
	Verified    string   `json:"verified,omitempty"` // the Dockerfile that was rebuilt
	Differences []string `json:"differences,omitempty"`
}

func newRecord(r *Recover, result *recovery.Result) *record {
	d := result.Dockerfile
	rec := &record{
		Source: r.source.id, Name: r.source.name, How: r.how(), Dockerfile: digestOf(d.String()),
		Guesses: result.Guesses(), Needs: d.Needs, Warnings: result.Warnings,
		From: From{Name: d.Base.Name, Certainty: d.Base.Sure.String()},
	}
	if d.Flat != "" {
		rec.From.Name = ""
	}
	return rec
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// readRecord reads the record of a folder; nil when the folder is empty or not
// there. A folder with anything else in it is an error.
func readRecord(dir string) (*record, error) {
	text, err := os.ReadFile(filepath.Join(dir, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(dir)
		if err == nil && len(entries) > 0 {
			return nil, module.Explain(fmt.Errorf("%s has other files in it (%s)", dir, entries[0].Name()), "name a folder that is empty or not there")
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	rec := &record{}
	if err := json.Unmarshal(text, rec); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, recordName), err)
	}
	return rec, nil
}

func (rec *record) write(dir string) error {
	text, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, recordName), append(text, '\n'), 0o644)
}

// verifiedBy is the digest of the Dockerfile that a folder has now.
func verifiedBy(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		return ""
	}
	return digestOf(string(text))
}

func (rec *record) edited(dir string) bool {
	now := verifiedBy(dir)
	return now != "" && now != rec.Dockerfile
}

// fill gives the outputs what the record has.
func (r *Recover) fill(dir string, rec *record) {
	r.Dockerfile = filepath.Join(dir, "Dockerfile")
	r.From, r.Guesses, r.Needs, r.Warnings = rec.From, rec.Guesses, rec.Needs, rec.Warnings
	verified := rec.Verified != "" && rec.Verified == verifiedBy(dir)
	r.Same = verified && len(rec.Differences) == 0
	r.Differences = nil
	if verified {
		r.Differences = rec.Differences
	}
	for _, list := range []*[]string{&r.Guesses, &r.Needs, &r.Warnings, &r.Differences} {
		if *list == nil {
			*list = []string{}
		}
	}
}

// maxHistory is more text than any history has.
const maxHistory = 16 << 20

// open gets the source.
func (r *Recover) open(ctx context.Context, env *module.Env) (*recoverySource, error) {
	if r.History == "" {
		img, err := openSource(ctx, env, r.Image, r.Archive)
		if err != nil {
			return nil, err
		}
		name := r.Image
		if name == "" {
			name = r.Archive
			if len(img.Names) > 0 {
				name = img.Names[0]
			}
		}
		return &recoverySource{id: img.ID, name: name, image: img}, nil
	}
	f, err := os.Open(env.Path(r.History))
	if err != nil {
		return nil, module.At("history", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxHistory))
	if err != nil {
		return nil, module.At("history", err)
	}
	return textSource(filepath.Base(r.History), string(text))
}

// textSource holds text to being a history before anything is planned with it.
func textSource(name, text string) (*recoverySource, error) {
	if _, err := history.ReadText(strings.NewReader(text)); err != nil {
		return nil, (&Recover{History: name}).blame(fmt.Errorf("%s: %w", name, err))
	}
	return &recoverySource{id: digestOf(text), name: name, text: text}, nil
}
