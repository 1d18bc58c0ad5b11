package patroni

import (
	"context"
	"net/http"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/patroni/guc"
	"github.com/adbsql/antdbctl/modules/patroni/rest"
)

// picture is all that a decision takes.
type picture struct {
	*view
	config map[string]any
	lacks  difference
	*survey
	known map[string]guc.Setting
	off   []deviation
}

// look takes the picture. v is the view to take it in.
func (c *Config) look(ctx context.Context, v *view) (*picture, error) {
	leader, err := c.place.lead(v)
	if err != nil {
		return nil, err
	}
	pic := &picture{view: v}
	if pic.config, err = leader.api.Config(ctx); err != nil {
		return nil, err
	}
	if pic.survey, err = c.want.ask(ctx, c.place, v, c.login()); err != nil {
		return nil, err
	}
	pic.known = pic.survey.known(leader.name)
	pic.lacks, pic.off = c.want.against(pic.config, pic.known), pic.survey.deviations(c.want)
	return pic, nil
}

// write patches the configuration; somebody else's change in between makes it
// read and compare again.
func (c *Config) write(ctx context.Context, env *module.Env) error {
	pic := c.seen
	for try := 0; len(pic.lacks.patch) > 0; try++ {
		env.Phase("configure")
		leader, err := c.place.lead(pic.view)
		if err != nil {
			return err
		}
		_, err = leader.api.Patch(ctx, pic.lacks.patch)
		if err == nil {
			return nil
		}
		if !rest.Said(err, http.StatusConflict) || try == 4 {
			return err
		}
		env.Logf("somebody else changed the configuration at the same time: reading it again")
		if pic.config, err = leader.api.Config(ctx); err != nil {
			return err
		}
		pic.lacks = c.want.against(pic.config, pic.known)
	}
	return nil
}
