package pgo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
)

// postgresDefinition is the resource as PGO 6.0.3 serves it, with those of its
// rules that the recording tells.
const postgresDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: postgresclusters.postgres-operator.crunchydata.com}
spec:
  group: postgres-operator.crunchydata.com
  names: {kind: PostgresCluster, listKind: PostgresClusterList, plural: postgresclusters, singular: postgrescluster}
  scope: Namespaced
  versions:
  - {name: v1, served: true, storage: false, subresources: {status: {}}, schema: &schema {openAPIV3Schema: {type: object, properties: {
      status: {type: object, x-kubernetes-preserve-unknown-fields: true},
      spec: {type: object, x-kubernetes-preserve-unknown-fields: true, required: [postgresVersion, instances], properties: {
        port: {type: integer, default: 5432},
        postgresVersion: {type: integer, minimum: 11, maximum: 18},
        instances: {type: array, minItems: 1, items: {type: object, x-kubernetes-preserve-unknown-fields: true}},
        users: {type: array, items: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {
          name: {type: string, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'}}}}}}}}}}
  - {name: v1beta1, served: true, storage: true, subresources: {status: {}}, schema: *schema}
`

// standIn does what PGO 5 and 6 were recorded to do with a PostgresCluster, on a
// real API server, whose controllers make the pods and collect what is left.
// There are no nodes: it plays the kubelet and Patroni too.
type standIn struct {
	t    *testing.T
	kube *kube.Cluster
	away atomic.Bool // it does nothing
}

func newStandIn(t *testing.T) *standIn {
	t.Helper()
	s := &standIn{t: t, kube: kubetest.Start(t).Cluster(t)}
	var crd map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(postgresDefinition), &crd))
	definitions := s.kube.Dynamic().Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	_, err := definitions.Create(t.Context(), &unstructured.Unstructured{Object: crd}, metav1.CreateOptions{})
	require.True(t, err == nil || apierrors.IsAlreadyExists(err), "%v", err)
	kubetest.Eventually(t, "the resource definition is served", func() bool {
		_, err := s.clusters().List(t.Context(), metav1.ListOptions{})
		return err == nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if !s.away.Load() {
				s.reconcile(ctx)
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func (s *standIn) clusters() interface {
	List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error)
	Get(context.Context, string, metav1.GetOptions, ...string) (*unstructured.Unstructured, error)
	Patch(context.Context, string, types.PatchType, []byte, metav1.PatchOptions, ...string) (*unstructured.Unstructured, error)
	Delete(context.Context, string, metav1.DeleteOptions, ...string) error
} {
	return s.kube.Dynamic().Resource(schema.GroupVersionResource{Group: groupV5, Version: "v1", Resource: "postgresclusters"}).Namespace(s.kube.Namespace())
}

// reconcile is a round. What fails is tried again in the next.
func (s *standIn) reconcile(ctx context.Context) {
	list, err := s.clusters().List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for i := range list.Items {
		pc, err := postgresClusterOf(&list.Items[i])
		switch {
		case err != nil:
		case pc.DeletionTimestamp != nil:
			s.finish(ctx, pc)
		case !slices.Contains(pc.Finalizers, postgresFinalizer):
			s.finalizers(ctx, pc, append(pc.Finalizers, postgresFinalizer))
		default:
			s.make(ctx, pc)
		}
	}
}

func (s *standIn) finalizers(ctx context.Context, pc *postgresCluster, list []string) {
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"finalizers": list, "resourceVersion": pc.ResourceVersion}})
	_, _ = s.clusters().Patch(ctx, pc.Name, types.MergePatchType, patch, metav1.PatchOptions{})
}

// finish stops the members; the rest is the garbage collector's.
func (s *standIn) finish(ctx context.Context, pc *postgresCluster) {
	if !slices.Contains(pc.Finalizers, postgresFinalizer) {
		return
	}
	by := metav1.ListOptions{LabelSelector: postgresLabel + "=" + pc.Name + "," + postgresData + "=postgres"}
	sets, err := s.kube.Clientset().AppsV1().StatefulSets(s.kube.Namespace()).List(ctx, by)
	if err != nil {
		return
	}
	for _, set := range sets.Items {
		if *set.Spec.Replicas > 0 {
			_, _ = s.kube.Clientset().AppsV1().StatefulSets(set.Namespace).Patch(ctx, set.Name, types.MergePatchType, []byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{})
		}
	}
	if pods, err := s.kube.Clientset().CoreV1().Pods(s.kube.Namespace()).List(ctx, by); err == nil && len(pods.Items) == 0 {
		s.finalizers(ctx, pc, slices.DeleteFunc(pc.Finalizers, func(f string) bool { return f == postgresFinalizer }))
	}
}

func (s *standIn) owned(pc *postgresCluster, name string, labels map[string]string) metav1.ObjectMeta {
	yes := true
	labels[postgresLabel] = pc.Name
	return metav1.ObjectMeta{Name: name, Namespace: pc.Namespace, Labels: labels, OwnerReferences: []metav1.OwnerReference{
		{APIVersion: groupV5 + "/v1beta1", Kind: "PostgresCluster", Name: pc.Name, UID: pc.UID, Controller: &yes, BlockOwnerDeletion: &yes}}}
}

func (s *standIn) make(ctx context.Context, pc *postgresCluster) {
	core, set := s.kube.Clientset().CoreV1(), pc.Spec.Instances[0]
	s.claim(ctx, s.owned(pc, pc.Name+"-repo1", map[string]string{postgresData: "pgbackrest"}))
	_, _ = core.Services(pc.Namespace).Create(ctx, &corev1.Service{ObjectMeta: s.owned(pc, pc.Name+"-ha", map[string]string{}),
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 5432}}}}, metav1.CreateOptions{})
	for _, u := range pc.users() {
		s.secret(ctx, pc, u)
	}
	var names []string
	if claims, err := core.PersistentVolumeClaims(pc.Namespace).List(ctx, metav1.ListOptions{LabelSelector: postgresLabel + "=" + pc.Name + "," + postgresData + "=postgres"}); err == nil {
		for _, c := range claims.Items { // of before, too
			if c.Labels[postgresRole] == roleData {
				names = append(names, c.Labels[postgresInstance])
			}
		}
	}
	for len(names) < int(set.members()) {
		names = append(names, fmt.Sprintf("%s-%s-%04x", pc.Name, set.Name, time.Now().UnixNano()&0xffff))
	}
	status := instanceStatus{Name: set.Name}
	for i, name := range names[:set.members()] {
		labels := map[string]string{postgresData: "postgres", postgresInstance: name}
		s.claim(ctx, s.owned(pc, name+"-pgdata", map[string]string{postgresData: "postgres", postgresInstance: name, postgresRole: roleData}))
		s.member(ctx, pc, name, labels, i == 0, &status)
	}
	for _, name := range names[set.members():] {
		_ = s.kube.Clientset().AppsV1().StatefulSets(pc.Namespace).Delete(ctx, name, metav1.DeleteOptions{})
		_ = core.PersistentVolumeClaims(pc.Namespace).Delete(ctx, name+"-pgdata", metav1.DeleteOptions{})
	}
	s.tell(ctx, pc, status)
}

// claim makes a volume, or takes up one that has no owner.
func (s *standIn) claim(ctx context.Context, meta metav1.ObjectMeta) {
	claims := s.kube.Clientset().CoreV1().PersistentVolumeClaims(meta.Namespace)
	_, err := claims.Create(ctx, &corev1.PersistentVolumeClaim{ObjectMeta: meta, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse("1Gi")}}}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"ownerReferences": meta.OwnerReferences}})
		_, _ = claims.Patch(ctx, meta.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	}
}

// secret takes up the password that is there.
func (s *standIn) secret(ctx context.Context, pc *postgresCluster, u postgresUser) {
	secrets := s.kube.Clientset().CoreV1().Secrets(pc.Namespace)
	meta := s.owned(pc, pc.Name+"-pguser-"+u.Name, map[string]string{postgresUserLabel: u.Name, postgresRole: "pguser"})
	_, err := secrets.Create(ctx, &corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"user": u.Name, "password": "made-by-the-operator"}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"ownerReferences": meta.OwnerReferences}, "stringData": map[string]string{"user": u.Name}})
		_, _ = secrets.Patch(ctx, meta.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	}
}

// member keeps a StatefulSet, and plays the node and Patroni for its pod.
func (s *standIn) member(ctx context.Context, pc *postgresCluster, name string, labels map[string]string, leads bool, status *instanceStatus) {
	one := int32(1)
	sets, pods := s.kube.Clientset().AppsV1().StatefulSets(pc.Namespace), s.kube.Clientset().CoreV1().Pods(pc.Namespace)
	meta := s.owned(pc, name, labels)
	want := &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{
		Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: meta.Labels}, ServiceName: pc.Name + "-pods",
		UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: meta.Labels},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "database", Image: pc.Spec.Image}}}}}}
	have, err := sets.Create(ctx, want, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		if have, err = sets.Get(ctx, name, metav1.GetOptions{}); err == nil && have.Spec.Template.Spec.Containers[0].Image != pc.Spec.Image {
			patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"database","image":%q}]}}}}`, pc.Spec.Image)
			_, _ = sets.Patch(ctx, name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
			return
		}
	}
	pod, err := pods.Get(ctx, name+"-0", metav1.GetOptions{})
	if err != nil || pod.DeletionTimestamp != nil {
		return
	}
	status.Replicas++
	if pod.Spec.Containers[0].Image != pc.Spec.Image {
		_ = pods.Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
		return
	}
	status.UpdatedReplicas++
	if have.Status.ReadyReplicas > 0 {
		status.ReadyReplicas++
	}
	role := map[bool]string{true: "master", false: "replica"}[leads]
	if pod.Labels[postgresRole] == role {
		return
	}
	word, _ := json.Marshal(map[string]string{"conn_url": "postgres://" + pod.Name + "." + pc.Name + "-pods:5432/postgres", "state": "running", "role": role})
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{postgresRole: role}, "annotations": map[string]string{"status": string(word)}}})
	_, _ = pods.Patch(ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	now := time.Now().UTC().Format(time.RFC3339)
	running := fmt.Sprintf(`{"status":{"phase":"Running","podIP":"10.88.0.76","conditions":[{"type":"Ready","status":"True","lastTransitionTime":%q}],`+
		`"containerStatuses":[{"name":"database","ready":true,"restartCount":0,"image":%q,"imageID":"docker://sha256:1","state":{"running":{"startedAt":%[1]q}}}]}}`, now, pc.Spec.Image)
	_, _ = pods.Patch(ctx, pod.Name, types.StrategicMergePatchType, []byte(running), metav1.PatchOptions{}, "status")
}

// tell writes the status as it was recorded.
func (s *standIn) tell(ctx context.Context, pc *postgresCluster, set instanceStatus) {
	conditions := []map[string]any{}
	for _, kind := range []string{stanzaCondition, backupCondition} {
		state, reason := "False", "StanzaNotCreated"
		if set.ReadyReplicas > 0 {
			state, reason = "True", "RepoBackupComplete"
		}
		conditions = append(conditions, map[string]any{"type": kind, "status": state, "reason": reason, "message": "", "lastTransitionTime": "2026-11-22T22:40:29Z"})
	}
	status := map[string]any{"observedGeneration": pc.Generation, "instances": []instanceStatus{set}, "conditions": conditions}
	if set.ReadyReplicas > 0 {
		status["usersRevision"] = "85d4c7c785"
	}
	patch, _ := json.Marshal(map[string]any{"status": status})
	_, _ = s.clusters().Patch(ctx, pc.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
}

// names are what is there of a kind, by label.
func (s *standIn) names(kind, cluster string) []string {
	gvr := map[string]schema.GroupVersionResource{
		"pods": {Version: "v1", Resource: "pods"}, "secrets": {Version: "v1", Resource: "secrets"}, "claims": {Version: "v1", Resource: "persistentvolumeclaims"},
		"sets": {Group: "apps", Version: "v1", Resource: "statefulsets"}}[kind]
	list, err := s.kube.Dynamic().Resource(gvr).Namespace(s.kube.Namespace()).List(s.t.Context(), metav1.ListOptions{LabelSelector: postgresLabel + "=" + cluster})
	require.NoError(s.t, err)
	var names []string
	for _, o := range list.Items {
		names = append(names, strings.TrimPrefix(o.GetName(), cluster+"-"))
	}
	return names
}
