package main

import (
	"context"
	_ "embed"
	"fmt"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/binaries"
	"github.com/adbsql/antdbctl/lab/control"
	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/image"
	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/pgo"
)

//go:embed pgo/Dockerfile
var operatorDockerfile string

// makeOwnImages builds the images that hold a program of this module, and names them: every node gets them.
func makeOwnImages(ctx context.Context, builder binaries.Builder, engine docker.Engine) ([]string, error) {
	pause, err := builder.Own(ctx, "./image/pause")
	if err != nil {
		return nil, err
	}
	operator, err := builder.Own(ctx, "./pgo/cmd/standin")
	if err != nil {
		return nil, err
	}
	images := []image.Scratch{
		image.Pause(layout.PauseImage, pause),
		{Name: pgo.Image, Binary: operator, Dockerfile: operatorDockerfile},
	}
	var names []string
	for _, made := range images {
		if err := made.Ensure(ctx, engine); err != nil {
			return nil, err
		}
		names = append(names, made.Name)
	}
	return names, nil
}

// installOperator installs the PGO stand-in and notes where its API and its credentials are.
func (a *ascent) installOperator(ctx context.Context) error {
	config, err := control.Config(a.lab)
	if err != nil {
		return err
	}
	certs := a.lab.In("pgo")
	build := a.engine.Label(ctx, pgo.Image, docker.KeyLabel)
	if err := pgo.Install(ctx, config, pgo.Options{CertDir: certs, Build: build}); err != nil {
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	service, err := client.CoreV1().Services("pgo").Get(ctx, "postgres-operator", metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("find the operator's address: %w", err)
	}
	a.site.PGOURL = fmt.Sprintf("https://%s:8443", service.Spec.ClusterIP)
	a.site.PGOCerts, a.site.PGOUserFile = certs, filepath.Join(certs, "pgouser")
	return nil
}
