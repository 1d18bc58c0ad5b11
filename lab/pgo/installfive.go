package pgo

import (
	"cmp"
	"context"
	"strings"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// FiveOptions are those of InstallFive; the zero value of each means its default.
type FiveOptions struct {
	Release   string // of PGO, 5 or 6: "6.0.3"
	Namespace string // of the operator: "postgres-operator"
	Image     string // the stand-in's, on every node before: Image
	Build     string // anything that changes with the image's content; a change restarts the operator
}

// InstallFive sets the stand-in of PGO 5 or 6 up, which works on the PostgresClusters of all namespaces. Only PGO 6
// serves the version v1 of the kind.
func InstallFive(ctx context.Context, config *rest.Config, opts FiveOptions) error {
	opts.Release = cmp.Or(opts.Release, "6.0.3")
	opts.Namespace = cmp.Or(opts.Namespace, "postgres-operator")
	opts.Image = cmp.Or(opts.Image, Image)
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	apply, err := newApplier(config)
	if err != nil {
		return err
	}
	data := struct {
		FiveOptions
		Served []string
	}{opts, servedBy(opts.Release)}
	for _, file := range []string{"5-postgrescluster-crd.yaml", "6-postgrescluster-operator.yaml"} {
		if err := apply.file(ctx, file, data); err != nil {
			return err
		}
	}
	return waitAvailable(ctx, kube, opts.Namespace, "pgo")
}

// servedBy are the versions of the kind; v1beta1 is the one that is stored.
func servedBy(release string) []string {
	if strings.HasPrefix(release, "5.") {
		return []string{"v1beta1"}
	}
	return []string{"v1", "v1beta1"}
}
