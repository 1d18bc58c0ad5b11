package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/dockerfile"
)

// buildLog passes the output of a build on, line by line, tells the steps as
// they come, and keeps what explains a failure. Its streams may be written
// concurrently.
type buildLog struct {
	env  *module.Env
	name string           // of the Dockerfile
	file *dockerfile.File // what is built; nil when that is not a Dockerfile

	mu      sync.Mutex
	last    []string
	steps   map[string]*buildStep // by the builder's own number
	current *buildStep            // the classic builder's; BuildKit says with each line whose it is
	failed  *buildStep
}

// buildStep is one step of a builder.
type buildStep struct {
	stage string // empty where the builder names none
	n, of int64
	text  string // the instruction, as the builder writes it
	line  int    // of the Dockerfile; 0 when unknown
	done  bool
	last  []string
}

// keptLines is how much of a build's output explains its failure.
const keptLines = 40

func newBuildLog(env *module.Env, name string, file *dockerfile.File) *buildLog {
	return &buildLog{env: env, name: name, file: file, steps: map[string]*buildStep{}}
}

// stream is one of the builder's output streams.
func (l *buildLog) stream() *lineWriter { return &lineWriter{line: l.line} }

var (
	classicStep  = regexp.MustCompile(`^Step (\d+)/(\d+) : (.*)`)
	buildkitLine = regexp.MustCompile(`^#(\d+) (.*)`)
	buildkitStep = regexp.MustCompile(`^\[(?:(\S+) +)?(\d+)/(\d+)\] (.*)`)
	buildkitTime = regexp.MustCompile(`^\d+\.\d+ `)
)

func (l *buildLog) line(text string) {
	if text = strings.TrimRight(text, " "); text == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = keep(l.last, text)
	switch m := buildkitLine.FindStringSubmatch(text); {
	case m != nil:
		l.buildkit(m[1], m[2])
	default:
		l.classic(text)
	}
	l.env.Logf("%s", text)
}

func keep(lines []string, text string) []string {
	if lines = append(lines, text); len(lines) > keptLines {
		lines = lines[1:]
	}
	return lines
}

// classic takes a line of the classic builder: all that follows a step's line
// is the step's.
func (l *buildLog) classic(text string) {
	m := classicStep.FindStringSubmatch(text)
	if m == nil {
		if l.current != nil {
			l.current.last = keep(l.current.last, text)
		}
		return
	}
	s := &buildStep{n: number(m[1]), of: number(m[2]), text: m[3]}
	if l.file != nil && int(s.n) <= len(l.file.Instructions) {
		s.line = l.file.Instructions[s.n-1].Line
	}
	l.current, l.failed = s, s // it is the last one that fails
	l.env.Phase(fmt.Sprintf("step %d/%d", s.n, s.of))
	l.env.Progress(s.n-1, s.of, "steps")
}

// buildkit takes a line of BuildKit, whose steps run side by side.
func (l *buildLog) buildkit(id, text string) {
	s := l.steps[id]
	if m := buildkitStep.FindStringSubmatch(text); m != nil {
		if s == nil {
			s = &buildStep{stage: m[1], n: number(m[2]), of: number(m[3]), text: m[4]}
			s.line = l.find(s)
			l.steps[id] = s
			l.env.Phase("step " + s.place())
			l.progress()
		}
		return
	}
	if s == nil {
		return
	}
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "DONE", "CACHED":
		s.done = true
		l.progress()
	case "ERROR:":
		l.failed = s
	default:
		s.last = keep(s.last, buildkitTime.ReplaceAllString(text, ""))
	}
}

// place is where the step stands among those of its stage.
func (s *buildStep) place() string {
	return strings.TrimSpace(fmt.Sprintf("%s %d/%d", s.stage, s.n, s.of))
}

// progress counts over the stages that have begun. A stage is as far as its last
// finished step: those of two stages that are the same BuildKit shows once.
func (l *buildLog) progress() {
	done, of := map[string]int64{}, map[string]int64{}
	for _, s := range l.steps {
		of[s.stage] = s.of
		if s.done {
			done[s.stage] = max(done[s.stage], s.n)
		}
	}
	var now, total int64
	for stage, n := range of {
		now, total = now+done[stage], total+n
	}
	l.env.Progress(now, total, "steps")
}

// upload is the context on its way to the builder. It tells how far it is, each
// mebibyte.
type upload struct {
	to      io.Writer
	log     *buildLog
	of      int64
	n, told int64
}

func (u *upload) Write(p []byte) (int, error) {
	n, err := u.to.Write(p)
	if u.n += int64(n); u.n-u.told >= 1<<20 {
		u.told = u.n
		u.log.mu.Lock()
		defer u.log.mu.Unlock()
		u.log.env.Progress(min(u.n, u.of), u.of, "B")
	}
	return n, err
}

