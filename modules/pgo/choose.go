package pgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// What the argument generation takes.
const (
	generationAuto     = "auto"
	generation42       = "4.2"
	generation47       = "4.7"
	generationResource = "resource"
	generationV5       = "v5"
)

// The API groups of the operator's resources.
const (
	groupV4 = "crunchydata.com"                   // Pgcluster
	groupV5 = "postgres-operator.crunchydata.com" // PostgresCluster
)

// choice is a generation that can be chosen.
type choice struct {
	name string // as the argument says it
	rest bool   // it is spoken to through the apiserver
	open func(p *place) driver
}

// One line for each driver.
var choices = []choice{
	{generation42, true, newREST42},
	{generationV5, false, newPostgresCluster},
	{generation47, true, newREST47},
	{generationResource, false, newResourceV4},
}

func choiceOf(name string) (choice, error) {
	i := slices.IndexFunc(choices, func(c choice) bool { return c.name == name })
	if i < 0 {
		return choice{}, module.At("generation", fmt.Errorf("generation %q of the operator is not spoken here", name))
	}
	return choices[i], nil
}

// use takes the driver of a generation. What it speaks to is not asked yet.
func (p *place) use(env *module.Env, c *Cluster, name string) error {
	chosen, err := choiceOf(name)
	if err != nil {
		return err
	}
	if chosen.rest && p.api == nil {
		if p.api, err = c.access().open(env, c.variable); err != nil {
			return err
		}
	}
	p.driver = chosen.open(p)
	p.names = p.driver.naming()
	return nil
}

// choose takes the driver that the runbook names, or looks for the one that
// fits the site: by the operator's resource definitions, by what the runbook
// says about an apiserver, and, in the first answer of that, by its version.
func (p *place) choose(ctx context.Context, env *module.Env, c *Cluster) error {
	if c.Generation != "" && c.Generation != generationAuto {
		return p.use(env, c, c.Generation)
	}
	v4, v5, err := p.groups(ctx)
	if err != nil {
		return err
	}
	rest := c.API != nil || c.variable("PGO_APISERVER_URL") != "" || c.variable("PGO_CA_CERT") != ""
	switch {
	case v5 && !v4:
		return p.use(env, c, generationV5)
	case rest:
		p.guessed = true // 4.2, until the apiserver says otherwise
		return p.use(env, c, generation42)
	case v4 && !v5:
		return p.use(env, c, generationResource)
	case v4 && v5:
		return p.whoKnows(ctx, env, c)
	}
	return module.Explain(errors.New("no Crunchy operator is installed there: neither Pgclusters nor PostgresClusters are known"),
		"install the operator, or say in api { } how to reach its apiserver")
}

// whoKnows picks the generation that has this cluster already, where two
// operators live side by side.
func (p *place) whoKnows(ctx context.Context, env *module.Env, c *Cluster) error {
	var known []string
	for _, name := range []string{generationResource, generationV5} {
		if err := p.use(env, c, name); err != nil {
			return err
		}
		if found, err := p.driver.record(ctx); err != nil {
			return err
		} else if found != nil {
			known = append(known, name)
		}
	}
	if len(known) == 1 {
		return p.use(env, c, known[0])
	}
	return module.At("name", module.Explain(fmt.Errorf("two generations of the operator are installed, and %s belongs to %s",
		p.name, map[int]string{0: "neither", 2: "both"}[len(known)]),
		`say which: generation = "resource" (Pgcluster) or "v5" (PostgresCluster), or api { } for the apiserver of PGO 4`))
}

// groups looks which of the operator's API groups there are. An API server that
// keeps its groups to itself has none.
func (p *place) groups(ctx context.Context) (v4, v5 bool, err error) {
	raw, err := p.kube.Clientset().Discovery().RESTClient().Get().AbsPath("/apis").DoRaw(ctx)
	if err != nil {
		if passing(err) {
			return false, false, fmt.Errorf("look for the operator's resources: %w", err)
		}
		return false, false, nil
	}
	var list metav1.APIGroupList
	if err := json.Unmarshal(raw, &list); err != nil {
		return false, false, fmt.Errorf("look for the operator's resources: %w", err)
	}
	for _, g := range list.Groups {
		v4, v5 = v4 || g.Name == groupV4, v5 || g.Name == groupV5
	}
	return v4, v5, nil
}

// byVersion takes the driver for an apiserver that has said its version.
func (p *place) byVersion(env *module.Env, c *Cluster, server string) error {
	for _, name := range []string{generation42, generation47} {
		if strings.HasPrefix(server, name+".") {
			p.api.speaks = server
			return p.use(env, c, name)
		}
	}
	return module.At("api", module.Explain(
		fmt.Errorf("the PGO apiserver is %s, and pgo.cluster speaks %s and %s only", server, generation42, generation47),
		`point the step at an operator of that version, or write generation = "resource" to go past its apiserver`))
}

// access is how to reach the apiserver, as the runbook says it.
func (c *Cluster) access() API {
	if c.API != nil {
		return *c.API
	}
	return API{Service: "postgres-operator.pgo:8443"}
}

// variable reads the environment.
func (c *Cluster) variable(name string) string {
	if c.getenv != nil {
		return c.getenv(name)
	}
	return os.Getenv(name)
}
