package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed file.hcl
var fileExample string

// diffLimit is the size above which contents are compared by hash alone.
const diffLimit = 64 << 10

// File keeps one file with a given content, mode and owner.
type File struct {
	Path          string       `hcl:"path" doc:"Absolute path of the file."`
	Content       *string      `hcl:"content,optional" doc:"The content as text; templatefile() renders one from a template."`
	Source        string       `hcl:"source,optional" doc:"A file of this machine with the content, of any size; relative to the runbook."`
	SecretContent secret.Value `hcl:"secret_content,optional" doc:"The content as a secret: it is never shown, and a new file gets mode 0600."`
	Mode          string       `hcl:"mode,optional" doc:"Permission bits in octal. Without it a new file gets 0644, and an old one keeps its own."`
	Owner         string       `hcl:"owner,optional" doc:"User that owns the file, by name or number."`
	Group         string       `hcl:"group,optional" doc:"Group of the file, by name or number."`

	SHA256 string `out:"sha256" doc:"SHA-256 of the content; empty for secret content."`
	Size   int64  `out:"size" doc:"Size in bytes."`

	have entry // as Check saw it
	hash string
}

// Info describes host.file.
func (*File) Info() module.Info {
	return module.Info{
		Name:    "host.file",
		Summary: "Keep a file with a given content, mode and owner.",
		Doc: `The content comes from exactly one of ` + "`content`, `source` and `secret_content`" + `. It is written whole or not at all:
under a temporary name in the same folder, synced, renamed. The plan shows text up to 64 KiB as a line diff and
larger or binary content by its SHA-256. A symbolic link at the path is replaced by the file, which the plan says.

The folder must exist; a ` + "`host.directory`" + ` step makes it. Destroying removes the file.`,
		On:      places,
		Example: fileExample,
	}
}

// Validate checks what the tags cannot say.
func (f *File) Validate() error {
	given := 0
	for _, set := range []bool{f.Content != nil, f.Source != "", !f.SecretContent.IsZero()} {
		if set {
			given++
		}
	}
	if given != 1 {
		return fmt.Errorf("host.file takes exactly one of content, source and secret_content; %d are given", given)
	}
	if err := checkPath(f.Path); err != nil {
		return module.At("path", err)
	}
	return module.At("mode", checkMode(f.Mode))
}

// Check compares the file with what is wanted, in one command.
func (f *File) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	want, err := f.wanted(env)
	if err != nil {
		return module.NoChange, err
	}
	limit, known := int64(diffLimit), f.hash
	if f.secret() {
		limit, known = -1, "" // neither the content nor a hash of it goes into an argument vector
	}
	have, err := look(ctx, env, f.Path, false, limit, known)
	if err != nil {
		return module.NoChange, module.At("path", err)
	}
	f.have = have
	if have.missing {
		return module.Change{
			Action:  module.Create,
			Summary: fmt.Sprintf("create %s (%s, %s)", f.Path, f.meta(), bytesText(f.Size)),
			Diff:    f.contentDiff("", want),
		}, nil
	}
	switch have.kind() {
	case regular:
	case symlink:
		return module.Change{
			Action:  module.Replace,
			Summary: fmt.Sprintf("replace %s, %s, by a file (%s, %s)", f.Path, have.what(), f.meta(), bytesText(f.Size)),
			Diff:    f.contentDiff(have.what(), want),
		}, nil
	default:
		return module.NoChange, module.At("path", fmt.Errorf("%s is %s", f.Path, have.what()))
	}
	same, err := f.sameContent(ctx, env)
	if err != nil {
		return module.NoChange, err
	}
	var diffs []module.Diff
	if !same {
		diffs = f.contentDiff(textOr(have.content, have.size, have.sha256), want)
	}
	diffs = append(diffs, meta{f.Mode, f.Owner, f.Group}.diff(have)...)
	if len(diffs) == 0 {
		return module.NoChange, nil
	}
	return module.Change{Action: module.Update, Summary: f.Path + ": " + summaryOf(diffs), Diff: diffs}, nil
}

