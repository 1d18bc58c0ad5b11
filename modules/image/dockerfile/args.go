package dockerfile

import (
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// UnsetArg is a build argument without a value that some line uses. To a
// builder it is an empty string, and it goes on without a word:
// "PGROOT=/usr/pgsql-" and the like come of it.
type UnsetArg struct {
	Name     string
	Declared int    // line of its ARG
	Used     int    // line of its first use
	By       string // that line, shortened
}

func (u UnsetArg) String() string {
	return fmt.Sprintf("%s (declared in line %d, used in line %d)", u.Name, u.Declared, u.Used)
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

// Expand replaces the variables in text that vars has a value for or that have
// a fallback.
func Expand(text string, vars map[string]string) string {
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

// Unset finds the arguments that lines use and nothing gives a value to, each
// once, in order of use. args are the values given to the build, env names that
// the base images set.
func (f *File) Unset(args map[string]string, env map[string]bool) []UnsetArg {
	var found []UnsetArg
	seen := map[string]bool{}
	global, vars, envOf := scope{}, scope{}, map[string]scope{}
	stageName, inStage := "", false
	for _, in := range f.Instructions {
		for _, name := range in.uses() {
			if line := vars[name]; line > 0 && !seen[name] && !env[name] {
				seen[name] = true
				found = append(found, UnsetArg{name, line, in.Line, in.Short(160)})
			}
		}
		switch in.Verb {
		case "FROM":
			s := in.From()
			vars, inStage, stageName = maps.Clone(envOf[strings.ToLower(s.Image)]), true, s.Name
			if vars == nil {
				vars = scope{}
			}
			envOf[stageName] = scope{}
			maps.Copy(envOf[stageName], vars)
		case "ARG":
			for name, value := range assignments(in.Text) {
				line := in.Line
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
			for name := range in.Env() {
				vars[name] = 0
				if inStage {
					envOf[stageName][name] = 0
				}
			}
		}
	}
	return found
}

// Env are the names and values that an ENV line sets, as written, in order.
func (in Instruction) Env() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		first, rest, _ := strings.Cut(in.Text, " ")
		if !strings.Contains(first, "=") { // the old form: one name, and all that follows is its value
			yield(first, strings.TrimSpace(rest))
			return
		}
		for name, value := range assignments(in.Text) {
			if value != noDefault && !yield(name, value) {
				return
			}
		}
	}
}

// Each calls fn for every instruction with the variables that have a known
// value there. args are the values given to the build.
func (f *File) Each(args map[string]string, fn func(in Instruction, vars map[string]string)) {
	global, inStage := map[string]string{}, false
	vars, env := global, map[string]string{} // env is what later stages inherit
	envOf := map[string]map[string]string{}
	for _, in := range f.Instructions {
		fn(in, vars)
		switch in.Verb {
		case "FROM":
			s := in.From()
			vars, env, inStage = map[string]string{}, map[string]string{}, true
			maps.Copy(vars, envOf[strings.ToLower(s.Image)])
			maps.Copy(env, vars)
			envOf[s.Name] = env
		case "ARG":
			declare(vars, in, args)
			for name := range assignments(in.Text) { // a bare ARG of a stage takes the value from before FROM
				if value, ok := global[name]; ok && inStage && vars[name] == "" {
					vars[name] = value
				}
			}
		case "ENV":
			for name, value := range in.Env() {
				vars[name] = Expand(value, vars)
				env[name] = vars[name]
			}
		}
	}
}

// uses are the variables whose value the instruction needs. References with a
// fallback are no needs, nor are variables that a shell line sets or tests.
func (in Instruction) uses() []string {
	switch in.Verb {
	case "CMD", "ENTRYPOINT", "HEALTHCHECK", "ONBUILD", "MAINTAINER", "SHELL": // not expanded when building
		return nil
	}
	text := in.Text
	for _, doc := range in.Heredocs {
		if in.Verb == "RUN" || !doc.Quoted {
			text += "\n" + doc.Body
		}
	}
	var names []string
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		name := m[1] + m[3]
		if name == "" || m[2] != "" || in.Verb == "RUN" && handles(text, name) {
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

// Short is the instruction on one line of at most n bytes.
func (in Instruction) Short(n int) string {
	text := in.String()
	if len(text) > n {
		text = text[:n-3] + "..."
	}
	return text
}

// Undeclared are the arguments that no ARG line asks for, in order.
func (f *File) Undeclared(args map[string]string) []string {
	left := maps.Clone(args)
	for _, in := range f.Instructions {
		if in.Verb != "ARG" {
			continue
		}
		for name := range assignments(in.Text) {
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

// declare gives vars the values that an ARG line leads to.
func declare(vars map[string]string, in Instruction, args map[string]string) {
	for name, value := range assignments(in.Text) {
		if given, ok := args[name]; ok {
			vars[name] = given
		} else if value != noDefault {
			vars[name] = Expand(value, vars)
		}
	}
}
