package image

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/dockerfile"
	"github.com/adbsql/antdbctl/modules/image/preflight"
)

//go:embed check.hcl
var checkExample string

// Check finds out whether an image can be a database of the operator's before
// any pod starts from it.
type Check struct {
	Image      string   `hcl:"image,optional" doc:"Image to check: an ID or a name. Either this or archive is needed."`
	Archive    string   `hcl:"archive,optional" doc:"Archive to check instead, as image.inspect takes it."`
	Dockerfile string   `hcl:"dockerfile,optional" doc:"Dockerfile that the image was built from. Then findings name its lines."`
	PGRoot     string   `hcl:"pg_root,optional" doc:"Folder of the server, such as /usr/pgsql-11. The image's PGROOT by default, else where PATH finds postgres."`
	PGMajor    string   `hcl:"pg_major,optional" doc:"Major version that the server must be of. By default what the image's PGVERSION, labels or folder say."`
	Arch       string   `hcl:"arch,optional" doc:"Architecture of the nodes, such as amd64. By default what the image says of itself."`
	Preload    []string `hcl:"preload,optional" doc:"Libraries that the server will preload, where a custom configuration of the operator says other than the image. By default those of the image's /opt/cpm/conf, and pgaudit.so and pg_stat_statements.so."`
	Dynamic    string   `hcl:"dynamic,optional" default:"auto" oneof:"auto,true,false" doc:"Whether to prove what can be proved in a throw-away container, too: initdb, a server that preloads the libraries, an audited statement, pgBackRest, Patroni. It gets no network and no volume and is gone afterwards. auto does it for an image in docker that has failed no check so far."`
	Ignore     []string `hcl:"ignore,optional" doc:"Checks to leave out, such as B6.15."`
	FailOn     string   `hcl:"fail_on,optional" default:"fail" oneof:"fail,warn,never" doc:"When the step fails: when a check fails, also when one warns or cannot tell, or never."`

	ID       string              `out:"id" doc:"Content address of the image."`
	Findings []preflight.Finding `out:"findings" doc:"One for each check, in order: id, title, verdict (pass, warn, unknown, fail), evidence, remedy, layer (from 1) and history line at fault, the line of the Dockerfile, and whether a container proved it."`
	Passed   []string            `out:"passed" doc:"IDs of the checks that passed."`
	Warned   []string            `out:"warned" doc:"IDs of those that warn or cannot tell."`
	Failed   []string            `out:"failed" doc:"IDs of those that failed."`
}

func (*Check) Info() module.Info {
	return module.Info{
		Name:    "image.check",
		Summary: "Find out whether an image can be a database of the operator's, before a pod starts from it.",
		Doc: `Twenty checks, each of something that kept a pod from starting for somebody. They are answered from the files of the
image, without a container: the libraries that are preloaded are there and built for this very server (PG_MODULE_MAGIC,
every symbol defined), psycopg2 and pgBackRest find a libpq, every program finds its libraries in versions that they
have, the locale is there, uid 26 may read and write what it must, containers start as the operator expects, no secret is
in the history. What fails is told with the layer and the line that made or dropped it.

| check | what it looks at |
| --- | --- |
` + checkTable() + `
The step fails when a check does; ` + "`fail_on`" + ` and ` + "`ignore`" + ` soften that.`,
		On:       []string{conn.Docker, conn.Local, conn.SSH},
		Example:  checkExample,
		ReadOnly: true,
	}
}

func checkTable() string {
	var rows strings.Builder
	for _, row := range preflight.Titles() {
		fmt.Fprintf(&rows, "| %s | %s |\n", row[0], row[1])
	}
	return rows.String()
}

// Validate looks at the source and the names of checks.
func (c *Check) Validate() error {
	switch {
	case c.Image == "" && c.Archive == "":
		return module.At("image", errors.New("no image is named: set image or archive"))
	case c.Image != "" && c.Archive != "":
		return module.At("archive", errors.New("an image comes from docker or from an archive: set image or archive, not both"))
	case c.Archive != "" && c.Dynamic == "true":
		return module.At("dynamic", errors.New("no container can be started of an archive; load it with image.load and set image"))
	}
	for _, id := range c.Ignore {
		if !slices.Contains(preflight.IDs(), id) {
			return module.At("ignore", fmt.Errorf("there is no check %q: they are %s", id, strings.Join(preflight.IDs(), ", ")))
		}
	}
	return nil
}