// Apply writes the file, or only its mode and owner where the content is right.
func (f *File) Apply(ctx context.Context, env *module.Env) error {
	same := false
	if !f.have.missing && f.have.kind() == regular {
		var err error
		if same, err = f.sameContent(ctx, env); err != nil {
			return err
		}
	}
	if same {
		m := meta{f.Mode, f.Owner, f.Group}
		return blame(ctx, env, f.Path, m, 0, false, setMeta(ctx, env, f.Path, m, false))
	}
	body, err := f.open(env)
	if err != nil {
		return module.At("source", err)
	}
	defer body.Close()
	files, err := env.Files()
	if err != nil {
		return err
	}
	m := f.meta()
	bits, _ := modeBits(m.mode)
	err = files.Write(ctx, f.Path, &progress{r: body, total: f.Size, report: env.Progress},
		conn.FileMeta{Mode: fs.FileMode(bits & 0o777), Owner: f.Owner, Group: f.Group})
	if err == nil && m.mode != "" && (bits == 0 || bits > 0o777) { // what FileMeta cannot say
		err = setMeta(ctx, env, f.Path, meta{mode: m.mode}, false)
	}
	return blame(ctx, env, f.Path, m, f.Size, false, err)
}

// Destroy removes the file.
func (f *File) Destroy(ctx context.Context, env *module.Env) error {
	files, err := env.Files()
	if err != nil {
		return err
	}
	if err = files.Remove(ctx, f.Path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return blame(ctx, env, f.Path, meta{}, 0, false, err)
}

func (f *File) secret() bool { return !f.SecretContent.IsZero() }

// meta is what a file that Apply writes gets; empty keeps what is there.
func (f *File) meta() meta {
	m := meta{f.Mode, f.Owner, f.Group}
	if m.mode == "" && (f.have.missing || f.have.kind() == symlink) {
		m.mode = "0644"
		if f.secret() {
			m.mode = "0600"
		}
	}
	return m
}

// open gives the wanted content.
func (f *File) open(env *module.Env) (io.ReadCloser, error) {
	switch {
	case f.Source != "":
		return os.Open(env.Path(f.Source))
	case f.secret():
		return io.NopCloser(strings.NewReader(f.SecretContent.Reveal())), nil
	}
	return io.NopCloser(strings.NewReader(*f.Content)), nil
}

// wanted reads the content once for its hash and size, and keeps at most as
// much of it as a diff may show, for a diff.
func (f *File) wanted(env *module.Env) (string, error) {
	body, err := f.open(env)
	if err != nil {
		return "", module.At("source", err)
	}
	defer body.Close()
	sum, head := sha256.New(), bytes.Buffer{}
	if _, err := io.Copy(io.MultiWriter(sum, &head), io.LimitReader(body, diffLimit+1)); err != nil {
		return "", module.At("source", err)
	}
	n, err := io.Copy(sum, body)
	if err != nil {
		return "", module.At("source", err)
	}
	f.Size, f.hash = int64(head.Len())+n, hex.EncodeToString(sum.Sum(nil))
	if f.secret() {
		return "", nil
	}
	f.SHA256 = f.hash
	return textOr(head.String(), f.Size, f.hash), nil
}

// textOr is content itself where it is short text, else a description of it.
func textOr(content string, size int64, hash string) string {
	if size <= diffLimit && utf8.ValidString(content) && !strings.ContainsRune(content, 0) {
		return content
	}
	if hash == "" {
		hash = "unknown"
	}
	return fmt.Sprintf("(%s, sha256 %s)", bytesText(size), hash)
}

func (f *File) contentDiff(before, after string) []module.Diff {
	if f.secret() {
		return []module.Diff{{Path: "content", Before: secret.Hidden, After: secret.Hidden}}
	}
	return []module.Diff{{Path: "content", Before: before, After: after}}
}

// sameContent compares hashes. Where the place has no tool for them, the file
// is read over the connection.
func (f *File) sameContent(ctx context.Context, env *module.Env) (bool, error) {
	if f.have.unreadable {
		return false, module.At("path", refused(fmt.Errorf("%s may not be read: %w", f.Path, fs.ErrPermission), "", fs.ErrPermission))
	}
	if f.have.size != f.Size || f.have.sha256 != "" {
		return f.have.size == f.Size && f.have.sha256 == f.hash, nil
	}
	files, err := env.Files()
	if err != nil {
		return false, err
	}
	body, err := files.Open(ctx, f.Path)
	if err != nil {
		return false, module.At("path", err)
	}
	defer body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return false, module.At("path", err)
	}
	f.have.sha256 = hex.EncodeToString(sum.Sum(nil))
	return f.have.sha256 == f.hash, nil
}

// progress tells how much of r was read.
type progress struct {
	r           io.Reader
	done, total int64
	report      func(done, total int64, unit string)
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if p.done += int64(n); n > 0 {
		p.report(p.done, p.total, "B")
	}
	return n, err
}
