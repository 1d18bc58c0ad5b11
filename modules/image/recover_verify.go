package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/buildcontext"
	"github.com/adbsql/antdbctl/modules/image/dockerfile"
	"github.com/adbsql/antdbctl/modules/image/history"
	"github.com/adbsql/antdbctl/modules/image/recovery"
)

// verify builds what was recovered and compares it with the original.
func (r *Recover) verify(ctx context.Context, env *module.Env, dir string, rec *record) error {
	t := &trial{r: r, env: env, docker: dockerOn(env), dir: dir, edited: rec.edited(dir)}
	defer t.clean()
	built, err := t.build(ctx, rec.From.Name)
	if err != nil {
		return err
	}
	defer t.docker.untag(context.WithoutCancel(ctx), built.ID, built.RepoTags...)
	img, err := fetch(ctx, env, t.docker, built)
	if err != nil {
		return err
	}
	env.Phase("compare")
	diffs, err := recovery.Compare(ctx, r.source.image, img)
	if err != nil {
		return err
	}
	for _, diff := range diffs {
		t.notes = append(t.notes, diff.String())
	}
	rec.Verified, rec.Differences = verifiedBy(dir), t.notes
	return rec.write(dir)
}

// trial is a rebuild that goes on where a line cannot run or the base is not
// there: then the image's own files stand in, in a copy of the context.
type trial struct {
	r      *Recover
	env    *module.Env
	docker docker
	dir    string // the context to build
	edited bool   // by its user: no copy can be made
	copy   string // the copy, once there is one
	result *recovery.Result
	notes  []string // what could not be run
}

func (t *trial) clean() {
	if t.copy != "" {
		_ = os.RemoveAll(t.copy) // a folder for temporary files
	}
}

// build gives an image, whatever RUN lines fail on the way.
func (t *trial) build(ctx context.Context, base string) (imageInfo, error) {
	if base != "" && !t.edited {
		found, err := t.docker.inspect(ctx, base)
		if err != nil {
			return imageInfo{}, err
		}
		if _, ok := found[base]; !ok {
			t.env.Logf("warning: %s is not on %s: its files are taken from the image to verify the rest", base, t.docker.place)
			if err := t.leave(ctx, true); err != nil {
				return imageInfo{}, err
			}
		}
	}
	for {
		built, nth, err := t.once(ctx)
		if err == nil || nth < 0 || t.edited || ctx.Err() != nil {
			return built, err
		}
		if err := t.leave(ctx, t.r.Flatten); err != nil {
			return imageInfo{}, err
		}
		line, standErr := t.result.StandIn(ctx, t.r.source.image, t.copy, nth)
		if standErr != nil {
			return imageInfo{}, err
		}
		t.notes = append(t.notes, fmt.Sprintf("%s: cannot run here (%s); the files of its layer were taken instead", line, reason(err)))
		if err := os.WriteFile(filepath.Join(t.copy, "Dockerfile"), []byte(t.result.Dockerfile.String()), 0o644); err != nil {
			return imageInfo{}, err
		}
	}
}

// reason is the last thing that a failed line said.
func reason(err error) string {
	explained := (*module.Explained)(nil)
	if errors.As(err, &explained) && len(explained.Evidence) > 0 {
		lines := strings.Split(strings.TrimSpace(explained.Evidence[0]), "\n")
		for i := len(lines) - 1; i >= 0; i-- {
			if line := strings.TrimSpace(lines[i]); line != "" && !strings.HasPrefix(line, "Removing intermediate") && !strings.HasPrefix(line, "The command ") && !strings.HasPrefix(line, "---") {
				return line
			}
		}
	}
	return err.Error()
}

// leave makes the copy of the context that the build goes on in.
func (t *trial) leave(ctx context.Context, flat bool) (err error) {
	if t.copy != "" {
		return nil
	}
	if t.copy, err = os.MkdirTemp("", "antdbctl-recover-"); err != nil {
		return err
	}
	t.dir = t.copy
	t.result, err = t.r.context(ctx, t.env, t.copy, flat)
	return err
}

// once builds the context under a name of its own. When a RUN line fails it says
// the how many-th that is, from 0; else -1.
func (t *trial) once(ctx context.Context) (built imageInfo, nth int, err error) {
	how, err := t.builder(ctx)
	if err != nil {
		return imageInfo{}, -1, err
	}
	c, err := buildcontext.Open(t.dir, "Dockerfile")
	if err != nil {
		return imageInfo{}, -1, err
	}
	file, err := c.Read()
	if err != nil {
		return imageInfo{}, -1, err
	}
	tag := fmt.Sprintf("antdbctl-recovered:%d-%d", os.Getpid(), time.Now().UnixNano())
	args := []string{"docker", "build", "--tag", tag}
	if how.kind == buildkit {
		args = append(args, "--progress", "plain")
	} else {
		args = append(args, "--force-rm")
	}
	if t.r.Network != "" {
		args = append(args, "--network", t.r.Network)
	}
	t.env.Phase("rebuild")
	log := newBuildLog(t.env, filepath.Join(t.r.To, "Dockerfile"), file)
	stdout, stderr := log.stream(), log.stream()
	cmd := conn.Command(append(args, "-")...)
	cmd.Env, cmd.Stdout, cmd.Stderr = how.environment(), stdout, stderr
	_, err = feed(ctx, t.env, cmd, func(w io.Writer) error { return c.Stream(w, time.Time{}) })
	stdout.flush()
	stderr.flush()
	if err != nil {
		return imageInfo{}, failedRun(file, log), log.explain(err, "the recovered image", t.docker.place)
	}
	built, err = t.docker.one(ctx, tag)
	return built, -1, err
}

// failedRun counts the RUN lines before the one that failed; -1 when it was
// another line.
func failedRun(file *dockerfile.File, log *buildLog) int {
	if log.failed == nil || log.failed.line == 0 {
		return -1
	}
	n := 0
	for _, in := range file.Instructions {
		switch {
		case in.Verb != "RUN":
		case in.Line == log.failed.line:
			return n
		default:
			n++
		}
	}
	return -1
}

// builder is the one that made the original, where docker has it: builders
// differ in small things, such as who owns new folders.
func (t *trial) builder(ctx context.Context) (buildEngine, error) {
	config, err := t.r.source.image.ConfigFile()
	if err != nil {
		return buildEngine{}, err
	}
	rows, _ := history.FromConfig(config) // which row made which layer does not matter here
	want := "auto"
	switch history.Builder(history.Read(rows, &config.Config)) {
	case history.Classic:
		want = classic
	case history.BuildKit:
		want = buildkit
	}
	how, err := t.docker.builder(ctx, want, t.r.Network)
	if err != nil && want != "auto" {
		return t.docker.builder(ctx, "auto", t.r.Network)
	}
	return how, err
}
