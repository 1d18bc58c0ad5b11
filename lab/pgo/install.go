package pgo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
	"github.com/adbsql/antdbctl/lab/pgo/pgcluster"
	"github.com/adbsql/antdbctl/lab/pgo/settings"
)

// Options of Install; the zero value of each means its default.
type Options struct {
	CertDir      string   // required: where the client's certificate, key and credentials are written
	Namespace    string   // of the operator: "pgo"
	Namespaces   []string // that the operator manages: "pgouser1"
	Installation string   // name of the installation, a label of its namespaces: "lab"
	Image        string   // the stand-in's image, on every node before: Image
	Release      string   // of PGO: "4.2.1", or "4.7.10"
	Build        string   // anything that changes with the image's content; a change restarts the operator
	ImagePrefix  string   // of database images: "crunchydata"
	RepoImage    string   // of the repository pods; it must be an antdb-ha image: the cluster's database image
	StorageClass string   // of the claims: none, so the default class
	StorageSize  string   // of the claims: "1G"
}

func (o Options) withDefaults() (Options, error) {
	if o.CertDir == "" {
		return o, fmt.Errorf("install the operator: CertDir is not set")
	}
	for value, fallback := range map[*string]string{
		&o.Namespace: "pgo", &o.Release: settings.Version, &o.Installation: "lab", &o.Image: Image, &o.ImagePrefix: "crunchydata", &o.StorageSize: "1G",
	} {
		if *value == "" {
			*value = fallback
		}
	}
	if len(o.Namespaces) == 0 {
		o.Namespaces = []string{"pgouser1"}
	}
	return o, nil
}

// FortySeven are the options of the stand-in of PGO 4.7.10 beside that of 4.2.1: the kinds are the same, and a namespace's
// labels say whose it is.
func FortySeven(certDir, build string) Options {
	return Options{
		CertDir: certDir, Build: build, Release: pgcluster.Version, Image: Image47,
		Namespace: "pgo47", Namespaces: []string{"pguser47"}, Installation: "lab47",
	}
}

// Install sets the stand-in up, or brings an existing one up to date, and returns when it answers. The certificate and
// the password are made once: a later call finds them in the cluster and writes the same files.
func Install(ctx context.Context, config *rest.Config, opts Options) error {
	opts, err := opts.withDefaults()
	if err != nil {
		return err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	apply, err := newApplier(config)
	if err != nil {
		return err
	}
	if err := apply.file(ctx, "1-crds.yaml", map[string]any{"Kinds": kinds}); err != nil {
		return err
	}
	if err := ensureNamespace(ctx, kube, opts.Namespace); err != nil {
		return err
	}
	sum, err := writeCredentials(ctx, kube, opts)
	if err != nil {
		return err
	}
	for _, target := range opts.Namespaces {
		err := apply.file(ctx, "3-namespace.yaml", map[string]any{
			"Target": target, "Namespace": opts.Namespace, "Installation": opts.Installation, "Accounts": accounts,
		})
		if err != nil {
			return err
		}
	}
	err = apply.file(ctx, "2-operator.yaml", struct {
		Options
		Roles          []string
		CertificateSum string
	}{opts, []string{"apiserver", "operator"}, sum})
	if err != nil {
		return err
	}
	return waitAvailable(ctx, kube, opts.Namespace, "postgres-operator")
}

var kinds = []struct{ Kind, Singular, Plural string }{
	{"Pgcluster", "pgcluster", "pgclusters"},
	{"Pgreplica", "pgreplica", "pgreplicas"},
	{"Pgtask", "pgtask", "pgtasks"},
}

var accounts = []string{"pgo-pg", "pgo-default", "pgo-backrest", "pgo-target"}

func ensureNamespace(ctx context.Context, kube kubernetes.Interface, name string) error {
	_, err := kube.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("namespace %s: %w", name, err)
	}
	return nil
}

// writeCredentials makes what is missing of certificate and user, and writes both for the client.
func writeCredentials(ctx context.Context, kube kubernetes.Interface, opts Options) (string, error) {
	pair, err := ensureSecret(ctx, kube, opts.Namespace, "pgo.tls", corev1.SecretTypeTLS, func() (map[string][]byte, error) {
		return newCertificate(opts.Namespace, time.Now())
	})
	if err != nil {
		return "", err
	}
	user, err := ensureSecret(ctx, kube, opts.Namespace, "pgouser-pgoadmin", corev1.SecretTypeOpaque,
		func() (map[string][]byte, error) {
			return map[string][]byte{
				"username": []byte("pgoadmin"), "password": []byte(apiserver.NewPassword(20)),
				"roles": []byte("pgoadmin"), "namespaces": nil,
			}, nil
		})
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(opts.CertDir, 0o700); err != nil {
		return "", fmt.Errorf("folder of the client's files: %w", err)
	}
	line := fmt.Sprintf("%s:%s\n", user["username"], user["password"])
	for name, content := range map[string][]byte{
		"ca.crt": pair["tls.crt"], "client.crt": pair["tls.crt"], "client.key": pair["tls.key"], "pgouser": []byte(line),
	} {
		if err := os.WriteFile(filepath.Join(opts.CertDir, name), content, 0o600); err != nil {
			return "", fmt.Errorf("write the client's files: %w", err)
		}
	}
	return fingerprint(pair["tls.crt"]), nil
}

func ensureSecret(ctx context.Context, kube kubernetes.Interface, namespace, name string, kind corev1.SecretType,
	fill func() (map[string][]byte, error)) (map[string][]byte, error) {
	secrets := kube.CoreV1().Secrets(namespace)
	found, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		return found.Data, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	data, err := fill()
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	labels := map[string]string{"vendor": "crunchydata"}
	if name == "pgouser-pgoadmin" {
		labels["pgo-pgouser"] = "true"
	}
	_, err = secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels}, Type: kind, Data: data,
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	return data, nil
}

// waitAvailable waits two minutes at most: the image is on the nodes, so there is nothing to pull.
func waitAvailable(ctx context.Context, kube kubernetes.Interface, namespace, name string) error {
	var last *appsv1.Deployment
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		d, err := kube.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		last = d
		return d.Status.ObservedGeneration >= d.Generation && d.Status.UpdatedReplicas == 1 && d.Status.AvailableReplicas == 1, nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("deployment %s/%s: %d of 1 pods available: %w",
			namespace, name, last.Status.AvailableReplicas, err)
	}
	return err
}
