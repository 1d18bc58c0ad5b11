package k8s

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed apply.hcl
var applyExample string

// Apply makes a cluster have the objects of a manifest.
type Apply struct {
	Manifest  string   `hcl:"manifest,optional" doc:"YAML or JSON documents, as kubectl takes them; often a templatefile()."`
	File      string   `hcl:"file,optional" doc:"File of such documents, instead of manifest."`
	Files     []string `hcl:"files,optional" doc:"Files of such documents, instead of manifest; * and ? stand for several."`
	Namespace string   `hcl:"namespace,optional" doc:"Namespace of the objects that name none; the target's when left out."`

	Objects []Object `out:"objects" doc:"The objects: kind, name and namespace (empty for kinds without)."`

	told map[string]bool // notes that were logged: a step looks several times
}

// Object names one object of a cluster.
type Object struct {
	Kind      string `cty:"kind"`
	Name      string `cty:"name"`
	Namespace string `cty:"namespace"`
}

// Info describes k8s.apply.
func (*Apply) Info() module.Info {
	return module.Info{
		Name:    "k8s.apply",
		Summary: "Make a cluster have the objects of a manifest.",
		Doc: `The plan comes from the server: each object is sent as a dry run, defaults and admission included, and compared
with what is there. Servers from 1.22 on merge it themselves (server-side apply, field manager ` + "`antdbctl`" + `, which
takes over fields that another manager set otherwise); for older ones it is merged as kubectl apply does, and
notes what was applied where kubectl apply does too. An object that was applied before as it stands, and is so still, is
not sent at all.

Servers from 1.13 on are served. A manifest may say any version of a kind that Kubernetes has had since: where the server
has another, the object is rewritten for it, and the plan says so (a CustomResourceDefinition v1 for a server that knows
v1beta1, a Deployment of extensions/v1beta1 for one that knows apps/v1). What the server's version cannot say is refused;
a field that an old server drops is warned of.

Objects are applied in the order in which they stand, and destroyed in the other. A definition of a kind may
stand before objects of that kind, a namespace before what is in it. The values of Secrets are never shown; still,
a manifest is plain text, so a Secret that matters is better made from a secret by something else.`,
		On:      places,
		Example: applyExample,
	}
}

// Validate checks what the tags cannot say.
func (a *Apply) Validate() error {
	given := 0
	for _, set := range []bool{a.Manifest != "", a.File != "", len(a.Files) > 0} {
		if set {
			given++
		}
	}
	if given != 1 {
		return errors.New("k8s.apply takes one of manifest, file and files")
	}
	if a.Manifest == "" {
		return nil
	}
	_, err := parse("manifest", a.Manifest)
	return module.At("manifest", err)
}

// argument is the one that the objects come from.
func (a *Apply) argument() string {
	switch {
	case a.Manifest != "":
		return "manifest"
	case a.File != "":
		return "file"
	}
	return "files"
}

// Check asks the server what applying would change.
func (a *Apply) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	c, err := clientOf(env, a.Namespace)
	if err != nil {
		return module.NoChange, err
	}
	docs, err := a.documents(env)
	if err != nil {
		return module.NoChange, err
	}
	if err := c.needsDryRuns(); err != nil {
		return module.NoChange, err
	}
	a.Objects = nil
	var steps []step
	var errs []error
	for _, s := range c.subjects(ctx, docs) {
		done, err := c.look(ctx, s, docs)
		errs = append(errs, s.fault(err))
		steps = append(steps, done)
		a.Objects = append(a.Objects, Object{s.GetKind(), s.GetName(), s.GetNamespace()})
		a.tell(env, done)
	}
	if err := errors.Join(errs...); err != nil {
		return module.NoChange, module.At(a.argument(), c.explain(err))
	}
	return summary(steps), nil
}

