package main

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/binaries"
	"github.com/adbsql/antdbctl/lab/cluster"
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
		{Name: pgo.Image47, Binary: operator, Dockerfile: operatorDockerfile},
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
	address := net.JoinHostPort(service.Spec.ClusterIP, "8443")
	a.site.PGOURL = "https://" + address
	a.site.PGOCerts, a.site.PGOUserFile = certs, filepath.Join(certs, "pgouser")
	// available it may have been before it was killed
	return cluster.WaitAnswer(ctx, address, 2*time.Minute)
}
