package operator

import (
	"bytes"
	"embed"
	"fmt"
	"text/template"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

//go:embed templates
var templates embed.FS

// render fills a template and decodes it into obj; a key that the object does not have is an error.
func render(name string, data, obj any) error {
	t, err := template.ParseFS(templates, "templates/"+name)
	if err != nil {
		return fmt.Errorf("template %s: %w", name, err)
	}
	var text bytes.Buffer
	if err := t.Option("missingkey=error").Execute(&text, data); err != nil {
		return fmt.Errorf("template %s: %w", name, err)
	}
	if err := yaml.UnmarshalStrict(text.Bytes(), obj); err != nil {
		return fmt.Errorf("template %s: %w", name, err)
	}
	return nil
}

// instance is what the templates of one database instance or repository are filled with.
type instance struct {
	Namespace, Cluster, Deployment string
	Image, RepoImage               string
	Port, User, Database           string
	RepoHost                       string
	CustomConfig, ServiceType      string
	Role                           string
	Sync                           bool
	Resources                      crv1.Resources
	NodeKey, NodeValue             string
	Collect, Badger                string // images of the sidecars; empty: none
}

func (o *Operator) instanceOf(c *crv1.Cluster, deployment string) instance {
	image := fmt.Sprintf("%s/%s:%s", o.Settings.ImagePrefix, c.Spec.CCPImage, c.Spec.CCPImageTag)
	repo := o.Settings.RepoImage
	if repo == "" {
		repo = image
	}
	kind := c.Spec.UserLabels["service-type"]
	if kind == "" {
		kind = string(corev1.ServiceTypeClusterIP)
	}
	return instance{
		Namespace: c.Namespace, Cluster: c.Name, Deployment: deployment, Image: image, RepoImage: repo,
		Port: c.Spec.Port, User: c.Spec.User, Database: c.Spec.Database,
		CustomConfig: c.Spec.CustomConfig, ServiceType: kind, Role: "master",
		Sync:      c.Spec.SyncReplication != nil && *c.Spec.SyncReplication,
		Resources: c.Spec.ContainerResources,
		NodeKey:   c.Spec.UserLabels[crv1.LabelNodeKey], NodeValue: c.Spec.UserLabels[crv1.LabelNodeValue],
		Collect: o.sidecar(c, crv1.LabelCollect, c.Spec.UserLabels, "crunchy-collect"),
		Badger:  o.sidecar(c, crv1.LabelBadger, c.Labels, "crunchy-pgbadger"),
	}
}

// sidecar returns the image of a container beside the database's, if a label asks for it. It has the tag of the cluster's
// own database image, under which nobody may have it.
func (o *Operator) sidecar(c *crv1.Cluster, label string, labels map[string]string, image string) string {
	if labels[label] != "true" {
		return ""
	}
	return fmt.Sprintf("%s/%s:%s", o.Settings.ImagePrefix, image, c.Spec.CCPImageTag)
}

func meta(c *crv1.Cluster, name string, labels map[string]string) metav1.ObjectMeta {
	all := map[string]string{crv1.LabelVendor: crv1.Vendor, crv1.LabelCluster: c.Name}
	for k, v := range labels {
		all[k] = v
	}
	return metav1.ObjectMeta{Name: name, Namespace: c.Namespace, Labels: all}
}

// databaseLabels are those of the Deployment and of its pods. Patroni adds role to the pods.
func databaseLabels(c *crv1.Cluster, deployment string) map[string]string {
	labels := map[string]string{crv1.LabelScope: c.Name, crv1.LabelDeployment: deployment, "pgo-pg-database": "true"}
	for k, v := range c.Spec.UserLabels {
		labels[k] = v
	}
	if deployment == c.Name {
		labels[crv1.LabelName] = c.Name
		labels[crv1.LabelServiceName] = c.Name
		labels[crv1.LabelPGOUser] = c.Labels[crv1.LabelPGOUser]
		labels[crv1.LabelClusterID] = string(uuid.NewUUID())
		return labels
	}
	labels[crv1.LabelName] = crv1.ReplicaService(c.Name)
	labels[crv1.LabelServiceName] = crv1.ReplicaService(c.Name)
	labels[crv1.LabelReplicaName] = deployment
	return labels
}

func database(c *crv1.Cluster, in instance) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	if err := render("database.yaml", in, d); err != nil {
		return nil, err
	}
	d.ObjectMeta = meta(c, in.Deployment, databaseLabels(c, in.Deployment))
	d.Spec.Template.Labels = d.Labels
	return d, nil
}

