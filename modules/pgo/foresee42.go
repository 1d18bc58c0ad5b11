package pgo

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
)

// foreseer is a driver that can tell before a creation what will go wrong in it.
type foreseer interface {
	foresee(ctx context.Context, c *Cluster) error
}

// settings42 is what a creation takes from pgo.yaml.
type settings42 struct {
	Cluster struct{ CCPImagePrefix, User, Database string }

	Storage, ContainerResources map[string]struct{}
}

// foresee compares the runbook with pgo.yaml, which the apiserver shows to those
// with the right. Who lacks it learns the same from the answer to the creation,
// or from the objects that it leads to.
func (d *rest42) foresee(ctx context.Context, c *Cluster) error {
	var out struct{ Result settings42 }
	path := fmt.Sprintf("/config?version=%s&namespace=%s", d.api.speaks, url.QueryEscape(d.namespace))
	if err := d.api.call(ctx, http.MethodGet, path, nil, &out); err != nil {
		return ctx.Err()
	}
	s := out.Result
	if want := c.ref().prefix; want != "" && s.Cluster.CCPImagePrefix != "" && familiar(want) != familiar(s.Cluster.CCPImagePrefix) {
		return otherPrefix(imageRef{s.Cluster.CCPImagePrefix, c.ref().name, c.ref().tag}.String(), c.ref())
	}
	for _, f := range []struct{ arg, want, is string }{{"user", c.User, s.Cluster.User}, {"dbname", c.Dbname, s.Cluster.Database}} {
		if f.want != "" && f.want != f.is {
			return module.At(f.arg, module.Explain(fmt.Errorf("PGO 4.2 makes %s: pgo.yaml says so for every cluster", f.is), remedyFirstUser))
		}
	}
	for _, f := range []struct {
		arg, want string
		are       map[string]struct{}
	}{{"storage_config", c.StorageConfig, s.Storage}, {"resources_config", c.ResourcesConfig, s.ContainerResources}} {
		if _, ok := f.are[f.want]; f.want != "" && !ok {
			return module.At(f.arg, fmt.Errorf("pgo.yaml has no %q: it has %s", f.want, strings.Join(slices.Sorted(maps.Keys(f.are)), ", ")))
		}
	}
	return nil
}

const remedyFirstUser = "PGO 4.2 has the first user and the database in pgo.yaml; make further users by pgo.user, further databases by sql.database"

// otherPrefix tells that the operator puts its own prefix before the image.
func otherPrefix(runs string, want imageRef) error {
	return module.At("image", module.Explain(fmt.Errorf("the operator runs %s, not %s", runs, want),
		"PGO 4.2 puts one prefix (CCPImagePrefix in pgo.yaml) before every image: tag and ship the image under that name, or change the prefix and restart the operator"))
}
