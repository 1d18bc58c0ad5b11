package k8s

import (
	"cmp"
	"context"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// right is something that an account must be allowed to do.
type right struct{ verb, resource, subresource, group string }

func (r right) String() string {
	text := r.resource
	if r.subresource != "" {
		text += "/" + r.subresource
	}
	if r.group != "" && strings.Contains(r.group, "crunchydata") {
		text += "." + r.group
	}
	return text
}

// What the parts of a cluster cannot do without.
var (
	patroniRights4 = []right{{"create", "configmaps", "", ""}, {"list", "configmaps", "", ""}, {"patch", "configmaps", "", ""},
		{"list", "pods", "", ""}, {"patch", "pods", "", ""}}
	patroniRights5  = []right{{"list", "endpoints", "", ""}, {"patch", "endpoints", "", ""}, {"list", "pods", "", ""}, {"patch", "pods", "", ""}}
	backrestRights  = []right{{"list", "pods", "", ""}, {"create", "pods", "exec", ""}}
	removalRights   = []right{{"delete", "persistentvolumeclaims", "", ""}, {"delete", "pgclusters", "", "crunchydata.com"}}
	operatorRights4 = []right{{"list", "pgclusters", "", "crunchydata.com"}, {"create", "deployments", "", "apps"}, {"create", "jobs", "", "batch"}}
	operatorRights5 = []right{{"list", "postgresclusters", "", "postgres-operator.crunchydata.com"}, {"create", "statefulsets", "", "apps"}}
	ownRights       = []right{{"list", "pods", "", ""}, {"get", "pods", "log", ""}, {"create", "pods", "exec", ""}, {"create", "pods", "portforward", ""}}
)

// account is a service account and what it is needed for, in a namespace.
type account struct {
	home, name string
	cluster    string
	in         string // namespace where it needs the rights
	rights     []right
}

func (a account) user() string { return "system:serviceaccount:" + a.home + ":" + a.name }

// review asks for the rights of the accounts that clusters and operators use,
// and of the user that asks. It needs what was listed.
func (g *gatherer) review(crew *crew, s *survey) {
	for _, ns := range s.databases {
		for _, r := range ownRights {
			crew.do("own rights", evidence.Place{Namespace: ns}, lookTime, func(ctx context.Context) error { return g.reviewOwn(ctx, ns, r) })
		}
	}
	for _, a := range s.needs() {
		place := evidence.Place{Namespace: a.in, Cluster: a.cluster}
		if s.accountsOf[a.home] && !s.hasAccount(a.home, a.name) {
			g.rec.Fact(a.user(), place, &evidence.Access{Who: a.user(), Reason: "there is no such service account"})
			continue
		}
		for _, r := range a.rights {
			crew.do("rights of service accounts", evidence.Place{Namespace: a.in}, lookTime, func(ctx context.Context) error { return g.reviewAccount(ctx, a, r, place) })
		}
	}
}

func (g *gatherer) reviewOwn(ctx context.Context, ns string, r right) error {
	answer, err := g.Clientset().AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: r.attributes(ns)}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	g.rec.Fact(r.verb+" "+r.String(), evidence.Place{Namespace: ns}, &evidence.Access{Verb: r.verb, Resource: r.String(),
		Allowed: answer.Status.Allowed, Reason: answer.Status.Reason, Exists: true})
	return nil
}

func (g *gatherer) reviewAccount(ctx context.Context, a account, r right, place evidence.Place) error {
	answer, err := g.Clientset().AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: r.attributes(a.in), User: a.user(),
			Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + a.home, "system:authenticated"}}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	g.rec.Fact(a.user()+" "+r.verb+" "+r.String(), place, &evidence.Access{Who: a.user(), Verb: r.verb, Resource: r.String(),
		Allowed: answer.Status.Allowed, Reason: cmp.Or(answer.Status.EvaluationError, answer.Status.Reason), Exists: true})
	return nil
}

func (r right) attributes(ns string) *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{Namespace: ns, Verb: r.verb, Group: r.group, Resource: r.resource, Subresource: r.subresource}
}

func (s *survey) hasAccount(ns, name string) bool {
	return slices.ContainsFunc(s.accounts, func(a corev1.ServiceAccount) bool { return a.Namespace == ns && a.Name == name })
}

// needs are the accounts that clusters name, and those of the operators, each
// once. The templates are read, not the pods: without its account a pod is
// never made.
func (s *survey) needs() []account {
	var all []account
	add := func(a account) {
		if !slices.ContainsFunc(all, func(b account) bool { return a.home == b.home && a.name == b.name && a.in == b.in }) {
			all = append(all, a)
		}
	}
	for i := range s.deployments {
		d := &s.deployments[i]
		switch template := &d.Spec.Template; {
		case isOperator(d) && slices.Contains(s.operators, d.Namespace):
			for _, ns := range s.managedBy(d.Namespace, installationOf(template)) {
				add(account{d.Namespace, accountOf(template), "", ns, operatorRights4})
			}
			if template.Labels[controlPlane5] != "" {
				for _, ns := range s.homes5() {
					add(account{d.Namespace, accountOf(template), "", ns, operatorRights5})
				}
			}
		case template.Labels[databaseLabel4] == "true":
			add(account{d.Namespace, accountOf(template), "", d.Namespace, patroniRights4})
		case template.Labels[repositoryLabel4] == "true":
			add(account{d.Namespace, accountOf(template), "", d.Namespace, nil})
			for _, job := range []account{{name: "pgo-backrest", rights: backrestRights}, {name: "pgo-target", rights: removalRights}} {
				if accountOf(template) == "pgo-default" { // PGO 4's own names
					add(account{d.Namespace, job.name, "", d.Namespace, job.rights})
				}
			}
		}
	}
	for i := range s.stateful {
		f := &s.stateful[i]
		if f.Spec.Template.Labels[dataLabel5] == "postgres" {
			add(account{f.Namespace, accountOf(&f.Spec.Template), clusterOf(f), f.Namespace, patroniRights5})
		}
	}
	return all
}

func accountOf(template *corev1.PodTemplateSpec) string {
	return cmp.Or(template.Spec.ServiceAccountName, "default")
}

// installationOf is the name by which an operator of PGO 4 marks its namespaces.
func installationOf(template *corev1.PodTemplateSpec) string {
	for _, c := range template.Spec.Containers {
		for _, e := range c.Env {
			if e.Name == "PGO_INSTALLATION_NAME" {
				return e.Value
			}
		}
	}
	return ""
}

// managedBy are the namespaces of databases that carry the mark of an operator.
func (s *survey) managedBy(operator, installation string) []string {
	var all []string
	for i := range s.namespaces {
		n := &s.namespaces[i]
		if installation != "" && n.Labels[installationLabel] == installation && n.Name != operator && slices.Contains(s.databases, n.Name) {
			all = append(all, n.Name)
		}
	}
	return all
}

// homes5 are the namespaces that have clusters of PGO 5 and later.
func (s *survey) homes5() []string {
	found := map[string]bool{}
	for i := range s.stateful {
		if f := &s.stateful[i]; f.Labels[clusterLabel5] != "" {
			found[f.Namespace] = true
		}
	}
	return sorted(found)
}
