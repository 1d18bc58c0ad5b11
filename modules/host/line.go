package host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed line.hcl
var lineExample string

// lineLimit is the size of the largest file that host.line edits.
const lineLimit = 4 << 20

// Line keeps one line in, or out of, a text file.
type Line struct {
	Path         string `hcl:"path" doc:"Absolute path of the file."`
	Line         string `hcl:"line,optional" doc:"The line, without its end."`
	Match        string `hcl:"match,optional" doc:"Regular expression (RE2) of the lines that the line takes the place of, or that are to go."`
	State        string `hcl:"state,optional" default:"present" oneof:"present,absent" doc:"Whether the line is to be there."`
	InsertAfter  string `hcl:"insert_after,optional" doc:"A new line comes after the last line that this regular expression matches; else it comes last."`
	InsertBefore string `hcl:"insert_before,optional" doc:"A new line comes before the first line that this regular expression matches; else it comes last."`
	Create       bool   `hcl:"create,optional" doc:"Make the file when it is missing."`

	have entry  // as Check saw it
	next string // content that Check wants
}

// Info describes host.line.
func (*Line) Info() module.Info {
	return module.Info{
		Name:    "host.line",
		Summary: "Keep one line in, or out of, a text file.",
		Doc: `With ` + "`state = \"present\"`" + ` the file holds the line once this step is done: in place of the lines that ` + "`match`" + ` finds
(the first is replaced, further ones go), or added where none is found and the line is not there yet. With
` + "`state = \"absent\"`" + ` all lines go that ` + "`match`" + ` finds, or without it those that equal the line.

The file is replaced whole or not at all and keeps its mode, owner and kind of line ends; it may be 4 MiB long. A
symbolic link is followed. Destroying takes the line out, and the file too if the step may create it and nothing else
is in it.`,
		On:      places,
		Example: lineExample,
	}
}

// Validate checks what the tags cannot say.
func (l *Line) Validate() error {
	if err := checkPath(l.Path); err != nil {
		return module.At("path", err)
	}
	if strings.ContainsAny(l.Line, "\n\r") {
		return module.At("line", errors.New("the line has a line end in it; use one step for each line, or host.file"))
	}
	if l.State == "absent" && l.Line == "" && l.Match == "" {
		return module.At("match", errors.New("say which line is to go: line or match"))
	}
	if l.State != "absent" && l.Line == "" {
		return module.At("line", errors.New("say which line is to be there"))
	}
	if l.InsertAfter != "" && l.InsertBefore != "" {
		return module.At("insert_before", errors.New("insert_after and insert_before exclude each other"))
	}
	for _, re := range []struct{ arg, text string }{
		{"match", l.Match}, {"insert_after", l.InsertAfter}, {"insert_before", l.InsertBefore},
	} {
		if _, err := regexp.Compile(re.text); err != nil {
			return module.At(re.arg, err)
		}
	}
	return nil
}

// Check reads the file and finds out what it should hold, in one command.
func (l *Line) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	have, err := look(ctx, env, l.Path, true, lineLimit, "")
	if err != nil {
		return module.NoChange, module.At("path", err)
	}
	l.have = have
	if have.missing {
		if l.State == "absent" {
			return module.NoChange, nil
		}
		l.next = l.Line + "\n"
		return module.Change{
			Action:  module.Create,
			Summary: fmt.Sprintf("create %s with the line", l.Path),
			Diff:    []module.Diff{{Path: l.Path, After: l.next}},
		}, nil
	}
	if err := l.editable(have); err != nil {
		return module.NoChange, module.At("path", err)
	}
	if l.next, err = l.edit(have.content); err != nil || l.next == have.content {
		return module.NoChange, err
	}
	return module.Change{
		Action:  module.Update,
		Summary: l.Path,
		Diff:    []module.Diff{changed(l.Path, have.content, l.next)},
	}, nil
}

// Apply writes the file that Check worked out.
func (l *Line) Apply(ctx context.Context, env *module.Env) error {
	if l.have.missing && !l.Create {
		return module.At("path", module.Explain(fmt.Errorf("there is no file %s on %s: %w", l.Path, env.Target, fs.ErrNotExist),
			"correct the path, or set create = true"))
	}
	return l.write(ctx, env, l.next)
}

