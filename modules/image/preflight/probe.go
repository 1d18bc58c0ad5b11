package preflight

import (
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"
)

// probeScript is for /bin/sh as the first process of a container.
//
//go:embed probe.sh
var probeScript string

// Probe is a command to be run in a throw-away container of the image, as the
// containers' user, with a ProbeDir that it may write to. It ends as soon as its
// standard input does.
type Probe struct {
	User    int
	Volumes []string // of the image, each to be covered by a tmpfs

	script []string // arguments of the script, but for the time
}

// probe makes the command for an image.
func (s *subject) probe() *Probe {
	locale, _ := s.wantedLocale()
	p := &Probe{User: s.want.User, script: []string{path.Join(s.server.asked, "bin"), strings.Join(s.preload(), ","), locale}}
	for volume := range s.config.Config.Volumes {
		p.Volumes = append(p.Volumes, volume)
	}
	slices.Sort(p.Volumes)
	return p
}

// Args are the arguments of the container's /bin/sh, for a probe that ends by
// itself after some seconds.
func (p *Probe) Args(seconds int) []string {
	return append(append([]string{"-c", probeScript, "sh"}, p.script...), fmt.Sprint(seconds))
}

// ProbeEnd begins the last line that a probe writes.
const ProbeEnd = "@@ end "

// ProbeDir is where a probe keeps its files: a folder in memory that images do
// not have, for one that they have would keep its owner and mode.
const ProbeDir = "/antdbctl-check"

// Proves reports whether a probe's output tells anything.
func Proves(output string) bool {
	return slices.ContainsFunc(parseProbe(output), func(p proof) bool { return p.id != "end" })
}

// proof is what a container said about a check.
type proof struct {
	id     string
	failed bool
	what   string // was done
	said   []string
}

// Prove adds to findings what a probe wrote. What a container does is stronger
// than what files promise: a failure there fails the check; a success settles
// what the files did not tell, and makes a warning of what looked wrong.
func Prove(findings []Finding, output string) {
	all := parseProbe(output)
	for i := range findings {
		var own []proof
		for _, p := range all {
			if p.id == findings[i].ID {
				own = append(own, p)
			}
		}
		if len(own) > 0 {
			findings[i].prove(own)
		}
	}
}

func parseProbe(output string) []proof {
	var list []proof
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		if said, ok := strings.CutPrefix(line, "| "); ok && len(list) > 0 {
			last := &list[len(list)-1]
			last.said = append(last.said, strings.TrimSpace(said))
			continue
		}
		if fields := strings.SplitN(line, " ", 4); len(fields) == 4 && fields[0] == "@@" {
			list = append(list, proof{id: fields[1], failed: fields[2] != "0", what: fields[3]})
		}
	}
	return list
}

func (f *Finding) prove(list []proof) {
	f.Proved = true
	for _, p := range list {
		text := "in a container: " + p.what
		if p.failed {
			text += " failed"
		}
		if gist := p.gist(); gist != "" {
			text += ": " + gist
		}
		if p.failed && f.Verdict != string(Fail) {
			f.Evidence = slices.Insert(f.Evidence, 0, text)
		} else {
			f.Evidence = append(f.Evidence, text)
		}
		f.Proved = f.Proved && !p.failed
	}
	switch {
	case !f.Proved:
		f.Verdict = string(Fail)
		if f.Remedy == "" {
			f.Remedy = "Look closer: docker run --rm -it --user 26 --entrypoint sh with the image."
		}
	case f.Verdict == string(Unknown):
		f.Verdict, f.Remedy = string(Pass), ""
	case f.Verdict == string(Fail):
		f.Verdict = string(Warn)
	}
}

// telling are words of what failed that say why, the best first.
var telling = []string{"FATAL", "ERROR", "undefined symbol", "error", "not found", "could not"}

// gist is the line that tells most.
func (p proof) gist() string {
	if p.failed {
		for _, word := range telling {
			if i := slices.IndexFunc(p.said, func(line string) bool { return strings.Contains(line, word) }); i >= 0 {
				return p.said[i]
			}
		}
	}
	if p.id == "B6.19" && !p.failed {
		return controlVersions(p.said)
	}
	if len(p.said) == 0 || p.id == "B6.4" && !p.failed { // initdb tells a story
		return ""
	}
	return p.said[len(p.said)-1]
}

// controlVersions are the two of pg_controldata's lines that count.
func controlVersions(lines []string) string {
	var found []string
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		if name == "pg_control version number" || name == "Catalog version number" {
			found = append(found, strings.ToLower(strings.TrimSuffix(name, " number"))+" "+strings.TrimSpace(value))
		}
	}
	return strings.Join(found, ", ")
}
