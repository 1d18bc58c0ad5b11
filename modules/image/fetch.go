package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// saves lets one image be saved once at a time in this process.
var saves = &turns{busy: map[string]chan struct{}{}}

// fetch gives the image from the store of this machine, after saving it from where docker has
// it if need be.
func fetch(ctx context.Context, env *module.Env, d docker, info imageInfo) (*store.Image, error) {
	s, err := store.Open()
	if err != nil {
		return nil, fmt.Errorf("folder for saved images: %w", err)
	}
	done, err := saves.take(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	defer done()
	if img, err := s.Lookup(s.ConfigOf(info.ID)); err == nil {
		img.Touch()
		return img, nil
	}
	env.Phase("save")
	var img *store.Image
	err = drain(ctx, d, conn.Command("docker", "image", "save", info.ID), func(r io.Reader) (err error) {
		img, err = s.Ingest(ctx, &progressReader{r, env, info.Size, 0}, "")
		return err
	})
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return nil, d.explain(err, "save "+short(info.ID))
	}
	if err != nil {
		return nil, told(fmt.Errorf("save %s into %s: %w", short(info.ID), s.Dir(), err))
	}
	if img.ID != info.ID {
		if err := s.SetConfigOf(info.ID, img.ID); err != nil {
			return nil, err
		}
	}
	if err := s.Prune(); err != nil {
		env.Logf("warning: %s", err)
	}
	return img, nil
}

// progressReader reports how much was read.
type progressReader struct {
	r     io.Reader
	env   *module.Env
	total int64
	n     int64
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	p.env.Progress(p.n, max(p.total, p.n), "B")
	return n, err
}
