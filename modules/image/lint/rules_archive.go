package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/buildcontext"
)

// unpacks is the archive that a command reads; ok is false for other commands.
func unpacks(c command) (archive string, ok bool) {
	args := c.args()
	switch c.name() {
	case "unzip":
		if len(args) > 0 {
			return args[0], true
		}
	case "gunzip", "bunzip2", "unxz", "unzstd":
		if len(args) > 0 {
			return args[len(args)-1], true
		}
	case "tar", "bsdtar":
		if len(c.words) < 2 || !extracts(c) {
			return "", false
		}
		for i, word := range c.words[1:] {
			if file, ok := strings.CutPrefix(word, "--file="); ok {
				return file, true
			}
			cluster := strings.HasPrefix(word, "-") && !strings.HasPrefix(word, "--") || i == 0 && !strings.HasPrefix(word, "-")
			if (cluster && strings.HasSuffix(word, "f") || word == "--file") && i+2 < len(c.words) {
				return c.words[i+2], c.words[i+2] != "-"
			}
		}
	}
	return "", false
}

// extracts reports whether a tar command reads an archive.
func extracts(c command) bool {
	first := strings.TrimPrefix(c.words[1], "-")
	return !strings.HasPrefix(c.words[1], "--") && strings.ContainsAny(first[:min(len(first), 4)], "xt") || c.has('x', "--extract") || c.has('x', "--get")
}

// unpacksTo is the folder that an archive is unpacked into, where the command
// names one.
func unpacksTo(c command) (dir string, ok bool) {
	if _, ok := unpacks(c); !ok {
		return "", false
	}
	for i, word := range c.words {
		if dir, ok := strings.CutPrefix(word, "--directory="); ok {
			return dir, true
		}
		if (word == "-C" || word == "--directory" || word == "-d") && i+1 < len(c.words) {
			return c.words[i+1], true
		}
	}
	return "", false
}

// wantsGzip reports whether a command takes nothing but gzip.
func wantsGzip(c command) bool {
	if c.name() == "gunzip" {
		return true
	}
	return c.name() == "tar" && (c.has('z', "--gzip") || !strings.HasPrefix(c.words[1], "-") && strings.Contains(c.words[1], "z"))
}

func tarElsewhere(l *look) {
	for _, s := range l.steps {
		for i, c := range s.commands {
			archive, ok := unpacks(c)
			at := s.resolve(c, archive)
			if !ok || at == "" {
				continue
			}
			real := l.elsewhere(s, at)
			if real.path == "" || l.brought(s, s.commands[:i], at, real.path) {
				continue
			}
			what := fmt.Sprintf("%s reads %s", c.name(), at)
			if !path.IsAbs(archive) {
				what = fmt.Sprintf("%s reads %s, which is %s here", c.name(), archive, at)
			}
			l.report(Error, s.Line, what, fmt.Sprintf("line %d puts it at %s, so there is no such file", real.line, real.path),
				"write "+real.path+" in this line")
		}
	}
}

// brought reports whether a command before may have put the file there.
func (l *look) brought(s step, before []command, at, real string) bool {
	may := func(c command) bool { return s.mayBring(c, at, real) }
	if slices.ContainsFunc(before, may) {
		return true
	}
	return slices.ContainsFunc(l.steps, func(o step) bool {
		return o.stage.Index <= s.stage.Index && o.Line < s.Line && slices.ContainsFunc(o.commands, may)
	})
}

// mayBring reports whether a command makes the file at, or moves it there from
// where it really is.
func (s step) mayBring(c command, at, real string) bool {
	switch c.name() {
	case "cp", "mv", "ln", "install", "rsync":
		return slices.ContainsFunc(c.args(), func(word string) bool {
			from := s.resolve(c, word)
			return path.Base(word) == path.Base(at) || strings.Contains(word, "*") || from != "" && strings.HasPrefix(real, strings.TrimSuffix(from, "/")+"/")
		})
	case "curl", "wget", "git", "scp", "gzip":
		return true
	}
	return slices.ContainsFunc(c.words, func(word string) bool { return strings.TrimPrefix(word, "-o") == at })
}

// elsewhere is where a file of that name was put, when it was not put at the
// path itself.
func (l *look) elsewhere(s step, at string) (found placed) {
	for _, p := range s.placed {
		if p.path == at {
			return placed{}
		}
		if _, ok := l.file(p, at); ok {
			return placed{}
		}
		if path.Base(p.path) == path.Base(at) {
			found = p
			continue
		}
		if p.entry != nil && p.entry.Info.IsDir() {
			inFolder := path.Join(p.path, path.Base(at))
			if _, ok := l.file(p, inFolder); ok {
				found = placed{path: inFolder, line: p.line}
			}
		}
	}
	return found
}

