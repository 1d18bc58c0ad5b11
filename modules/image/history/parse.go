package history

import (
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// reader goes over the rows from the oldest on and keeps what earlier rows say
// about later ones.
type reader struct {
	config   *v1.Config        // of the finished image; nil when there is but text
	shell    []string          // in force
	dialect  Dialect           // of the last row that showed it
	env      map[string]string // values at the end, where known
	labels   map[string]string
	declared map[string]bool     // names of ARG rows so far
	all      bool                // no RUN row has others: only old versions of buildah list more
	first    bool                // this is a first reading, for seen alone
	seen     map[string][]string // values of build arguments, where a shell ends them
}

// Read says of each row which instruction made it. config is that of the image;
// nil when nobody knows it.
func Read(rows []Row, config *v1.Config) []Step {
	r := &reader{config: config, shell: []string{"/bin/sh", "-c"}, declared: map[string]bool{}}
	if config != nil {
		r.labels, r.env = config.Labels, map[string]string{}
		for _, pair := range config.Env {
			name, value, _ := strings.Cut(pair, "=")
			r.env[name] = value
		}
	}
	r.all = slices.ContainsFunc(rows, func(row Row) bool { return strings.HasPrefix(row.Comment, "FROM ") || manyArgs.MatchString(row.By) })
	r.seen = map[string][]string{}
	first := *r
	first.first, first.declared = true, map[string]bool{}
	for _, row := range rows { // for what later rows say about earlier ones
		for _, p := range first.read(row).Args {
			if !slices.Contains(r.seen[p.Name], p.Value) {
				r.seen[p.Name] = append(r.seen[p.Name], p.Value)
			}
		}
	}
	steps := make([]Step, len(rows))
	for i, row := range rows {
		steps[i] = r.read(row)
	}
	return steps
}

// read reads a row and remembers its dialect for those that do not show any.
func (r *reader) read(row Row) Step {
	s := r.row(row)
	if s.Dialect != Unknown {
		r.dialect = s.Dialect
	}
	return s
}

var (
	instructionWord = regexp.MustCompile(`(?s)^(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR) (.*)$`)
	nop             = regexp.MustCompile(`(?s)^((?:/|cmd |powershell )[^#\n]*?) #\(nop\) ( ?)([A-Za-z]+)(?: (.*))?$`)
	knownShell      = regexp.MustCompile(`^((?:/usr)?/bin/(?:ba|da|a|z|k)?sh(?: -[a-z]+| -o [a-z]+)* -[a-z]*c) `)
)

// manyArgs is how buildah has printed ARG since 1.23: all names so far.
var manyArgs = regexp.MustCompile(`#\(nop\) ARG [A-Za-z_][A-Za-z0-9_]* [A-Za-z_][A-Za-z0-9_ ]*$`)

const buildkitMark = " # buildkit"

// row finds the dialect of a row and takes it apart.
func (r *reader) row(row Row) Step {
	s := Step{Row: row}
	text := strings.TrimRight(row.By, " \t\r\n")
	if m := nop.FindStringSubmatch(row.By); m != nil {
		verb := strings.ToUpper(m[3])
		if !instructionWord.MatchString(verb + " ") {
			s.Text = m[3] + " " + m[4]
			return s
		}
		if s.Dialect = nopDialect(verb, m[2], m[4]); s.Dialect == Unknown {
			s.Dialect = r.dialect
		}
		r.instruction(&s, verb, strings.TrimSpace(m[4]))
		return s
	}
	marked := strings.HasSuffix(text, buildkitMark)
	if marked || strings.HasPrefix(row.Comment, "buildkit.dockerfile") {
		s.Dialect = BuildKit
		text = strings.TrimSuffix(text, buildkitMark)
		if marked { // all blanks before the mark are the command's
			text = strings.TrimSuffix(strings.TrimRight(row.By, " \t\r\n"), buildkitMark)
		}
	}
	if m := instructionWord.FindStringSubmatch(text); m != nil {
		if s.Dialect == Unknown && m[1] == "RUN" {
			s.Dialect = BuildKit
		}
		r.instruction(&s, m[1], m[2])
		return s
	}
	r.command(&s, text)
	return s
}

// nopDialect tells Docker's classic builder from buildah by their blanks.
func nopDialect(verb, blank, text string) Dialect {
	switch {
	case blank == " ":
		return Classic
	case (verb == "COPY" || verb == "ADD") && checksum.MatchString(text), verb == "WORKDIR":
		return Unknown // both write it alike; the neighbours tell
	}
	return Buildah
}

// instruction reads what follows the name of an instruction.
func (r *reader) instruction(s *Step, verb, text string) {
	s.Verb, s.Text = verb, text
	switch verb {
	case "RUN":
		r.run(s, text)
	case "COPY", "ADD":
		s.Copy = parseCopy(text)
		if s.Copy == nil {
			s.Literal = true
		}
	case "ENV", "LABEL":
		if s.Dialect == Buildah {
			s.Literal = true
			return
		}
		names, known, final := envName, r.env, "the image's configuration"
		if verb == "LABEL" {
			names, known = labelName, r.labels
		}
		var guessed bool
		if s.Pairs, guessed = parsePairs(text, names, known); guessed {
			s.guess("the history has no quotes: where a value ends is told by %s or, where that is silent, by the next NAME=", final)
		}
	case "ARG":
		r.arg(s, text)
	case "CMD", "ENTRYPOINT":
		r.list(s, text)
	case "SHELL":
		r.setShell(s, text)
	case "VOLUME":
		r.volume(s, text)
	case "EXPOSE":
		s.Text = ports(text)
	case "HEALTHCHECK":
		r.health(s, text)
	case "USER", "WORKDIR", "STOPSIGNAL":
		s.Literal = s.Dialect == Buildah
	}
}

// command reads a row that names no instruction: a shell command, perhaps
// behind build arguments, or the words of something else.
func (r *reader) command(s *Step, text string) {
	switch {
	case text == "", foreign.MatchString(text):
		s.Text = text
	case argCount.MatchString(text), r.shellOf(text) != "":
		s.Verb, s.Dialect = "RUN", max(s.Dialect, r.legacy())
		r.run(s, text)
	case s.Row.Empty, bareShell.MatchString(text):
		s.Text = text
	default:
		s.Verb = "RUN"
		r.argv(s, text)
	}
}

var (
	// what tools print that are no builders of Dockerfiles, or that import a
	// file system
	foreign   = regexp.MustCompile(`^(#|bazel |bazel-|jib|kaniko|crane |ko build|buildpacks|nix|apko|Imported from|BusyBox |umoci |buildah |mkosi|rpm-ostree|debuerreotype)`)
	bareShell = regexp.MustCompile(`^(/usr)?(/bin/)?(ba|da|a|z)?sh( -[il]+)?$`) // docker commit
)

// legacy is the dialect of a command that does not show it.
func (r *reader) legacy() Dialect {
	if r.dialect == BuildKit {
		return Classic
	}
	return r.dialect
}

// shellOf is the shell that a command begins with.
func (r *reader) shellOf(text string) string {
	if own := strings.Join(r.shell, " "); strings.HasPrefix(text, own+" ") {
		return own
	}
	if m := knownShell.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// run reads a command, with the build arguments and the shell in front of it.
func (r *reader) run(s *Step, text string) {
	s.Text = ""
	shell := r.shellOf(text)
	if argCount.MatchString(text) {
		shells := []string{strings.Join(r.shell, " ")}
		for _, known := range []string{"/bin/sh -c", "/bin/bash -c"} {
			if !slices.Contains(shells, known) {
				shells = append(shells, known)
			}
		}
		a, ok := parseArguments(text, shells, r.declared, s.Dialect == Buildah && r.all, r.seen)
		if !ok {
			s.Verb, s.Text = "", text
			s.guess("the build arguments of this row cannot be told from its command")
			return
		}
		if a.guessed {
			s.guess("the history has no quotes: where the values of the build arguments end is a guess")
		}
		s.Args, text, shell = a.pairs, a.rest, a.shell
		if shell == "" {
			r.argv(s, text)
			return
		}
		text = shell + " " + text
	}
	if shell == "" {
		r.argv(s, text)
		return
	}
	s.Script = strings.TrimPrefix(text, shell+" ")
	s.Shell = r.shell
	if shell != strings.Join(r.shell, " ") && s.Dialect != Buildah { // which prints this shell whatever ran
		s.Shell, s.Own = strings.Split(shell, " "), true
	}
	if items, guessed, ok := parseList(s.Script); ok && !guessed && s.Dialect != BuildKit && s.Dialect != Classic {
		s.Script, s.Shell, s.Argv = "", nil, items // buildah shows the exec form behind the shell that it does not use
	}
}

// argv reads a command that no shell ran; its words were joined with blanks.
func (r *reader) argv(s *Step, text string) {
	if rest, ok := strings.CutPrefix(text, "/dev/pipes/"); ok {
		s.Verb, s.Text = "", text
		s.guess("a script in a here-document ran here (%s); BuildKit does not keep its text", rest)
		return
	}
	s.Argv = strings.Split(text, " ")
	if len(s.Argv) > 1 {
		s.guess("no shell ran this: the history joins the words with blanks, so a word with a blank in it looks like two")
	}
}
