package image

import (
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// An ARG without a default and without a value is an empty string to Docker,
// which builds on without a word: "PGROOT=/usr/pgsql-" and the like come of it.
// unset finds such before the build.

// unsetArg is a build argument without a value that some line uses.
type unsetArg struct {
	name     string
	declared int
	used     int
	by       string // the line that uses it, shortened
}

func (u unsetArg) String() string {
	return fmt.Sprintf("%s (declared in line %d, used in line %d)", u.name, u.declared, u.used)
}

var (
	assignment = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_]*)(=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']*)+)?`)
	reference  = regexp.MustCompile(`\\.|\$\{([A-Za-z_][A-Za-z0-9_]*)(:?[-+=]|)|\$([A-Za-z_][A-Za-z0-9_]*)`)
	expandable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}|\$([A-Za-z_][A-Za-z0-9_]*)`)
)

// given are the arguments that builders know without being told.
var given = map[string]bool{
	"HTTP_PROXY": true, "HTTPS_PROXY": true, "FTP_PROXY": true, "NO_PROXY": true, "ALL_PROXY": true,
	"http_proxy": true, "https_proxy": true, "ftp_proxy": true, "no_proxy": true, "all_proxy": true,
	"TARGETPLATFORM": true, "TARGETOS": true, "TARGETARCH": true, "TARGETVARIANT": true,
	"BUILDPLATFORM": true, "BUILDOS": true, "BUILDARCH": true, "BUILDVARIANT": true, "SOURCE_DATE_EPOCH": true,
}

// assignments are the NAME=value words of an ARG or ENV line; a bare NAME has
// the value noDefault.
func assignments(text string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, m := range assignment.FindAllStringSubmatch(text, -1) {
			value := noDefault
			if m[2] != "" {
				value = strings.Trim(m[2][1:], `"'`)
			}
			if !yield(m[1], value) {
				return
			}
		}
	}
}

// noDefault cannot be written in a Dockerfile.
const noDefault = "\x00"

// expand replaces the variables in text that vars has a value for or that have
// a fallback.
func expand(text string, vars map[string]string) string {
	return expandable.ReplaceAllStringFunc(text, func(ref string) string {
		m := expandable.FindStringSubmatch(ref)
		if value, ok := vars[m[1]+m[3]]; ok && value != noDefault && value != "" {
			return value
		}
		if m[2] != "" {
			return m[2]
		}
		return ref
	})
}

// scope knows which variables lack a value at a point of the Dockerfile.
type scope map[string]int // name → line of its ARG; 0 when it has a value

// unset finds the arguments that lines use and nothing gives a value to, each
// once, in order of use. env are names that the base images set.
func unset(list []instruction, args map[string]string, env map[string]bool) []unsetArg {
	var found []unsetArg
	seen := map[string]bool{}
	global, vars, envOf := scope{}, scope{}, map[string]scope{}
	stageName, inStage := "", false
	for _, in := range list {
		for _, name := range in.uses() {
			if line := vars[name]; line > 0 && !seen[name] && !env[name] {
				seen[name] = true
				found = append(found, unsetArg{name, line, in.line, shorten(in)})
			}
		}
		switch in.verb {
		case "FROM":
			s := in.from()
			vars, inStage, stageName = maps.Clone(envOf[strings.ToLower(s.image)]), true, s.name
			if vars == nil {
				vars = scope{}
			}
			envOf[stageName] = scope{}
			maps.Copy(envOf[stageName], vars)
		case "ARG":
			for name, value := range assignments(in.text) {
				line := in.line
				_, passed := args[name]
				outer, isGlobal := global[name]
				if set, known := vars[name]; passed || value != noDefault || given[name] || isGlobal && outer == 0 || known && set == 0 {
					line = 0
				}
				vars[name] = line
				if !inStage {
					global[name] = line
				}
			}
		case "ENV":
			for _, name := range envNames(in.text) {
				vars[name] = 0
				if inStage {
					envOf[stageName][name] = 0
				}
			}
		}
	}
	return found
}

func envNames(text string) []string {
	first, _, _ := strings.Cut(text, " ")
	if !strings.Contains(first, "=") {
		return []string{first}
	}
	var names []string
	for name, value := range assignments(text) {
		if value != noDefault {
			names = append(names, name)
		}
	}
	return names
}

// uses are the variables whose value the instruction needs. References with a
// fallback are no needs, nor are variables that a shell line sets or tests.
func (in instruction) uses() []string {
	switch in.verb {
	case "CMD", "ENTRYPOINT", "HEALTHCHECK", "ONBUILD", "MAINTAINER", "SHELL": // not expanded when building
		return nil
	}
	var names []string
	for _, m := range reference.FindAllStringSubmatch(in.text, -1) {
		name := m[1] + m[3]
		if name == "" || m[2] != "" || in.verb == "RUN" && handles(in.text, name) {
			continue
		}
		names = append(names, name)
	}
	return names
}

// handles reports whether a shell text sets the variable itself or asks whether
// it is empty.
func handles(script, name string) bool {
	own := regexp.MustCompile(`(^|[\s;&|(])(` + name + `=|for\s+` + name + `\s|read\s+(-\w+\s+)*` + name + `\b|(test|\[\[?)[^\]]*\s-[zn]\s+"?\$\{?` + name + `\b)`)
	return own.MatchString(script)
}

func shorten(in instruction) string {
	text := in.verb + " " + strings.Join(strings.Fields(in.text), " ")
	if len(text) > 160 {
		text = text[:157] + "..."
	}
	return text
}

// undeclared are the arguments that no ARG line asks for.
func undeclared(list []instruction, args map[string]string) []string {
	left := maps.Clone(args)
	for _, in := range list {
		if in.verb != "ARG" {
			continue
		}
		for name := range assignments(in.text) {
			delete(left, name)
		}
	}
	var names []string
	for name := range left {
		if !given[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
