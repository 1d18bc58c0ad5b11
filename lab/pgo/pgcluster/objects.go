package pgcluster

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"strconv"
	"text/template"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

//go:embed templates
var templates embed.FS

// values are what the templates of one database instance or repository are filled with.
type values struct {
	Cluster, Deployment, Claim, Image, RepoImage, Prefix string
	Port, User, Database, RepoHost, CustomConfig         string
	PasswordType, RepoAntiAffinity                       string
	Resources, RepoResources, Affinity                   string // JSON
	Primary                                              bool
	Replicas                                             int
	Sidecars                                             []sidecar
}

type sidecar struct{ Name, Image string }

// render fills a template and decodes it into obj; a key that the object does not have is an error.
func render(name string, data, obj any) error {
	t, err := template.ParseFS(templates, "templates/"+name)
	if err != nil {
		return fmt.Errorf("template %s: %w", name, err)
	}
	var text bytes.Buffer
	if err := t.Execute(&text, data); err != nil {
		return fmt.Errorf("template %s: %w", name, err)
	}
	if err := yaml.UnmarshalStrict(text.Bytes(), obj); err != nil {
		return fmt.Errorf("template %s: %w", name, err)
	}
	return nil
}

func (o *Operator) image(c *Cluster, name string) string {
	prefix := cmp.Or(c.Spec.CCPImagePrefix, o.Settings.ImagePrefix)
	return fmt.Sprintf("%s/%s:%s", prefix, name, cmp.Or(c.Spec.CCPImageTag, o.Settings.ImageTag))
}

func (o *Operator) values(c *Cluster, deployment string) (values, error) {
	v := values{
		Cluster: c.Name, Deployment: deployment, Claim: deployment, Prefix: cmp.Or(c.Spec.CCPImagePrefix, o.Settings.ImagePrefix),
		Image: o.image(c, cmp.Or(c.Spec.CCPImage, o.Settings.Image)),
		Port:  cmp.Or(c.Spec.Port, "5432"), User: c.Spec.User, Database: c.Spec.Database, CustomConfig: c.Spec.CustomConfig,
		PasswordType: c.Spec.PasswordType, RepoAntiAffinity: c.Spec.PodAntiAffinity.PGBackRest, Primary: deployment == c.Name,
	}
	v.RepoImage = cmp.Or(o.Settings.RepoImage, v.Image)
	if c.Spec.Exporter {
		v.Sidecars = append(v.Sidecars, sidecar{"exporter", o.image(c, "crunchy-postgres-exporter")})
	}
	if c.Spec.PGBadger {
		v.Sidecars = append(v.Sidecars, sidecar{"pgbadger", o.image(c, "crunchy-pgbadger")})
	}
	for _, part := range []struct {
		to    *string
		value any
	}{
		{&v.Resources, resourcesOf(c.Spec.Resources, c.Spec.Limits)},
		{&v.RepoResources, resourcesOf(c.Spec.BackrestResources, c.Spec.BackrestLimits)},
		{&v.Affinity, affinity(c)},
	} {
		text, err := json.Marshal(part.value)
		if err != nil {
			return v, err
		}
		*part.to = string(text)
	}
	return v, nil
}

func resourcesOf(requests, limits Amounts) map[string]Amounts {
	out := map[string]Amounts{}
	if len(requests) > 0 {
		out["requests"] = requests
	}
	if len(limits) > 0 {
		out["limits"] = limits
	}
	return out
}

// affinity keeps the instances apart as far as there are nodes, and passes on what the cluster says of nodes.
func affinity(c *Cluster) map[string]any {
	out := map[string]any{"podAntiAffinity": map[string]any{
		"preferredDuringSchedulingIgnoredDuringExecution": []any{map[string]any{"weight": 1, "podAffinityTerm": map[string]any{
			"topologyKey": "kubernetes.io/hostname",
			"labelSelector": map[string]any{"matchLabels": map[string]string{
				crv1.LabelVendor: crv1.Vendor, crv1.LabelCluster: c.Name, "pgo-pg-database": "true",
			}},
		}}},
	}}
	if wished, given := c.Spec.NodeAffinity["default"]; given {
		out["nodeAffinity"] = wished
	}
	return out
}

func meta(c *Cluster, name string, pairs ...string) metav1.ObjectMeta {
	labels := map[string]string{crv1.LabelVendor: crv1.Vendor, crv1.LabelCluster: c.Name}
	for i := 0; i < len(pairs); i += 2 {
		labels[pairs[i]] = pairs[i+1]
	}
	return metav1.ObjectMeta{Name: name, Namespace: c.Namespace, Labels: labels}
}

