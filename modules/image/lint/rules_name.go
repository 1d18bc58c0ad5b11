package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/dockerfile"
)

// isLatest reports whether a name floats: no tag, or latest, and no digest.
func isLatest(ref string) bool {
	if strings.Contains(ref, "@") {
		return false
	}
	_, tag, tagged := strings.Cut(ref[strings.LastIndexByte(ref, '/')+1:], ":")
	return !tagged || tag == "latest"
}

// froms calls fn for every FROM of an image, not of a stage.
func (l *look) froms(fn func(s step, image string)) {
	stages := map[string]bool{"scratch": true}
	for _, s := range l.steps {
		if s.Verb != "FROM" {
			continue
		}
		if image := dockerfile.Expand(s.stage.Image, s.vars); !stages[strings.ToLower(image)] && !strings.Contains(image, "$") && image != "" {
			fn(s, image)
		}
		stages[s.stage.Name] = true
	}
}

func baseLatest(l *look) {
	l.froms(func(s step, image string) {
		if isLatest(image) {
			l.report(Warning, s.Line, "FROM "+image+" names no version", "the same Dockerfile gives another image tomorrow, and on another host today",
				"write the version, or the digest: FROM name@sha256:…")
		}
	})
}

var gone = regexp.MustCompile(`(^|/)(centos:(centos)?[5-8]\b|centos:(5|6|7|8)|debian:(7|8|9|10|wheezy|jessie|stretch|buster)\b|ubuntu:(12|14|16)\.)`)

func baseEOL(l *look) {
	told := map[string]bool{}
	for _, s := range l.steps {
		for _, c := range s.commands {
			installer := slices.Contains([]string{"yum", "dnf", "apt-get", "apt"}, c.name()) && slices.ContainsFunc(c.words, func(w string) bool { return w == "install" || w == "update" || w == "upgrade" })
			if !installer || !gone.MatchString(s.base) || told[s.base] {
				continue
			}
			told[s.base] = true
			l.report(Warning, s.Line, c.name()+" in an image of "+s.base, "its public mirrors are closed, so this fails unless the base points to a mirror of your own",
				"build FROM the official image that has the packages already, or point the repositories to a local mirror first")
		}
	}
}

func tagLatest(l *look) {
	for _, tag := range l.Tags {
		if isLatest(tag) {
			l.report(Warning, 0, "the image is called "+tag, "nodes with an older image of that name go on using it, and Kubernetes pulls `latest` from a registry each time",
				"give every build a name of its own, such as antdb-ha:4.1-461fafc")
		}
	}
}

func unknownArg(l *look) {
	for _, name := range l.File.Undeclared(l.Args) {
		l.report(Warning, 0, "args sets "+name, "no ARG line asks for it, so it has no effect", "correct its spelling, or add the ARG line")
	}
}

var secretName = regexp.MustCompile(`(?i)(passw(or)?d|secret|token|private_?key|api_?key)$`)

func secretArg(l *look) {
	for _, s := range l.steps {
		var names []string
		switch s.Verb {
		case "ARG":
			for _, word := range strings.Fields(s.Text) {
				name, _, _ := strings.Cut(word, "=")
				names = append(names, name)
			}
		case "ENV":
			for name := range s.Env() {
				names = append(names, name)
			}
		}
		for _, name := range names {
			if secretName.MatchString(name) {
				l.report(Warning, s.Line, s.Verb+" "+name, "whoever has the image reads the value in its history", "use RUN --mount=type=secret with BuildKit, or give it to the container when it runs")
			}
		}
	}
}

func addURL(l *look) {
	for _, s := range l.steps {
		cp, ok := s.Copy()
		if !ok || s.Verb != "ADD" {
			continue
		}
		for _, source := range cp.Sources {
			if _, pinned := s.Flag("checksum"); dockerfile.IsURL(source) && !pinned {
				l.report(Warning, s.Line, "ADD fetches "+source, "a site without the internet cannot build this, and nobody notices when the file changes",
					"put the file into the context, or add --checksum=sha256:…")
			}
		}
	}
}

func syntaxPull(l *look) {
	if l.File.Syntax != "" {
		l.report(Warning, 1, fmt.Sprintf("# syntax=%s", l.File.Syntax), "BuildKit asks a registry for this frontend at every build, which a site without the internet cannot do",
			"leave the line out: the engine's own frontend will do, or bring that image to the engine under this name")
	}
}
