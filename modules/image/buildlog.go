package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// buildLog passes the output of a build on, line by line, and keeps its end
// for the case that the build fails. Its streams may be written concurrently.
type buildLog struct {
	env *module.Env

	mu   sync.Mutex
	last []string
	step string // the step under way, as the builder named it
}

// keptLines is how much of a build's output explains its failure.
const keptLines = 40

func newBuildLog(env *module.Env) *buildLog { return &buildLog{env: env} }

// stream is one of the builder's output streams.
func (l *buildLog) stream() *lineWriter { return &lineWriter{line: l.line} }

var (
	classicStep  = regexp.MustCompile(`^Step (\d+)/(\d+) : (.*)`)
	buildkitStep = regexp.MustCompile(`^#\d+ \[(?:\S+ +)?(\d+)/(\d+)\] (.*)`)
)

func (l *buildLog) line(text string) {
	if text = strings.TrimRight(text, " "); text == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last = append(l.last, text); len(l.last) > keptLines {
		l.last = l.last[1:]
	}
	m := classicStep.FindStringSubmatch(text)
	if m == nil {
		m = buildkitStep.FindStringSubmatch(text)
	}
	if m != nil && m[0] != l.step {
		l.step = m[0]
		n, _ := strconv.ParseInt(m[1], 10, 64)
		of, _ := strconv.ParseInt(m[2], 10, 64)
		l.env.Phase(fmt.Sprintf("step %d/%d", n, of))
		l.env.Progress(n-1, of, "steps")
	}
	l.env.Logf("%s", text)
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
	what := "build " + ref
	if l.step != "" {
		what += " at " + shortLine(l.step)
	}
	for _, f := range faults {
		if f.says.MatchString(text) {
			return module.Explain(fmt.Errorf("%s: %s", what, f.means), f.remedy, text)
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
	log := newBuildLog(env)
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