// Check does all the work.
func (c *Check) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	img, err := openSight(ctx, env, c.Image, c.Archive)
	if err != nil {
		return module.NoChange, err
	}
	c.ID = img.id
	if err := c.judge(ctx, env, img); err != nil {
		return module.NoChange, err
	}
	c.Passed, c.Warned, c.Failed = []string{}, []string{}, []string{}
	for _, f := range c.Findings {
		switch preflight.Verdict(f.Verdict) {
		case preflight.Pass:
			c.Passed = append(c.Passed, f.ID)
		case preflight.Fail:
			c.Failed = append(c.Failed, f.ID)
		default:
			c.Warned = append(c.Warned, f.ID)
		}
	}
	return module.NoChange, c.outcome()
}

func (c *Check) judge(ctx context.Context, env *module.Env, img *sight) (err error) {
	env.Phase("check")
	var probe *preflight.Probe
	c.Findings, probe, err = preflight.Run(ctx, img.tree, img.config, preflight.Want{
		Root: c.PGRoot, Major: c.PGMajor, Arch: c.Arch, Preload: c.Preload, Ignore: c.Ignore,
	})
	if err != nil {
		return err
	}
	if err := c.prove(ctx, env, probe); err != nil {
		return err
	}
	return c.nameLines(env, img.config)
}

// nameLines adds the Dockerfile's lines to the findings.
func (c *Check) nameLines(env *module.Env, config *v1.ConfigFile) error {
	if c.Dockerfile == "" {
		return nil
	}
	f, err := os.Open(env.Path(c.Dockerfile))
	if err != nil {
		return module.At("dockerfile", err)
	}
	defer f.Close()
	file, err := dockerfile.Parse(f)
	if err != nil {
		return module.At("dockerfile", err)
	}
	lines := preflight.Lines(file, config)
	for i, finding := range c.Findings {
		if finding.Layer > 0 && finding.Layer <= len(lines) {
			c.Findings[i].Line = lines[finding.Layer-1]
		}
	}
	return nil
}

// outcome is the error that the findings make of the step.
func (c *Check) outcome() error {
	bad := slices.DeleteFunc(slices.Clone(c.Findings), func(f preflight.Finding) bool {
		return c.FailOn == "never" || f.Verdict == string(preflight.Pass) ||
			c.FailOn != "warn" && f.Verdict != string(preflight.Fail)
	})
	if len(bad) == 0 {
		return nil
	}
	name, arg := c.Image, "image"
	if c.Archive != "" {
		name, arg = c.Archive, "archive"
	}
	var evidence []string
	for _, f := range bad {
		evidence = append(evidence, explainFinding(f)...)
	}
	first := bad[0]
	remedy, _, _ := strings.Cut(first.Remedy, "\n")
	summary := fmt.Sprintf("%s fails %d of %d checks; %s %s: %s", name, len(bad), len(c.Findings), first.ID, first.Title, first.Evidence[0])
	return module.At(arg, module.Explain(errors.New(summary), remedy, evidence...))
}

// explainFinding is a finding in lines.
func explainFinding(f preflight.Finding) []string {
	lines := []string{fmt.Sprintf("%s %s: %s", f.ID, f.Title, f.Verdict)}
	for _, e := range f.Evidence {
		lines = append(lines, "  "+e)
	}
	if fault := f.Fault(); fault != "" {
		lines = append(lines, "  at fault: "+fault)
	}
	for remedy := range strings.Lines(f.Remedy) {
		lines = append(lines, "  remedy: "+strings.TrimSpace(remedy))
	}
	return lines
}

// Apply is never called.
func (*Check) Apply(context.Context, *module.Env) error { return nil }