func (o *Operator) database(c *Cluster, v values) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	if err := render("database.yaml", v, d); err != nil {
		return nil, err
	}
	name := c.Name
	if !v.Primary {
		name = crv1.ReplicaService(c.Name)
	}
	d.ObjectMeta = meta(c, v.Deployment, crv1.LabelScope, c.Name, crv1.LabelDeployment, v.Deployment, crv1.LabelName, name, "pgo-pg-database", "true")
	if v.Primary {
		d.Labels[crv1.LabelPGOUser] = c.Labels[crv1.LabelPGOUser]
	}
	for k, value := range c.Spec.UserLabels {
		d.Labels[k] = value
	}
	d.Spec.Template.Labels = map[string]string{"pg-pod-anti-affinity": c.Spec.PodAntiAffinity.Default}
	for k, value := range d.Labels {
		d.Spec.Template.Labels[k] = value
	}
	d.Labels[crv1.LabelServiceName] = name
	return d, nil
}

func (o *Operator) repository(c *Cluster, v values) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	if err := render("repo.yaml", v, d); err != nil {
		return nil, err
	}
	name := crv1.RepoName(c.Name)
	d.ObjectMeta = meta(c, name, crv1.LabelName, name, crv1.LabelRepo, "true", crv1.LabelServiceName, name)
	return d, nil
}

// service leads to the pods of a role.
func service(c *Cluster, name, role string) (*corev1.Service, error) {
	port, err := strconv.Atoi(cmp.Or(c.Spec.Port, "5432"))
	if err != nil {
		return nil, fmt.Errorf("port of %s: %w", c.Name, err)
	}
	kind := corev1.ServiceType(cmp.Or(c.Spec.ServiceType, string(corev1.ServiceTypeClusterIP)))
	return &corev1.Service{ObjectMeta: meta(c, name, crv1.LabelName, name), Spec: corev1.ServiceSpec{
		Type: kind, Selector: map[string]string{crv1.LabelCluster: c.Name, crv1.LabelRole: role},
		Ports: []corev1.ServicePort{
			{Name: "sshd", Port: 2022, TargetPort: intstr.FromInt32(2022), Protocol: corev1.ProtocolTCP},
			{Name: "postgres", Port: int32(port), TargetPort: intstr.FromInt32(int32(port)), Protocol: corev1.ProtocolTCP},
		},
	}}, nil
}

func repoService(c *Cluster) *corev1.Service {
	name := crv1.RepoName(c.Name)
	return &corev1.Service{ObjectMeta: meta(c, name, crv1.LabelName, name, crv1.LabelRepo, "true"), Spec: corev1.ServiceSpec{
		Selector: map[string]string{crv1.LabelName: name},
		Ports:    []corev1.ServicePort{{Port: 2022, TargetPort: intstr.FromInt32(2022), Protocol: corev1.ProtocolTCP}},
	}}
}

func claim(c *Cluster, name string, storage Storage) (*corev1.PersistentVolumeClaim, error) {
	size, err := resource.ParseQuantity(storage.Size)
	if err != nil {
		return nil, fmt.Errorf("size %q of claim %s: %w", storage.Size, name, err)
	}
	mode := corev1.PersistentVolumeAccessMode(cmp.Or(storage.AccessMode, string(corev1.ReadWriteOnce)))
	pvc := &corev1.PersistentVolumeClaim{ObjectMeta: meta(c, name), Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{mode},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: size}},
	}}
	if storage.StorageType == "dynamic" && storage.StorageClass != "" {
		pvc.Spec.StorageClassName = &storage.StorageClass
	}
	return pvc, nil
}

// configuration is empty, but for one key, until the repository's Secret is made.
func configuration(c *Cluster) (*corev1.ConfigMap, error) {
	dcs, err := templates.ReadFile("templates/dcs.yaml")
	if err != nil {
		return nil, err
	}
	return &corev1.ConfigMap{ObjectMeta: meta(c, configName(c.Name), "pgha-config", "true"), Data: map[string]string{
		"init": "true", c.Name + "-dcs-config": string(dcs), c.Name + "-local-config": "postgresql: {}\n",
	}}, nil
}

// jobValues are what the Job template is filled with. The Jobs run the stand-in's own image.
type jobValues struct {
	Account, Container, Image, Command string
	Tries                              int
	Env                                []corev1.EnvVar
}

func job(m metav1.ObjectMeta, v jobValues) (*batchv1.Job, error) {
	j := &batchv1.Job{}
	if err := render("job.yaml", v, j); err != nil {
		return nil, err
	}
	j.ObjectMeta = m
	j.Spec.Template.Labels = map[string]string{}
	for k, value := range m.Labels {
		if k != crv1.LabelPGOUser && k != crv1.LabelBackupType {
			j.Spec.Template.Labels[k] = value
		}
	}
	return j, nil
}
