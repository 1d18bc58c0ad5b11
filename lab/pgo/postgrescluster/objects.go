package postgrescluster

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// podValues are what the templates are filled with.
type podValues struct {
	Group, Cluster, Namespace, Instance, Set string
	Image, BackRestImage, OwnImage           string
	PullPolicy                               corev1.PullPolicy
	Version                                  int
	Port                                     int32
	DataDir, DNS, Repo, RepoNumber           string
	Startup, NSS, Monitor                    string
	Resources                                string // JSON
	Replicas                                 int
}

func (r *Reconciler) values(c *Cluster, repo string) podValues {
	v := podValues{
		Group: Group, Cluster: c.Name, Namespace: c.Namespace,
		Image: c.Spec.Image, BackRestImage: cmp.Or(c.Spec.Backups.PGBackRest.Image, c.Spec.Image), OwnImage: r.OwnImage,
		PullPolicy: cmp.Or(c.Spec.ImagePullPolicy, corev1.PullIfNotPresent),
		Version:    c.Spec.PostgresVersion, Port: c.Spec.Port, DataDir: dataDir(c), DNS: r.DNS,
		Repo: repo, RepoNumber: strings.TrimPrefix(repo, "repo"),
		Startup: script("startup.sh"), NSS: script("nss.sh"), Monitor: script("monitor.sh"), Replicas: 1,
	}
	if c.Spec.Shutdown {
		v.Replicas = 0
	}
	return v
}

// render fills a template and decodes it into obj; a key that the object does not have is an error.
func render(name string, values podValues, obj any) error {
	t, err := template.ParseFS(embedded, "templates/"+name)
	if err != nil {
		return fmt.Errorf("template %s: %w", name, err)
	}
	var text bytes.Buffer
	if err := t.Execute(&text, values); err != nil {
		return fmt.Errorf("template %s: %w", name, err)
	}
	if err := yaml.UnmarshalStrict(text.Bytes(), obj); err != nil {
		return fmt.Errorf("template %s: %w", name, err)
	}
	return nil
}

func instanceLabels(instance, set string) map[string]string {
	return map[string]string{LabelInstance: instance, LabelInstanceSet: set}
}

func with(labels map[string]string, pairs ...string) map[string]string {
	out := map[string]string{}
	for k, v := range labels {
		out[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

func (r *Reconciler) instance(c *Cluster, i instance, repo string) (*appsv1.StatefulSet, error) {
	values := r.values(c, repo)
	values.Instance, values.Set = i.name, i.set.name
	resources, err := json.Marshal(i.set.Resources)
	if err != nil {
		return nil, err
	}
	values.Resources = string(resources)
	s := &appsv1.StatefulSet{}
	if err := render("instance.yaml", values, s); err != nil {
		return nil, err
	}
	s.ObjectMeta = owned(c, i.name, with(instanceLabels(i.name, i.set.name), LabelData, "postgres"))
	s.Spec.Template.Labels = with(s.Labels, LabelPatroni, scope(c))
	s.Spec.Template.Spec.Affinity, s.Spec.Template.Spec.Tolerations = i.set.Affinity, i.set.Tolerations
	return s, nil
}

var dedicated = map[string]string{LabelData: "pgbackrest", LabelBackRest: "", LabelBackRestDedicated: ""}

func (r *Reconciler) repository(c *Cluster, repo string) (*appsv1.StatefulSet, error) {
	s := &appsv1.StatefulSet{}
	if err := render("repo.yaml", r.values(c, repo), s); err != nil {
		return nil, err
	}
	s.ObjectMeta = owned(c, repoHost(c), dedicated)
	s.Annotations = map[string]string{defaultContainer: "pgbackrest"}
	s.Spec.Template.Labels = with(s.Labels)
	return s, nil
}

func (r *Reconciler) backupJob(c *Cluster, repo, name, hash string) (*batchv1.Job, error) {
	j := &batchv1.Job{}
	if err := render("job.yaml", r.values(c, repo), j); err != nil {
		return nil, err
	}
	j.ObjectMeta = owned(c, name, map[string]string{LabelBackRest: "", LabelBackRestBackup: "replica-create", LabelBackRestRepo: repo})
	j.Annotations = map[string]string{defaultContainer: "pgbackrest", configContainer: "pgbackrest", configHash: hash}
	j.Spec.Template.Labels, j.Spec.Template.Annotations = with(j.Labels), with(j.Annotations)
	return j, nil
}

func claim(c *Cluster, name string, labels map[string]string, spec corev1.PersistentVolumeClaimSpec) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{ObjectMeta: owned(c, name, labels), Spec: spec}
}

// services are the five of a cluster. Patroni writes the endpoints of the first, the operator those of the primary's.
func services(c *Cluster) []*corev1.Service {
	postgres := []corev1.ServicePort{{Name: "postgres", Port: c.Spec.Port, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString("postgres")}}
	patroni := map[string]string{LabelPatroni: scope(c)}
	return []*corev1.Service{
		{ObjectMeta: owned(c, scope(c), patroni), Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Ports: postgres}},
		{ObjectMeta: owned(c, scope(c)+"-config", patroni), Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}},
		{ObjectMeta: owned(c, podsService(c), nil), Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone, PublishNotReadyAddresses: true, Selector: map[string]string{LabelCluster: c.Name},
		}},
		{ObjectMeta: owned(c, primaryService(c), map[string]string{LabelRole: "primary"}), Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone, Ports: postgres,
		}},
		{ObjectMeta: owned(c, c.Name+"-replicas", map[string]string{LabelRole: "replica"}), Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, Ports: postgres,
			Selector: map[string]string{LabelCluster: c.Name, LabelRole: roleReplica},
		}},
	}
}

