package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// openSource gives an image from one of two sources, in the store of this
// machine: image is an ID or a name in the docker of env; archive is a file or
// an OCI layout folder on this machine, relative to the folder of the runbook.
// Exactly one of them is set. Where an archive holds several images, "#" and a
// name or the beginning of an ID after its path picks one.
func openSource(ctx context.Context, env *module.Env, image, archive string) (*store.Image, error) {
	switch {
	case image != "" && archive != "":
		return nil, module.At("archive", errors.New("an image comes from docker or from an archive: set image or archive, not both"))
	case archive != "":
		img, err := openArchive(ctx, env, archive)
		return img, module.At("archive", err)
	case image == "":
		return nil, module.At("image", errors.New("no image is named: set image or archive"))
	}
	d := dockerOn(env)
	info, err := d.one(ctx, image)
	if err != nil {
		return nil, module.At("image", err)
	}
	img, err := fetch(ctx, env, d, info)
	return img, module.At("image", err)
}

func openArchive(ctx context.Context, env *module.Env, archive string) (*store.Image, error) {
	s, err := store.Open()
	if err != nil {
		return nil, fmt.Errorf("folder for saved images: %w", err)
	}
	file, pick := splitPick(env.Path(archive))
	env.Phase("read archive")
	img, err := s.ReadArchive(ctx, file, pick, func(done, total int64) { env.Progress(done, total, "B") })
	return img, told(err)
}

// told gives a fault of the store the form in which operators see it.
func told(err error) error {
	if fault := (*store.Fault)(nil); errors.As(err, &fault) {
		return module.Explain(err, fault.Remedy)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return module.Explain(err, "the folder must be writable; XDG_CACHE_HOME says where it lies")
	}
	return err
}

// splitPick parts a path from the image picked in it. A file may have a "#" in
// its own name.
func splitPick(archive string) (file, pick string) {
	if _, err := os.Stat(archive); !errors.Is(err, fs.ErrNotExist) {
		return archive, ""
	}
	if n := strings.LastIndexByte(archive, '#'); n > 0 {
		return archive[:n], archive[n+1:]
	}
	return archive, ""
}