// addUnpacks reports whether ADD takes a file of this kind apart.
func addUnpacks(kind string) bool {
	return kind == kindTar || kind == kindGzip || kind == kindBzip2 || kind == kindXz
}

func addExtracts(l *look) {
	for _, s := range l.steps {
		for _, c := range s.commands {
			archive, ok := unpacks(c)
			at := s.resolve(c, archive)
			if !ok || at == "" {
				continue
			}
			for _, p := range s.placed {
				if p.verb != "ADD" || p.entry == nil || !isRegular(*p.entry) || p.path != at || !holdsTar(p.source) {
					continue
				}
				if kind, err := sniff(p.entry.Path); err == nil && addUnpacks(kind) {
					l.report(Error, s.Line, fmt.Sprintf("%s reads %s", c.name(), at),
						fmt.Sprintf("the ADD of line %d has unpacked it into %s, and the archive itself is not there", p.line, path.Dir(at)),
						"use COPY in that line, or leave the unpacking to ADD")
				}
			}
		}
	}
}

func addKeeps(l *look) {
	for _, p := range l.named("ADD") {
		kind, err := sniff(p.entry.Path)
		if err != nil || promised(p.source) == "" || kind != kindZip && kind != kindZstd {
			continue
		}
		l.report(Warning, p.line, "ADD "+p.source+" puts the file there as it is", "ADD unpacks tar archives that are plain or packed with gzip, bzip2 or xz; this one is "+kind,
			"use COPY and unpack it in a RUN, or pack it with gzip")
	}
}

// named are the files of the context that lines of this verb name themselves.
func (l *look) named(verb string) (list []placed) {
	for _, s := range l.steps {
		for _, p := range s.puts {
			if p.verb == verb && p.entry != nil && isRegular(*p.entry) {
				list = append(list, p)
			}
		}
	}
	return list
}

// copied are the archives that the image gets from the context, each with the
// line that brings it.
func (l *look) copied(fn func(line int, e buildcontext.Entry, want, kind string)) {
	seen := map[string]bool{}
	for _, s := range l.steps {
		for _, p := range s.puts {
			for _, e := range l.below(p) {
				want := promised(e.Name)
				if want == "" || seen[e.Name] {
					continue
				}
				seen[e.Name] = true
				if kind, err := sniff(e.Path); err == nil {
					fn(s.Line, e, want, kind)
				}
			}
		}
	}
}

func archiveType(l *look) {
	l.copied(func(line int, e buildcontext.Entry, want, kind string) {
		if kind == want || !slices.Contains([]string{kindGzip, kindBzip2, kindXz, kindZstd, kindZip, kindTar}, kind) {
			return
		}
		if reader, command := l.reader(e); command != nil && want == kindGzip && wantsGzip(*command) {
			l.report(Error, reader, fmt.Sprintf("%s takes %s for gzip", command.name(), e.Name), "it is "+kind+", so this ends with \"not in gzip format\"",
				"say `tar -xf`, which finds out by itself, or pack the file with gzip")
			return
		}
		l.report(Warning, line, e.Name+" is no "+want+" but "+kind, "what trusts its name fails (docker save, for one, writes plain tar)",
			"give it the name of what it is, or pack it again")
	})
}

// reader is the first command that unpacks a file of the context.
func (l *look) reader(e buildcontext.Entry) (line int, c *command) {
	for _, s := range l.steps {
		for _, c := range s.commands {
			if archive, ok := unpacks(c); ok && path.Base(archive) == path.Base(e.Name) {
				return s.Line, &c
			}
		}
	}
	return 0, nil
}

func archiveBroken(l *look) {
	l.copied(func(line int, e buildcontext.Entry, want, kind string) {
		switch kind {
		case kindHTML, kindLFS, kindEmpty, kindText:
			remedy := "fetch the file again and look at its size"
			if kind == kindLFS {
				remedy = "run `git lfs pull` in the repository"
			}
			l.report(Error, line, fmt.Sprintf("%s (%d B) is %s", e.Name, e.Info.Size(), kind), "nothing can unpack it", remedy)
		case kindGzip:
			if want != kindGzip {
				return
			}
			if fault := broken(e.Path, holdsTar(e.Name)); fault != "" {
				l.report(Error, line, fmt.Sprintf("%s (%s) %s", e.Name, inMiB(e.Info.Size()), fault), "unpacking it ends with \"unexpected end of file\" or worse",
					"bring the file again, in binary mode, and compare its checksum")
			}
		}
	})
}
