package host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed directory.hcl
var directoryExample string

// Directory keeps a folder with a given mode and owner.
type Directory struct {
	Path  string `hcl:"path" doc:"Absolute path of the folder; missing parents are made with mode 0755."`
	Mode  string `hcl:"mode,optional" doc:"Permission bits in octal. Without it a new folder gets 0755, and an old one keeps its own."`
	Owner string `hcl:"owner,optional" doc:"User that owns the folder, by name or number."`
	Group string `hcl:"group,optional" doc:"Group of the folder, by name or number."`
}

// Info describes host.directory.
func (*Directory) Info() module.Info {
	return module.Info{
		Name:    "host.directory",
		Summary: "Keep a folder with a given mode and owner.",
		Doc: `What is in the folder stays as it is. A symbolic link to a folder counts as a folder.

Destroying removes the folder only when it is empty, and fails, leaving all of it, when it is not.`,
		On:      places,
		Example: directoryExample,
	}
}

// Validate checks what the tags cannot say.
func (d *Directory) Validate() error {
	if err := checkPath(d.Path); err != nil {
		return module.At("path", err)
	}
	return module.At("mode", checkMode(d.Mode))
}

// Check compares the folder with what is wanted, in one command.
func (d *Directory) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	have, err := look(ctx, env, d.Path, true, -1, "")
	if err != nil {
		return module.NoChange, module.At("path", err)
	}
	if have.missing {
		m := d.meta()
		if m.mode == "" {
			m.mode = "0755"
		}
		return module.Change{Action: module.Create, Summary: fmt.Sprintf("create %s (%s)", d.Path, m)}, nil
	}
	if have.kind() != directory {
		return module.NoChange, module.At("path", fmt.Errorf("%s is %s", d.Path, have.what()))
	}
	diffs := d.meta().diff(have)
	if len(diffs) == 0 {
		return module.NoChange, nil
	}
	return module.Change{Action: module.Update, Summary: d.Path + ": " + summaryOf(diffs), Diff: diffs}, nil
}

// Apply makes the folder and gives it its mode and owner.
func (d *Directory) Apply(ctx context.Context, env *module.Env) error {
	return blame(ctx, env, d.Path, d.meta(), 0, true, setMeta(ctx, env, d.Path, d.meta(), true))
}

// removeScript removes the folder $1 if it is there and empty. Else it lists
// the first names in it.
const removeScript = `LC_ALL=C; export LC_ALL
[ -d "$1" ] || exit 0
rmdir "$1" 2>/dev/null && exit 0
held=$(ls -A "$1" | head -n 5)
[ -z "$held" ] || { printf '%s\n' "$held"; exit 84; }
rmdir "$1"
`

// Destroy removes the folder if it is empty.
func (d *Directory) Destroy(ctx context.Context, env *module.Env) error {
	_, err := env.Run(ctx, conn.Script(removeScript, d.Path))
	var exit *conn.ExitError
	if errors.As(err, &exit) && exit.Code == 84 {
		return module.At("path", module.Explain(
			fmt.Errorf("%s is not empty and was left as it is: %w", d.Path, fs.ErrExist),
			"remove what is in it yourself, then destroy again", "it holds "+strings.Join(strings.Fields(exit.Stdout), ", ")))
	}
	return blame(ctx, env, d.Path, meta{}, 0, true, err)
}

func (d *Directory) meta() meta { return meta{d.Mode, d.Owner, d.Group} }
