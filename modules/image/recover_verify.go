package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/buildcontext"
	"github.com/adbsql/antdbctl/modules/image/history"
	"github.com/adbsql/antdbctl/modules/image/recovery"
)

// verify builds what was recovered and compares it with the original.
func (r *Recover) verify(ctx context.Context, env *module.Env, dir string, rec *record) error {
	d := dockerOn(env)
	var notes []string
	place := dir
	if base := rec.From.Name; base != "" {
		found, err := d.inspect(ctx, base)
		if err != nil {
			return err
		}
		if _, ok := found[base]; !ok {
			tmp, err := os.MkdirTemp("", "antdbctl-recover-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(tmp)
			if _, err := r.context(ctx, env, tmp, true); err != nil {
				return err
			}
			place = tmp
			env.Logf("%s is not on %s: the files of the base are taken from the image to verify the rest", base, d.place)
		}
	}
	built, err := r.rebuild(ctx, env, place)
	if err != nil {
		return err
	}
	defer d.untag(context.WithoutCancel(ctx), built.ID, built.RepoTags...)
	img, err := fetch(ctx, env, d, built)
	if err != nil {
		return err
	}
	env.Phase("compare")
	diffs, err := recovery.Compare(ctx, r.source.image, img)
	if err != nil {
		return err
	}
	for _, diff := range diffs {
		notes = append(notes, diff.String())
	}
	rec.Verified, rec.Differences = verifiedBy(dir), notes
	return rec.write(dir)
}

// rebuild builds a context under a name of its own.
func (r *Recover) rebuild(ctx context.Context, env *module.Env, dir string) (imageInfo, error) {
	d := dockerOn(env)
	how, err := r.builder(ctx, d)
	if err != nil {
		return imageInfo{}, err
	}
	c, err := buildcontext.Open(dir, "Dockerfile")
	if err != nil {
		return imageInfo{}, err
	}
	file, err := c.Read()
	if err != nil {
		return imageInfo{}, err
	}
	tag := fmt.Sprintf("antdbctl-recovered:%d-%d", os.Getpid(), time.Now().UnixNano())
	args := []string{"docker", "build", "--tag", tag}
	if how.kind == buildkit {
		args = append(args, "--progress", "plain")
	} else {
		args = append(args, "--force-rm")
	}
	if r.Network != "" {
		args = append(args, "--network", r.Network)
	}
	env.Phase("rebuild")
	log := newBuildLog(env, filepath.Join(dir, "Dockerfile"), file)
	stdout, stderr := log.stream(), log.stream()
	cmd := conn.Command(append(args, "-")...)
	cmd.Env, cmd.Stdout, cmd.Stderr = how.environment(), stdout, stderr
	_, err = feed(ctx, env, cmd, func(w io.Writer) error { return c.Stream(w, time.Time{}) })
	stdout.flush()
	stderr.flush()
	if err != nil {
		return imageInfo{}, log.explain(err, tag, d.place)
	}
	return d.one(ctx, tag)
}

// builder is the one that made the original, where docker has it: builders
// differ in small things, such as who owns new folders.
func (r *Recover) builder(ctx context.Context, d docker) (buildEngine, error) {
	config, err := r.source.image.ConfigFile()
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
	how, err := d.builder(ctx, want, r.Network)
	if err != nil && want != "auto" {
		return d.builder(ctx, "auto", r.Network)
	}
	return how, err
}
