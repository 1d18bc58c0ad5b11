package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// covers reports whether a command's argument means what lies at p, or a folder
// above it when the command goes down into folders.
func covers(target, p string, down bool) bool {
	if target == "" {
		return false
	}
	if target == p {
		return true
	}
	if strings.ContainsAny(target, "*?[") {
		if ok, _ := path.Match(target, p); ok {
			return true
		}
		dir := path.Dir(target)
		return down && !strings.ContainsAny(dir, "*?[") && strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
	}
	return down && strings.HasPrefix(p, strings.TrimSuffix(target, "/")+"/")
}

// later calls fn for each of a command's arguments that means something which
// an earlier line has put there.
func (l *look) later(names []string, skip int, down func(command) bool, fn func(s step, c command, p placed, text string)) {
	for _, s := range l.steps {
		seen := map[string]bool{}
		for _, c := range s.commands {
			args := c.args()
			if !slices.Contains(names, c.name()) || len(args) < skip {
				continue
			}
			for _, target := range args[skip:] {
				for _, p := range s.placed {
					p, ok := l.meant(s.resolve(c, target), p, down(c))
					if !ok || seen[p.path] {
						continue
					}
					if text, big := l.isBig(p); big {
						seen[p.path] = true
						fn(s, c, p, text)
					}
				}
			}
		}
	}
}

// meant is what a command's argument means of something placed: the whole of
// it, or one file of a folder.
func (l *look) meant(target string, p placed, down bool) (placed, bool) {
	if covers(target, p.path, down) {
		return p, true
	}
	if e, ok := l.file(p, target); ok {
		return placed{path: target, line: p.line, verb: p.verb, source: e.Name, entry: &e}, true
	}
	return placed{}, false
}

func (p placed) origin() string {
	if p.source == "" {
		return fmt.Sprintf("%s of line %d", p.path, p.line)
	}
	return fmt.Sprintf("%s of line %d (%s)", p.path, p.line, p.source)
}

func removedLater(l *look) {
	l.later([]string{"rm", "unlink"}, 0, func(c command) bool { return c.has('r', "--recursive") || c.has('R', "") }, func(s step, c command, p placed, text string) {
		l.report(Warning, s.Line, "rm takes away "+p.origin(), "the layer of that line keeps "+text+", which every node receives",
			"unpack it in a stage of its own and COPY --from it, or use RUN --mount=type=bind with BuildKit")
	})
}

func movedLater(l *look) {
	l.later([]string{"mv"}, 0, func(command) bool { return false }, func(s step, c command, p placed, text string) {
		if args := c.args(); s.resolve(c, args[len(args)-1]) == p.path {
			return // it is moved onto, not away
		}
		l.report(Warning, s.Line, "mv takes "+p.origin()+" elsewhere", "the image holds "+text+" twice", "copy it to the right place at once")
	})
}

func modeLater(l *look) {
	l.later([]string{"chown", "chmod", "chgrp"}, 1, func(c command) bool { return c.has('R', "--recursive") }, func(s step, c command, p placed, text string) {
		flag := "--chmod=… (BuildKit), or set the mode in the context"
		if c.name() != "chmod" {
			flag = "--chown=…"
		}
		verb := p.verb
		if verb == "RUN" {
			l.report(Warning, s.Line, c.name()+" changes "+p.origin(), "the image holds "+text+" twice", "do it in the RUN of that line")
			return
		}
		l.report(Warning, s.Line, c.name()+" changes "+p.origin(), "the image holds "+text+" twice", "say "+verb+" "+flag)
	})
}

// copiedAway finds `cp -r A B` followed by `rm -r A`, where A was not made by
// the same RUN: the layer below keeps A, and this one holds it again as B.
func copiedAway(l *look) {
	for _, s := range l.steps {
		for i, c := range s.commands {
			args := c.args()
			if c.name() != "cp" || len(args) < 2 || !c.has('r', "--recursive") && !c.has('R', "") && !c.has('a', "--archive") {
				continue
			}
			from := s.resolve(c, args[0])
			made := slices.ContainsFunc(s.commands[:i], func(c command) bool {
				dir, ok := unpacksTo(c)
				return ok && s.resolve(c, dir) == from || c.name() == "mkdir" && slices.Contains(c.args(), from)
			})
			if from == "" || made {
				continue
			}
			for _, after := range s.commands[i+1:] {
				if after.name() == "rm" && slices.ContainsFunc(after.args(), func(word string) bool { return strings.TrimSuffix(s.resolve(after, word), "/*") == from }) {
					l.report(Warning, s.Line, fmt.Sprintf("cp keeps %s as %s, and rm empties the original", from, args[len(args)-1]),
						"the layer below still has the original, so the image holds it twice",
						"leave the copy out: the base image has it; where the original has to be gone, take it from a stage of its own")
					break
				}
			}
		}
	}
}
