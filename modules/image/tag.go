package image

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed tag.hcl
var tagExample string

// Tag gives an image further names.
type Tag struct {
	Source string   `hcl:"source" doc:"Image to name: an ID or a name it has."`
	Tags   []string `hcl:"tags" doc:"Names it shall have."`

	Ref string `out:"ref" doc:"The first of the names."`
	ID  string `out:"id" doc:"Content address of the image."`
}

func (*Tag) Info() module.Info {
	return module.Info{
		Name:    "image.tag",
		Summary: "Give an image further names.",
		Doc:     "A name that means another image moves; that image stays. Names that are not listed are left alone.",
		On:      []string{conn.Docker, conn.Local, conn.SSH},
		Example: tagExample,
	}
}

// Validate holds the names to the rules that every engine has.
func (t *Tag) Validate() error {
	if len(t.Tags) == 0 {
		return module.At("tags", fmt.Errorf("there is no name to give"))
	}
	return checkNames("tags", t.Tags...)
}

// Check compares what the source and the names mean.
func (t *Tag) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	source, missing, moving, err := t.look(ctx, env)
	if err != nil {
		return module.NoChange, err
	}
	t.Ref, t.ID = t.Tags[0], source.ID
	switch {
	case len(moving) > 0:
		return module.Change{Action: module.Update, Summary: fmt.Sprintf("move %s to %s", strings.Join(append(moving, missing...), ", "), short(source.ID))}, nil
	case len(missing) > 0:
		return module.Change{Action: module.Create, Summary: fmt.Sprintf("tag %s as %s", short(source.ID), strings.Join(missing, ", "))}, nil
	}
	return module.NoChange, nil
}

// Apply sets the names.
func (t *Tag) Apply(ctx context.Context, env *module.Env) error {
	source, missing, moving, err := t.look(ctx, env)
	if err != nil {
		return err
	}
	return dockerOn(env).tag(ctx, source.ID, append(missing, moving...)...)
}

// Destroy takes the names away that mean the image. A name that is the source
// itself stays.
func (t *Tag) Destroy(ctx context.Context, env *module.Env) error {
	var made []string
	for _, tag := range t.Tags {
		if !sameName(tag, t.Source) {
			made = append(made, tag)
		}
	}
	return dockerOn(env).untag(ctx, t.ID, made...)
}

func (t *Tag) look(ctx context.Context, env *module.Env) (source imageInfo, missing, moving []string, err error) {
	d := dockerOn(env)
	found, err := d.inspect(ctx, append([]string{t.Source}, t.Tags...)...)
	if err != nil {
		return source, nil, nil, err
	}
	source, ok := found[t.Source]
	if !ok {
		_, err := d.one(ctx, t.Source)
		return source, nil, nil, module.At("source", err)
	}
	for _, tag := range t.Tags {
		switch info, ok := found[tag]; {
		case !ok:
			missing = append(missing, tag)
		case info.ID != source.ID:
			moving = append(moving, tag)
		}
	}
	return source, missing, moving, nil
}