// find is the line of the Dockerfile that a step of BuildKit comes from: that
// of the same words, or else that of the same place in the stage.
func (l *buildLog) find(s *buildStep) int {
	if l.file == nil {
		return 0
	}
	var ops []dockerfile.Instruction
	for stage, in := range l.file.Stages() {
		if s.stage != "" && s.stage != stage.Name && s.stage != fmt.Sprintf("stage-%d", stage.Index) {
			continue
		}
		if in.String() == strings.Join(strings.Fields(s.text), " ") {
			return in.Line
		}
		switch in.Verb {
		case "RUN", "COPY", "ADD", "WORKDIR", "FROM":
			ops = append(ops, in)
		}
	}
	if len(ops) > 0 && strings.EqualFold(ops[0].From().Image, "scratch") {
		ops = ops[1:]
	}
	if i := int(s.n) - 1; i >= 0 && i < len(ops) && strings.HasPrefix(s.text, ops[i].Verb) {
		return ops[i].Line
	}
	return 0
}

func number(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}

// faults are the ways in which builds fail, by what builders print.
var faults = []struct {
	says          *regexp.Regexp
	means, remedy string
}{
	{regexp.MustCompile(`unknown instruction: (\||/BIN/SH|/bin/sh)`), "a line of `docker history` stands in the Dockerfile as it is", "turn the |N arguments into ARG lines and the command into a RUN line"},
	{regexp.MustCompile(`buildx component is missing`), "BuildKit is asked for and docker has no buildx", "install docker's buildx, or unset DOCKER_BUILDKIT"},
	{regexp.MustCompile(`no space left on device`), "the disk of the Docker engine is full", "free space there (docker system prune), or move the engine's folder to a larger disk"},
	{regexp.MustCompile(`(?i)pull access denied|load metadata for .*:\n------\nfailed to solve|failed to resolve source metadata|registry-1\.docker\.io|manifest (for .* not found|unknown)`), "a base image is not there and cannot be pulled", "bring it with image.load before this step, or build FROM an image that is there"},
	{regexp.MustCompile(`(?i)network bridge not found|could not find network|failed to create endpoint|network .* not found`), "the Docker engine has no network for RUN lines", `set network = "host", or give the engine its bridge`},
	{regexp.MustCompile(`exec format error`), "a program of the image is for another architecture", "build from a base image of the engine's architecture"},
	{regexp.MustCompile(`OCI runtime create failed`), "a RUN line could not be started", "see whether the image has the program that it starts, /bin/sh by default"},
	{regexp.MustCompile(`returned a non-zero code: \d+|did not complete successfully: exit code: \d+|executor failed running .*: exit code: \d+`), "a RUN line failed", "see the output of its command above"},
	{regexp.MustCompile(`(?i)(copy|add) failed|failed to calculate checksum of ref|failed to compute cache key`), "a file to copy is not in the context", "put it there, or see whether .dockerignore leaves it out"},
	{regexp.MustCompile(`unexpected EOF|Error processing tar file`), "the context did not arrive whole", "apply again; if it stays so, look at the connection and at the engine's disk"},
	{regexp.MustCompile(`(?i)dockerfile parse error|unknown instruction`), "the Dockerfile is not valid", "correct the line that is named above"},
}

// explain turns a failed docker build into an error that shows the end of its
// output and what to do.
func (l *buildLog) explain(err error, ref, place string) error {
	if err == nil {
		return nil
	}
	exit := (*conn.ExitError)(nil)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &exit) {
		return fmt.Errorf("build %s: %w", ref, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.Join(l.last, "\n")
	what, evidence := "build "+ref, []string{text}
	if f := l.failed; f != nil {
		what += " at " + shortLine(f.text)
		if f.line > 0 {
			what += fmt.Sprintf(" (%s:%d)", l.name, f.line)
		}
		if len(f.last) > 0 {
			evidence = []string{strings.Join(f.last, "\n")}
		}
	}
	for _, f := range faults {
		if f.says.MatchString(text) {
			return module.Explain(fmt.Errorf("%s: %s", what, f.means), f.remedy, evidence...)
		}
	}
	exit.Stderr = text
	return explain(exit, what+" on "+place)
}

func shortLine(s string) string {
	if len(s) > 100 {
		return s[:97] + "..."
	}
	return s
}

// lineWriter calls line for each line written to it. A carriage return ends a
// line too: that is how progress bars are drawn.
type lineWriter struct {
	line func(string)
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexAny(w.rest, "\r\n")
		if i < 0 {
			return len(p), nil
		}
		w.line(string(w.rest[:i]))
		w.rest = w.rest[i+1:]
	}
}

// flush hands out a last line that nothing ended.
func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.line(string(w.rest))
		w.rest = nil
	}
}

// pull asks the registry for a base image.
func (d docker) pull(ctx context.Context, env *module.Env, ref string) error {
	log := newBuildLog(env, "", nil)
	out := log.stream()
	cmd := conn.Command("docker", "pull", ref)
	cmd.Stdout = out
	_, err := d.Run(ctx, cmd)
	out.flush()
	exit := (*conn.ExitError)(nil)
	if !errors.As(err, &exit) {
		return err
	}
	return module.Explain(&failure{fmt.Sprintf("the base image %s is not on %s and cannot be pulled: %s", ref, d.place, lastLine(exit)), exit},
		"bring it with image.load before this step, or build FROM an image that is there")
}
