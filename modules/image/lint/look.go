package lint

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/buildcontext"
	"github.com/adbsql/antdbctl/modules/image/dockerfile"
)

// look is a Dockerfile followed step by step: which files are where, in which
// folder a line works, and what its commands are.
type look struct {
	Input
	steps []step
	files []buildcontext.Entry // of the context, in order
	rule  string
	found []Finding
}

// step is one instruction and what is known when it runs.
type step struct {
	dockerfile.Instruction
	stage    dockerfile.Stage
	vars     map[string]string
	declared map[string]bool // by ARG and ENV of this stage
	base     string          // image that the stage starts from, with variables filled in
	dir      string          // working directory; empty when unknown
	shell    string          // of the last SHELL; empty for the usual one
	placed   []placed        // what was put where, up to here
	puts     []placed        // what this COPY or ADD puts where
	commands []command       // of a RUN
}

// placed is a file or folder that an instruction put into the image.
type placed struct {
	path   string // in the image
	line   int
	verb   string
	source string              // in the context
	entry  *buildcontext.Entry // nil when it is not of the context, or not known
}

func newLook(in Input) *look {
	l := &look{Input: in}
	if in.Context != nil {
		_ = in.Context.Walk(func(e buildcontext.Entry) error { l.files = append(l.files, e); return nil }) // what cannot be read fails later, with its name
	}
	vars := map[int]map[string]string{}
	in.File.Each(in.Args, func(i dockerfile.Instruction, v map[string]string) { vars[i.Line] = maps.Clone(v) })
	ends := map[string]step{} // stages so far, by name and number
	now := step{}
	for stage, i := range in.File.Stages() {
		if i.Verb == "FROM" {
			base := dockerfile.Expand(stage.Image, vars[i.Line])
			now = ends[strings.ToLower(base)]
			if now.dir == "" {
				now.dir = "/"
			}
			if now.base == "" {
				now.base = base
			}
			now.declared = map[string]bool{}
		}
		now.Instruction, now.stage, now.vars, now.commands, now.puts = i, stage, vars[i.Line], nil, nil
		now.declared, now.placed = maps.Clone(now.declared), slices.Clip(now.placed)
		switch i.Verb {
		case "RUN":
			now.commands = commands(i.Script(), now.dir)
		case "COPY", "ADD":
			now.puts = l.place(now)
		}
		l.steps = append(l.steps, now)
		l.advance(&now)
		ends[stage.Name], ends[fmt.Sprint(stage.Index)] = now, now
	}
	return l
}

// advance is what an instruction changes for those after it.
func (l *look) advance(s *step) {
	switch s.Verb {
	case "WORKDIR":
		s.dir = resolve(s.dir, dockerfile.Expand(strings.Trim(s.Text, `"'`), s.vars))
	case "SHELL":
		s.shell = s.Text
	case "ARG":
		for _, word := range strings.Fields(s.Text) {
			name, _, _ := strings.Cut(word, "=")
			s.declared[name] = true
		}
	case "ENV":
		for name := range s.Env() {
			s.declared[name] = true
		}
	case "COPY", "ADD":
		s.placed = append(s.placed, s.puts...)
	case "RUN":
		for _, c := range s.commands { // what an archive brings is there for later layers
			if to, ok := unpacksTo(c); ok && s.resolve(c, to) != "" {
				s.placed = append(s.placed, placed{path: s.resolve(c, to), line: s.Line, verb: "RUN"})
			}
		}
	}
}

// resolve is the path that a word of a command means.
func (s step) resolve(c command, word string) string {
	return resolve(c.dir, dockerfile.Expand(word, s.vars))
}

// place is where a COPY or ADD puts its sources.
func (l *look) place(s step) (list []placed) {
	cp, ok := s.Copy()
	if !ok {
		return nil
	}
	dest := dockerfile.Expand(cp.Dest, s.vars)
	to := resolve(s.dir, dest)
	if to == "" {
		return nil
	}
	intoFolder := strings.HasSuffix(dest, "/") || dest == "." || len(cp.Sources) > 1
	for _, source := range cp.Sources {
		source = dockerfile.Expand(source, s.vars)
		p := placed{path: to, line: s.Line, verb: s.Verb, source: source}
		for _, e := range l.sources(cp, source) {
			p := p
			p.entry, p.source = &e, e.Name
			if !e.Info.IsDir() && (intoFolder || l.isFolder(s, to)) {
				p.path = path.Join(to, path.Base(e.Name))
			}
			list = append(list, p)
		}
		if l.Context == nil || cp.From != "" || dockerfile.IsURL(source) {
			if intoFolder && !strings.HasSuffix(source, "/") && path.Ext(source) != "" {
				p.path = path.Join(to, path.Base(source))
			}
			list = append(list, p)
		}
	}
	return list
}

// isFolder reports whether something was put below a path, so that a file goes
// into it.
func (l *look) isFolder(s step, to string) bool {
	known := to == "/" || to == "/tmp" || to == "/opt" || to == s.dir
	return known || slices.ContainsFunc(s.placed, func(p placed) bool { return strings.HasPrefix(p.path, to+"/") })
}

// sources are the files and folders of the context that a source names.
func (l *look) sources(cp dockerfile.Copy, source string) (list []buildcontext.Entry) {
	if l.Context == nil || cp.From != "" || dockerfile.IsURL(source) || strings.Contains(source, "$") {
		return nil
	}
	if dockerfile.IsPlain(source) {
		if e, ok := l.Context.Lookup(source); ok {
			return []buildcontext.Entry{e}
		}
		return nil
	}
	pattern := strings.TrimPrefix(path.Clean("/"+source), "/")
	for _, e := range l.files {
		if ok, err := path.Match(pattern, e.Name); ok && err == nil {
			list = append(list, e)
		}
	}
	return list
}

// below are the regular files of the context at or below a placed entry.
func (l *look) below(p placed) (list []buildcontext.Entry) {
	if p.entry == nil {
		return nil
	}
	for _, e := range l.files {
		if e.Info.Mode().IsRegular() && (e.Name == p.entry.Name || p.entry.Name == "." || strings.HasPrefix(e.Name, p.entry.Name+"/")) {
			list = append(list, e)
		}
	}
	return list
}

// file is the file of the context that stands at a path of the image.
func (l *look) file(p placed, at string) (buildcontext.Entry, bool) {
	if p.entry == nil {
		return buildcontext.Entry{}, false
	}
	if !p.entry.Info.IsDir() {
		return *p.entry, p.path == at
	}
	rel, ok := strings.CutPrefix(at, strings.TrimSuffix(p.path, "/")+"/")
	if !ok {
		return buildcontext.Entry{}, false
	}
	e, ok := l.Context.Lookup(path.Join(p.entry.Name, rel))
	return e, ok && !e.Info.IsDir()
}

// size is how many bytes were placed; known is false when nobody can tell yet.
func (l *look) size(p placed) (total int64, known bool) {
	for _, e := range l.below(p) {
		total += e.Info.Size()
	}
	return total, p.entry != nil
}

// isBig reports whether the bytes are worth a word, and how to speak of them.
func (l *look) isBig(p placed) (text string, big bool) {
	n, known := l.size(p)
	if !known {
		return "its bytes", true
	}
	return inMiB(n), n >= 1<<20
}

func inMiB(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// isRegular leaves folders, links and what is missing out.
func isRegular(e buildcontext.Entry) bool { return e.Info != nil && e.Info.Mode()&fs.ModeType == 0 }

// sorted are the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
