package k8s

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed get.hcl
var getExample string

// Get reads objects of a cluster.
type Get struct {
	Kind      string `hcl:"kind" doc:"Kind of the objects, as kubectl takes it: Deployment, deploy, pgclusters.crunchydata.com."`
	Name      string `hcl:"name,optional" doc:"Name of the one object."`
	Selector  string `hcl:"selector,optional" doc:"Labels of the objects, instead of a name: \"app=antdb,role in (master)\"."`
	Namespace string `hcl:"namespace,optional" doc:"Namespace; the target's when left out."`

	Found   bool                    `out:"found" doc:"Whether there is any."`
	Count   int                     `out:"count" doc:"How many there are."`
	Object  cty.Value               `out:"object" doc:"The object, or the first by name; null when there is none. The values of a Secret are left out."`
	Objects cty.Value               `out:"objects" doc:"All of them, sorted by name."`
	Secrets map[string]secret.Value `out:"secrets" doc:"The values of a Secret, decoded; empty for other kinds."`
}

// Info describes k8s.get.
func (*Get) Info() module.Info {
	return module.Info{
		Name:    "k8s.get",
		Summary: "Read objects of a cluster, for expect and for other steps.",
		Doc: `That there is no such object is an answer, not a failure: ` + "`found`" + ` says so. A kind that the cluster does
not know is a failure. The values of a Secret come as ` + "`secrets`" + `, and nowhere else.`,
		On:       places,
		Example:  getExample,
		ReadOnly: true,
	}
}

// Validate checks what the tags cannot say.
func (g *Get) Validate() error { return g.query().validate() }

func (g *Get) query() query { return query{g.Kind, g.Name, g.Selector} }

// Check reads.
func (g *Get) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	c, err := clientOf(env, g.Namespace)
	if err != nil {
		return module.NoChange, err
	}
	m, err := c.kind(g.Kind)
	if err != nil {
		return module.NoChange, module.At("kind", c.explain(err))
	}
	found, err := c.find(ctx, m, g.query())
	if err != nil {
		return module.NoChange, c.explain(err)
	}
	g.Found, g.Count = len(found) > 0, len(found)
	g.Object, g.Secrets = cty.NullVal(cty.DynamicPseudoType), nil
	if g.Objects, err = values(found); err != nil {
		return module.NoChange, err
	}
	if g.Found {
		g.Object = g.Objects.Index(cty.Zero)
		if g.Secrets, err = secrets(&found[0]); err != nil {
			return module.NoChange, err
		}
	}
	return module.NoChange, nil
}

// Apply is never called: Check does all the work.
func (*Get) Apply(context.Context, *module.Env) error { return fmt.Errorf("k8s.get changes nothing") }
