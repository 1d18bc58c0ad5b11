package rootfs

import (
	"fmt"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// HistoryError says that an image's history does not tell which step of the
// build made which layer.
type HistoryError struct{ Steps, Layers int }

func (e *HistoryError) Error() string {
	return fmt.Sprintf("the history of the image names %d layers and the image has %d: it was squashed, or made by a tool that keeps no history", e.Steps, e.Layers)
}

// History gives the step of the build that made each layer, from the base up.
// A step of size zero may still have made a layer; only those that the history
// itself calls empty have none.
func History(c *v1.ConfigFile) ([]v1.History, error) {
	var steps []v1.History
	for _, h := range c.History {
		if !h.EmptyLayer {
			steps = append(steps, h)
		}
	}
	if len(steps) != len(c.RootFS.DiffIDs) {
		return nil, &HistoryError{len(steps), len(c.RootFS.DiffIDs)}
	}
	return steps, nil
}

var (
	longHex     = regexp.MustCompile(`\b((?:[a-z]+:)?[0-9a-f]{12})[0-9a-f]{20,}\b`)
	instruction = regexp.MustCompile(`^(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR)\b`)
)

const shell = "/bin/sh -c "

// Command is a step of the history as a person reads it: the instruction, in
// one line, without what the builder wrote around it.
func Command(h v1.History) string {
	text := strings.Join(strings.Fields(h.CreatedBy), " ")
	if text == "" {
		if text = strings.Join(strings.Fields(h.Comment), " "); text == "" {
			return "(no record)"
		}
		return text
	}
	text = strings.TrimSuffix(text, " # buildkit")
	run := strings.TrimPrefix(text, "RUN ")
	if strings.HasPrefix(run, "|") { // build arguments, and then the command
		if _, command, ok := strings.Cut(run, " "+shell); ok {
			run = shell + command
		}
	}
	switch command, ok := strings.CutPrefix(run, shell); {
	case ok && strings.HasPrefix(command, "#(nop)"):
		text = strings.TrimSpace(strings.TrimPrefix(command, "#(nop)"))
	case ok:
		text = "RUN " + command
	case !instruction.MatchString(text) && strings.HasPrefix(text, "|"):
		text = "RUN " + text
	}
	return longHex.ReplaceAllString(text, "$1")
}