func repository(c *crv1.Cluster, in instance) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	if err := render("repo.yaml", in, d); err != nil {
		return nil, err
	}
	name := crv1.RepoName(c.Name)
	d.ObjectMeta = meta(c, name, map[string]string{
		crv1.LabelName: name, crv1.LabelRepo: "true", crv1.LabelServiceName: name,
	})
	d.Spec.Template.Labels = map[string]string{"pg-pod-anti-affinity": ""}
	for k, v := range d.Labels {
		d.Spec.Template.Labels[k] = v
	}
	return d, nil
}

func service(c *crv1.Cluster, name string, in instance) (*corev1.Service, error) {
	s := &corev1.Service{}
	if err := render("service.yaml", in, s); err != nil {
		return nil, err
	}
	s.ObjectMeta = meta(c, name, map[string]string{crv1.LabelName: name})
	return s, nil
}

func repoService(c *crv1.Cluster) *corev1.Service {
	name := crv1.RepoName(c.Name)
	return &corev1.Service{
		ObjectMeta: meta(c, name, map[string]string{crv1.LabelName: name, crv1.LabelRepo: "true"}),
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{crv1.LabelName: name},
			Ports:    []corev1.ServicePort{{Port: 2022, TargetPort: intstr.FromInt32(2022), Protocol: corev1.ProtocolTCP}},
		},
	}
}

func claim(c *crv1.Cluster, name string, storage crv1.Storage) (*corev1.PersistentVolumeClaim, error) {
	size, err := resource.ParseQuantity(storage.Size)
	if err != nil {
		return nil, fmt.Errorf("size %q of claim %s: %w", storage.Size, name, err)
	}
	pvc := &corev1.PersistentVolumeClaim{
		ObjectMeta: meta(c, name, map[string]string{"pgremove": "true"}),
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.PersistentVolumeAccessMode(storage.AccessMode)},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: size}},
		},
	}
	if storage.StorageType == "dynamic" {
		pvc.Spec.StorageClassName = &storage.StorageClass
	}
	return pvc, nil
}

func defaultConfig(c *crv1.Cluster) (*corev1.ConfigMap, error) {
	text, err := templates.ReadFile("templates/postgres-ha.yaml")
	if err != nil {
		return nil, err
	}
	return &corev1.ConfigMap{
		ObjectMeta: meta(c, crv1.DefaultConfig(c.Name), map[string]string{"pgha-default-config": "true"}),
		Data:       map[string]string{"init": "true", "postgres-ha.yaml": string(text)},
	}, nil
}

// jobSpec is what the Job template is filled with. The Jobs run the stand-in's own image.
type jobSpec struct {
	Account, Container, Image, Command string
	Env                                []corev1.EnvVar
}

func job(m metav1.ObjectMeta, spec jobSpec) (*batchv1.Job, error) {
	j := &batchv1.Job{}
	if err := render("job.yaml", spec, j); err != nil {
		return nil, err
	}
	j.ObjectMeta = m
	j.Spec.Template.Labels = map[string]string{}
	for k, v := range m.Labels {
		if k != crv1.LabelPGOUser && k != crv1.LabelClusterID && k != crv1.LabelBackupType {
			j.Spec.Template.Labels[k] = v
		}
	}
	return j, nil
}
