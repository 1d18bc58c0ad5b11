package dockerfile

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
	"strings"
)

var (
	heredocMark = regexp.MustCompile(`(?:^|[^<])<<(-?)(["']?)([A-Za-z_][A-Za-z0-9_]*)["']?`)
	directive   = regexp.MustCompile(`^#\s*([A-Za-z]+)\s*=\s*(.+?)\s*$`)
)

// Parse reads a Dockerfile. It takes whatever is written in lines: what a
// builder would refuse is not its business.
func Parse(r io.Reader) (*File, error) {
	p := parser{escape: `\`, file: &File{}}
	p.lines = bufio.NewScanner(r)
	p.lines.Buffer(nil, 4<<20)
	p.lines.Split(keepCR)
	var (
		start int
		buf   strings.Builder
		open  = false // within a continued instruction
		top   = true  // directives may still come
	)
	for p.scan() {
		trimmed := strings.TrimSpace(p.text)
		if top = top && p.directive(trimmed); top {
			continue
		}
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if !open {
			start = p.n
		}
		body, more := strings.CutSuffix(strings.TrimRight(p.text, " \t"), p.escape)
		buf.WriteString(body)
		if open = more; open {
			continue
		}
		in := newInstruction(start, buf.String())
		buf.Reset()
		p.heredocs(&in)
		p.file.Instructions = append(p.file.Instructions, in)
	}
	if open {
		p.file.Instructions = append(p.file.Instructions, newInstruction(start, buf.String()))
	}
	return p.file, p.lines.Err()
}

type parser struct {
	lines  *bufio.Scanner
	text   string // of the line, without its end
	n      int    // its number
	escape string
	file   *File
}

// keepCR splits at LF alone, so that a CR is still seen.
func keepCR(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

func (p *parser) scan() bool {
	if !p.lines.Scan() {
		return false
	}
	p.n++
	text, crlf := strings.CutSuffix(p.lines.Text(), "\r")
	if crlf && p.file.CRLF == 0 {
		p.file.CRLF = p.n
	}
	if p.n == 1 {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	p.text = text
	return true
}

// directive takes a parser directive. The first line that is none ends them.
func (p *parser) directive(line string) bool {
	m := directive.FindStringSubmatch(line)
	if m == nil {
		return false
	}
	switch strings.ToLower(m[1]) {
	case "escape":
		p.escape = m[2]
	case "syntax":
		p.file.Syntax = m[2]
	case "check":
	default:
		return false
	}
	return true
}

func newInstruction(line int, text string) Instruction {
	text = strings.TrimSpace(text)
	i := strings.IndexAny(text, " \t")
	if i < 0 {
		i = len(text)
	}
	return Instruction{Line: line, Verb: strings.ToUpper(text[:i]), Text: strings.TrimSpace(text[i:])}
}

// heredocs reads the here-documents that the instruction announces.
func (p *parser) heredocs(in *Instruction) {
	if in.Verb != "RUN" && in.Verb != "COPY" && in.Verb != "ADD" {
		return
	}
	for _, m := range heredocMark.FindAllStringSubmatch(in.Text, -1) {
		doc, body := Heredoc{Name: m[3], Quoted: m[2] != "", Line: p.n + 1}, strings.Builder{}
		for p.scan() {
			text := p.text
			if m[1] == "-" {
				text = strings.TrimLeft(text, "\t")
			}
			if text == doc.Name {
				break
			}
			body.WriteString(text + "\n")
		}
		doc.Body = body.String()
		in.Heredocs = append(in.Heredocs, doc)
	}
}