// Destroy takes the line out again.
func (l *Line) Destroy(ctx context.Context, env *module.Env) error {
	if l.State == "absent" || l.have.missing {
		return nil
	}
	without := Line{Path: l.Path, Line: l.Line, State: "absent"}
	rest, err := without.edit(l.have.content)
	if err != nil || rest == l.have.content {
		return err
	}
	if rest != "" || !l.Create {
		return l.write(ctx, env, rest)
	}
	files, err := env.Files()
	if err != nil {
		return err
	}
	if err = files.Remove(ctx, l.Path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return blame(ctx, env, l.Path, meta{}, 0, false, err)
}

func (l *Line) write(ctx context.Context, env *module.Env, content string) error {
	files, err := env.Files()
	if err != nil {
		return err
	}
	path, m := l.have.real, conn.FileMeta{}
	if l.have.missing {
		path, m.Mode = l.Path, 0o644
	}
	err = files.Write(ctx, path, strings.NewReader(content), m)
	return blame(ctx, env, path, meta{}, int64(len(content)), false, err)
}

// editable refuses what is no text file of a fair size.
func (l *Line) editable(e entry) error {
	switch {
	case e.kind() != regular:
		return fmt.Errorf("%s is %s", l.Path, e.what())
	case e.unreadable:
		return refused(fmt.Errorf("%s may not be read: %w", l.Path, fs.ErrPermission), "", fs.ErrPermission)
	case !e.shown:
		return fmt.Errorf("%s has %s; host.line edits files of at most %s", l.Path, bytesText(e.size), bytesText(lineLimit))
	case strings.ContainsRune(e.content, 0):
		return fmt.Errorf("%s is no text file", l.Path)
	}
	return nil
}

// edit gives content as the step wants it. What it gives, it leaves as it is.
func (l *Line) edit(content string) (string, error) {
	eol := "\n"
	if first, _, ok := strings.Cut(content, "\n"); ok && strings.HasSuffix(first, "\r") {
		eol = "\r\n"
	}
	var lines []string
	for line := range strings.Lines(content) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	finds := func(line string) bool { return line == l.Line }
	if l.Match != "" {
		re, err := regexp.Compile(l.Match)
		if err != nil {
			return "", module.At("match", err)
		}
		finds = re.MatchString
	}
	if l.State == "absent" {
		kept := slices.DeleteFunc(slices.Clone(lines), finds)
		return join(content, lines, kept, eol), nil
	}
	next, err := l.present(lines, finds)
	return join(content, lines, next, eol), err
}

// present gives lines with the line among them.
func (l *Line) present(lines []string, finds func(string) bool) ([]string, error) {
	isLine := func(line string) bool { return line == l.Line }
	if l.Match == "" && slices.ContainsFunc(lines, isLine) {
		return lines, nil
	}
	var next []string
	stands := slices.ContainsFunc(lines, func(line string) bool { return isLine(line) && !finds(line) })
	for _, line := range lines {
		switch {
		case !finds(line):
			next = append(next, line)
		case !stands:
			next, stands = append(next, l.Line), true
		}
	}
	if stands {
		return next, nil
	}
	at, err := l.place(next)
	return slices.Insert(next, at, l.Line), err
}

// place is the index at which a new line goes in.
func (l *Line) place(lines []string) (int, error) {
	switch {
	case l.InsertAfter != "":
		re, err := regexp.Compile(l.InsertAfter)
		if err != nil {
			return 0, module.At("insert_after", err)
		}
		for i, line := range slices.Backward(lines) {
			if re.MatchString(line) {
				return i + 1, nil
			}
		}
	case l.InsertBefore != "":
		re, err := regexp.Compile(l.InsertBefore)
		if err != nil {
			return 0, module.At("insert_before", err)
		}
		if i := slices.IndexFunc(lines, re.MatchString); i >= 0 {
			return i, nil
		}
	}
	return len(lines), nil
}

// join makes a file of lines. Content that has them already stays as it is, to
// the last byte: a missing end of the last line alone is no reason to write.
func join(content string, had, lines []string, eol string) string {
	switch {
	case slices.Equal(had, lines):
		return content
	case len(lines) == 0:
		return ""
	}
	return strings.Join(lines, eol) + eol
}

// changed is the stretch of lines in which two texts differ. The rest of the
// file is nobody's business: plans are kept, and files hold passwords.
func changed(path, before, after string) module.Diff {
	b, a := slices.Collect(strings.Lines(before)), slices.Collect(strings.Lines(after))
	for len(b) > 0 && len(a) > 0 && b[0] == a[0] {
		b, a = b[1:], a[1:]
	}
	for len(b) > 0 && len(a) > 0 && b[len(b)-1] == a[len(a)-1] {
		b, a = b[:len(b)-1], a[:len(a)-1]
	}
	return module.Diff{Path: path, Before: strings.Join(b, ""), After: strings.Join(a, "")}
}
