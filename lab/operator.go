package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/binaries"
	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/image"
	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/pgo"
)

// ownPrograms are the images made from this module, to be loaded on every node.
type ownPrograms struct{ images []string }

func buildOwn(ctx context.Context, builder binaries.Builder, engine docker.Engine) (ownPrograms, error) {
	pause, err := builder.Own(ctx, "./image/pause")
	if err != nil {
		return ownPrograms{}, err
	}
	if err := image.Pause(layout.PauseImage, pause).Ensure(ctx, engine); err != nil {
		return ownPrograms{}, err
	}
	return ownPrograms{}, nil
}

func (a *ascent) installOperator(ctx context.Context) error { return nil }

var _ = pgo.Image
var _ = metav1.GetOptions{}
var _ = os.Stat
var _ = filepath.Join
var _ = fmt.Errorf
