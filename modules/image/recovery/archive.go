package recovery

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/history"
)

// archive keeps the entries of a layer as they are in an archive, which an ADD
// takes apart again: with all owners and what else a COPY cannot make.
func (p *placer) archive(s *history.Step, n int, found []*tar.Header, plain bool) error {
	name := "files/rootfs.tar"
	if len(s.Copy.Sources) == 1 && archiveName(s.Copy.Sources[0]) && !strings.Contains(s.Copy.Sources[0], "://") {
		source := clean(s.Copy.Sources[0])
		i := strings.LastIndex(source, ".t")
		name = source[:i] + ".tar"
	} else if base := path.Base(clean(s.Copy.Dest)); base != "" && base != "." {
		name = "files/" + base + ".tar"
	}
	if !plain {
		s.Notes = append(s.Notes, "its files have several owners or kinds, which COPY cannot make: an archive keeps them")
	}
	name = p.claim(name)
	keep := map[string]bool{}
	for _, h := range found {
		keep[h.Name] = true
	}
	s.Verb, s.Copy = "ADD", &history.Copy{Sources: []string{name}, Dest: "/"}
	return p.writeArchive(name, n, keep)
}

func (p *placer) writeArchive(name string, n int, keep map[string]bool) error {
	if err := p.open(); err != nil {
		return err
	}
	if err := p.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := p.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(f)
	err = eachEntry(p.ctx, p.img, n, func(h *tar.Header, r io.Reader) error {
		if !keep[h.Name] {
			return nil
		}
		if h.Typeflag == tar.TypeDir {
			h.Name += "/"
		}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(tw, r)
		return err
	})
	return errors.Join(err, tw.Close(), f.Close())
}

// whole makes steps of a row that names no instruction: its files, and a
// removal of what it took away.
func (p *placer) whole(s history.Step, n int) ([]history.Step, error) {
	l, err := readLayer(p.ctx, p.img, n)
	if err != nil {
		return nil, err
	}
	reason := "nothing tells how this layer was made: its files are taken as they are"
	if s.Text != "" {
		reason = fmt.Sprintf("%q is no instruction: the files of its layer are taken as they are", s.Text)
	}
	var steps []history.Step
	if len(l.gone) > 0 {
		words := []string{"rm", "-rf", "--"}
		for _, name := range l.gone {
			words = append(words, "/"+name)
		}
		steps = append(steps, history.Step{Verb: "RUN", Argv: words, Row: history.Row{Layer: -1}, Guesses: []string{"this layer takes these away"}})
	}
	if len(l.entries) == 0 {
		return steps, nil
	}
	name := p.claim(fmt.Sprintf("files/layer%02d.tar", n+1))
	keep := map[string]bool{}
	for _, h := range l.entries {
		keep[h.Name] = true
	}
	s.Verb, s.Text, s.Copy = "ADD", "", &history.Copy{Sources: []string{name}, Dest: "/"}
	s.Guesses = append(s.Guesses, reason)
	return append(steps, s), p.writeArchive(name, n, keep)
}
