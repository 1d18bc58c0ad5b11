package pgo

import (
	"context"
	"errors"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// outage is how long the operator or the API server may be away while a
// cluster is waited for: either may be restarted meanwhile, and the cluster
// comes up without them.
const outage = time.Minute

// watch looks at a cluster again and again.
type watch struct {
	*place
	env  *module.Env
	lost time.Time // since when nobody answers; zero while somebody does
}

// next looks, and looks again while nobody answers.
func (w *watch) next(ctx context.Context, judge bool) (*view, error) {
	for {
		v, err := w.look(ctx, judge)
		switch {
		case err == nil:
			w.lost = time.Time{}
			return v, nil
		case ctx.Err() != nil || !passing(err):
			return nil, err
		case w.lost.IsZero():
			w.lost = time.Now()
			w.env.Logf("no answer, trying again for %s: %v", outage, err)
		case time.Since(w.lost) > outage:
			return nil, err
		}
		if err := w.rest(ctx); err != nil {
			return nil, err
		}
	}
}

func (w *watch) rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(w.pace):
		return nil
	}
}

// passing tells a door that is shut from an answer.
func passing(err error) bool {
	return errors.As(err, new(*conn.Unreachable)) || errors.As(err, new(*url.Error)) ||
		apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err)
}