// tell logs the notes of a step, each once.
func (a *Apply) tell(env *module.Env, s step) {
	if a.told == nil {
		a.told = map[string]bool{}
	}
	for _, note := range s.notes {
		line := s.String() + ": " + note
		if !a.told[line] {
			a.told[line] = true
			env.Logf("%s", line)
		}
	}
}

// step is what applying one document would do.
type step struct {
	document
	action module.Action // None, Create or Update
	diff   []module.Diff
	notes  []string // what the reader of the plan should know
}

// look compares a document with the cluster. all are the documents that are
// applied with it: what it needs may be among them.
func (c client) look(ctx context.Context, s *subject, all []document) (step, error) {
	done := step{document: s.document, action: module.None}
	if s.note != "" {
		done.notes = append(done.notes, s.note)
	}
	switch {
	case s.err != nil:
		return done, s.err
	case s.mapping == nil:
		return done.create(), nil
	}
	for try := range 3 {
		if s.live == nil || try > 0 {
			if err := c.read(ctx, s); err != nil {
				return done, err
			}
		}
		if s.live != nil && settled(s.document, s.live) {
			return done, nil
		}
		merged, err := c.send(ctx, s, metav1.DryRunAll)
		switch {
		case isMissingNamespace(err) && declares(all, s.GetNamespace()):
			return done.create(), nil
		case err != nil:
			return done, err
		}
		lost := c.notKept(s.document, merged)
		if s.live == nil {
			done = done.create()
			done.notes = append(done.notes, lost...)
			return done, nil
		}
		done.diff = differences(s.String(), s.live, merged)
		if len(done.diff) > 0 {
			done.action = module.Update
		}
		if len(done.diff) == 0 || s.live.GetResourceVersion() == merged.GetResourceVersion() || try == 2 {
			done.notes = append(done.notes, lost...)
			break
		} // a controller changed it between the two looks; look again
		done.action = module.None
	}
	return done, nil
}

func (s step) create() step {
	s.action = module.Create
	s.diff = []module.Diff{{Path: s.document.String(), After: s.text()}}
	return s
}

// place puts a document into its namespace, if its kind has any.
func (c client) place(d document, m *meta.RESTMapping) {
	switch {
	case m.Scope.Name() == meta.RESTScopeNameRoot:
		d.SetNamespace("")
	case d.GetNamespace() == "":
		d.SetNamespace(c.namespace)
	}
}

// defines reports that one of the documents is the definition of d's kind.
func defines(all []document, d document) bool {
	return slices.ContainsFunc(all, func(o document) bool {
		if o.GetKind() != "CustomResourceDefinition" {
			return false
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		return group == d.GroupVersionKind().Group && kind == d.GetKind()
	})
}

func declares(all []document, namespace string) bool {
	return slices.ContainsFunc(all, func(o document) bool { return o.GetKind() == "Namespace" && o.GetName() == namespace })
}

func isMissingNamespace(err error) bool {
	status := apierrors.APIStatus(nil)
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}

// summary is the change of all steps together. Create means that none of the
// objects is there.
func summary(steps []step) module.Change {
	var change module.Change
	verbs := map[module.Action][]string{}
	for _, s := range steps {
		change.Diff = append(change.Diff, s.diff...)
		verbs[s.action] = append(verbs[s.action], s.String())
	}
	created, updated := verbs[module.Create], verbs[module.Update]
	switch {
	case len(created)+len(updated) == 0:
		return module.NoChange
	case len(created) == len(steps):
		change.Action = module.Create
	default:
		change.Action = module.Update
	}
	var parts []string
	for _, p := range []struct {
		verb  string
		names []string
	}{{"create", created}, {"update", updated}} {
		switch {
		case len(p.names) > 3:
			parts = append(parts, fmt.Sprintf("%s %d objects", p.verb, len(p.names)))
		case len(p.names) > 0:
			parts = append(parts, p.verb+" "+strings.Join(p.names, ", "))
		}
	}
	change.Summary = strings.Join(parts, "; ")
	return change
}
