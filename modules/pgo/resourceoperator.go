package pgo

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// operatorV4 is what can be seen of an operator of PGO 4 from outside.
type operatorV4 struct {
	namespace string // "" where no operator can be seen
	version   string // "" where its image does not tell
	repoGone  bool   // the Secret that each cluster's repository is made from is not there
}

// repoSecret holds the settings of pgBackRest's repositories, in the operator's
// namespace. Without it the operator calls a cluster processed and makes no
// Deployment; only its log has the reason.
const repoSecret = "pgo-backrest-repo-config"

// operator looks for the Deployment of the operator that owns the namespace:
// several may live side by side, and a label of the namespace says whose it is.
// What may not be seen is not there.
func (p *place) operator(ctx context.Context, c *Cluster) (operatorV4, error) {
	all, err := p.operators(ctx, c)
	if err != nil {
		return operatorV4{}, err
	}
	owner := ""
	ns, err := p.kube.Clientset().CoreV1().Namespaces().Get(ctx, p.namespace, metav1.GetOptions{})
	switch {
	case err == nil:
		owner = ns.Labels["pgo-installation-name"]
	case !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err):
		return operatorV4{}, fmt.Errorf("look whose namespace %s is: %w", p.namespace, err)
	}
	all = slices.DeleteFunc(all, func(d appsv1.Deployment) bool {
		name := installation(&d)
		return owner != "" && name != "" && name != owner
	})
	if len(all) != 1 {
		return operatorV4{}, nil
	}
	op := operatorV4{namespace: all[0].Namespace, version: versionOf(&all[0])}
	_, err = p.kube.Clientset().CoreV1().Secrets(op.namespace).Get(ctx, repoSecret, metav1.GetOptions{})
	op.repoGone = apierrors.IsNotFound(err)
	return op, nil
}

// operators are those of all namespaces, or, where only that may be seen, of the
// one where the apiserver's service is.
func (p *place) operators(ctx context.Context, c *Cluster) ([]appsv1.Deployment, error) {
	service := defaultService
	if c != nil {
		service = c.access().Service
	}
	host, _, _ := strings.Cut(service, ":")
	_, home, _ := strings.Cut(host, ".")
	for _, namespace := range []string{metav1.NamespaceAll, home} {
		list, err := p.kube.Clientset().AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=postgres-operator"})
		if err == nil {
			return list.Items, nil
		}
		if !apierrors.IsForbidden(err) {
			return nil, fmt.Errorf("look for the operator: %w", err)
		}
	}
	return nil, nil
}

// installation is the name by which an operator marks its namespaces.
func installation(d *appsv1.Deployment) string {
	for _, c := range d.Spec.Template.Spec.Containers {
		for _, e := range c.Env {
			if e.Name == "PGO_INSTALLATION_NAME" {
				return e.Value
			}
		}
	}
	return ""
}

var v4InTag = regexp.MustCompile(`(?:^|[-v])(4\.\d+\.\d+)$`)

// versionOf reads the tag of an image: centos8-4.7.10.
func versionOf(d *appsv1.Deployment) string {
	for _, c := range d.Spec.Template.Spec.Containers {
		_, tag, _ := strings.Cut(c.Image[strings.LastIndexByte(c.Image, '/')+1:], ":")
		if found := v4InTag.FindStringSubmatch(tag); found != nil {
			return found[1]
		}
	}
	return ""
}

func (o operatorV4) missesSecret() error {
	if !o.repoGone {
		return nil
	}
	return module.Explain(fmt.Errorf("the operator lacks the Secret %s in %s: it makes no cluster, and says so in its log alone", repoSecret, o.namespace),
		"make the Secret anew (keys config, sshd_config, aws-s3-ca.crt; the operator's installer does it)")
}

// makesClusters reports what stands against a cluster by resource alone.
func (o operatorV4) makesClusters() error {
	if minor, ok := minorOf4(o.version); ok && minor < 6 {
		return module.At("generation", module.Explain(
			fmt.Errorf("the operator in %s is PGO %s, which makes no users and no keys for a cluster that comes as a Pgcluster alone", o.namespace, o.version),
			"give the step an api block: its apiserver makes them"))
	}
	return o.missesSecret()
}

// ready looks at what the apiserver does not say before it says ok.
func (d *pgclusters) ready(ctx context.Context, c *Cluster) error {
	op, err := d.operator(ctx, c)
	return errors.Join(err, op.missesSecret())
}

// tellImages says which images must still come from a registry: the operator
// runs backups from images of its own under the database image's tag, where
// nobody may have thought of them.
func (d *pgclusters) tellImages(ctx context.Context, env *module.Env, c *Cluster) {
	nodes, err := d.kube.Clientset().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return // then the pods' events will tell
	}
	for _, name := range []string{"crunchy-pgbackrest-repo", "crunchy-pgbackrest"} {
		if image := (imageRef{c.ref().prefix, name, c.ref().tag}).String(); !mayHave(nodes.Items, image) {
			env.Logf("no node has the image %s, which the cluster's backups run from: it must come from a registry", image)
		}
	}
}
