package recovery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/history"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// placer puts the files of COPY and ADD lines into the context.
type placer struct {
	ctx    context.Context
	img    *store.Image
	dir    string
	root   *os.Root          // the context, opened when there is a file for it
	claims map[string]string // paths in the context → what they are for
	needs  []string
	env    []string
	work   string // WORKDIR in force
}

// place gives every COPY and ADD its files. A row that no instruction explains
// becomes the files that it left.
func (p *placer) place(steps []history.Step) ([]history.Step, error) {
	var out []history.Step
	p.work = "/"
	for i, s := range steps {
		if s.Verb == "WORKDIR" {
			p.work = p.absolute(s.Text)
		}
		n := s.Row.Layer
		if n < 0 && s.Copy != nil {
			if n = squashed(steps[i:]); n >= 0 {
				s.Guesses = append(s.Guesses, fmt.Sprintf("the builder made one layer of many rows; the files are as layer %d leaves them", n+1))
			}
		}
		switch {
		case s.Copy != nil && n < 0:
			p.placeholder(&s)
		case s.Copy != nil:
			if err := p.fill(&s, n); err != nil {
				return nil, fmt.Errorf("files of %s: %w", s.Row.By, err)
			}
		case s.Verb == "" && n >= 0:
			more, err := p.whole(s, n)
			if err != nil {
				return nil, fmt.Errorf("files of layer %d: %w", n+1, err)
			}
			out = append(out, more...)
			continue
		}
		out = append(out, s)
	}
	if p.root != nil {
		return out, p.root.Close()
	}
	return out, nil
}

// squashed is the layer that several rows share, which the last of them has.
func squashed(steps []history.Step) int {
	for _, s := range steps {
		if s.Row.Layer >= 0 {
			return s.Row.Layer
		}
	}
	return -1
}

func (p *placer) absolute(name string) string {
	name = os.Expand(name, func(v string) string {
		for _, pair := range p.env {
			if value, ok := strings.CutPrefix(pair, v+"="); ok {
				return value
			}
		}
		return ""
	})
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join("/", p.work, name)
}

// placeholder names the files that someone must supply.
func (p *placer) placeholder(s *history.Step) {
	c := s.Copy
	if c == nil {
		return
	}
	own := *c
	s.Copy = &own
	if len(own.Sources) == 0 {
		name := "files/" + clean(own.Dest)
		if own.Dest == "/" {
			name = "files/rootfs.tar"
		} else if strings.HasSuffix(own.Dest, "/") && own.Kind == "file" {
			name += "/" + own.Sum[:12]
		}
		name = p.claim(name)
		s.Guesses = append(s.Guesses, fmt.Sprintf("the name of the source is made up: the history has only its checksum, %s:%s", own.Kind, own.Sum[:12]))
		own.Sources = []string{name}
	}
	for _, source := range own.Sources {
		if need := fmt.Sprintf("%s  (%s %s)", source, s.Verb, own.Dest); !slices.Contains(p.needs, need) {
			p.needs = append(p.needs, need)
		}
	}
}

// claim gives a path in the context that nothing else uses or lies in.
func (p *placer) claim(name string) string {
	for n := 1; ; n++ {
		free := name
		if n > 1 {
			if bare, ok := strings.CutSuffix(name, ".tar"); ok {
				free = fmt.Sprintf("%s-%d.tar", bare, n)
			} else {
				head, rest, _ := strings.Cut(name, "/")
				free = fmt.Sprintf("%s-%d/%s", head, n, rest)
			}
		}
		if !p.taken(free) {
			p.claims[free] = name
			return free
		}
	}
}

func (p *placer) taken(name string) bool {
	for have := range p.claims {
		if have == name || strings.HasPrefix(have, name+"/") || strings.HasPrefix(name, have+"/") {
			return true
		}
	}
	return name == "Dockerfile" || name == ".dockerignore" || name == ""
}

// fill finds what the layer holds for the step and puts it into the context.
func (p *placer) fill(s *history.Step, n int) error {
	l, err := readLayer(p.ctx, p.img, n)
	if err != nil {
		return err
	}
	own := *s.Copy
	s.Copy = &own
	dest := clean(p.absolute(own.Dest))
	found := l.under(dest)
	if len(found) == 0 {
		if dest, found = l.moved(); len(found) == 0 {
			return p.nothing(s)
		}
		s.Guesses = append(s.Guesses, fmt.Sprintf("the files came to lie under /%s: %s was a link there", dest, own.Dest))
		own.Dest = "/" + dest
	}
	if err := straight(found); err != nil {
		return err
	}
	owner, plain := uniform(found, dest)
	if !plain || s.Verb == "ADD" && unpacked(own, found, dest) {
		return p.archive(s, n, found, plain)
	}
	// modes are those of the files by now, and what else there was chose files
	own.Flags = slices.DeleteFunc(slices.Clone(own.Flags), func(f string) bool { return !strings.HasPrefix(f, "--chown=") })
	p.chown(s, owner)
	return p.copyFiles(s, n, dest, found)
}

// nothing is left of a COPY whose files were there already, or of an empty
// folder.
func (p *placer) nothing(s *history.Step) error {
	if err := p.open(); err != nil {
		return err
	}
	name := p.claim("files/empty")
	s.Notes = append(s.Notes, "its layer is empty: it copied what was there already, or an empty folder")
	s.Copy.Sources = []string{name + "/"}
	return p.root.MkdirAll(name, 0o755)
}

// chown says who owns the files, where it is not root.
func (p *placer) chown(s *history.Step, owner owned) {
	if slices.ContainsFunc(s.Copy.Flags, func(f string) bool { return strings.HasPrefix(f, "--chown=") }) {
		return
	}
	if owner == (owned{}) {
		return
	}
	s.Copy.Flags = append([]string{fmt.Sprintf("--chown=%d:%d", owner.uid, owner.gid)}, s.Copy.Flags...)
	s.Guesses = append(s.Guesses, "the history does not show --chown; the owner is that of the files in the layer")
}

func (p *placer) open() error {
	if p.root != nil {
		return nil
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(p.dir)
	p.root = root
	return err
}

var errClash = errors.New("another file is there")