// primaryEndpoints leads the primary's Service to the address of the one that Patroni keeps.
func primaryEndpoints(c *Cluster, address string) *corev1.Endpoints {
	return &corev1.Endpoints{
		ObjectMeta: owned(c, primaryService(c), map[string]string{LabelRole: "primary"}),
		Subsets: []corev1.EndpointSubset{{
			Addresses: []corev1.EndpointAddress{{IP: address}},
			Ports:     []corev1.EndpointPort{{Name: "postgres", Port: c.Spec.Port, Protocol: corev1.ProtocolTCP}},
		}},
	}
}

// accounts are the ServiceAccounts of the pods and what they may do.
func accounts(c *Cluster) []runtime.Object {
	var out []runtime.Object
	for _, a := range []struct {
		name  string
		rules []rbacv1.PolicyRule
	}{
		{c.Name + "-instance", []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"endpoints"}, Verbs: []string{"create", "deletecollection", "get", "list", "patch", "watch"}},
			{APIGroups: []string{""}, Resources: []string{"endpoints/restricted"}, Verbs: []string{"create"}},
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "patch", "watch"}},
			{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"create"}},
		}},
		{c.Name + "-pgbackrest", []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}},
			{APIGroups: []string{""}, Resources: []string{"pods/exec"}, Verbs: []string{"create"}},
		}},
		{c.Name + "-repohost", nil},
	} {
		out = append(out, &corev1.ServiceAccount{ObjectMeta: owned(c, a.name, nil)})
		if a.rules == nil {
			continue
		}
		out = append(out, &rbacv1.Role{ObjectMeta: owned(c, a.name, nil), Rules: a.rules}, &rbacv1.RoleBinding{
			ObjectMeta: owned(c, a.name, nil),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: a.name},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: a.name, Namespace: c.Namespace}},
		})
	}
	return out
}

func configMap(c *Cluster, name string, labels, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: owned(c, name, labels), Data: data}
}

func secret(c *Cluster, name string, labels map[string]string, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: owned(c, name, labels), Type: corev1.SecretTypeOpaque, Data: data}
}

func byLabels(pairs ...string) metav1.ListOptions {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		parts = append(parts, pairs[i]+"="+pairs[i+1])
	}
	return metav1.ListOptions{LabelSelector: strings.Join(parts, ",")}
}
