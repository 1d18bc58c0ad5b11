package live_test

import (
	"context"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// storageBreaks are about volumes, and what Patroni keeps beside them.
var storageBreaks = []breakage{
	{"no-volume-large-enough", "G-39b", func(l *lab, cluster string) { l.claims(cluster, "lab", "50Gi") }},
	{"no-such-class", "G-39c", func(l *lab, cluster string) { l.claims(cluster, "fast", "1G") }},
	{"folder-of-root", "G-45", func(l *lab, cluster string) {
		l.node("node2", "rm -rf /data/"+cluster+" && mkdir -m 755 /data/"+cluster)
		l.volume(cluster, "node2", "/data/"+cluster, cluster)
		l.create(cluster, nil)
		l.until("the database has ended once", func() bool { return l.restarts(cluster) > 0 })
	}},
	{"stale-initialize", "G-61", func(l *lab, cluster string) {
		l.sweep(cluster)
		_, err := l.kube.Clientset().CoreV1().ConfigMaps(namespace).Create(l.t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Name: cluster + "-config", Labels: map[string]string{"crunchy-pgha-scope": cluster, "vendor": "crunchydata"},
			Annotations: map[string]string{"initialize": "7711121326432919651", "config": `{"postgresql":{"parameters":{}}}`}}}, metav1.CreateOptions{})
		require.NoError(l.t, err)
		l.keep(cluster, nil)
		l.until("it waits for a leader", func() bool {
			pods := l.pods(cluster)
			// A member may wait for minutes on its way.
			return len(pods) > 0 && strings.Contains(l.log(pods[0]), "waiting for leader to bootstrap") && l.old(pods[0], 320)
		})
	}},
}

// claims makes a cluster whose claim is there already, and finds no volume.
func (l *lab) claims(cluster, class, size string) {
	l.t.Helper()
	l.sweep(cluster)
	claims := l.kube.Clientset().CoreV1().PersistentVolumeClaims(namespace)
	_, err := claims.Create(l.t.Context(), &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: cluster, Labels: map[string]string{"pg-cluster": cluster}},
		Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse(size)}}},
	}, metav1.CreateOptions{})
	require.NoError(l.t, err)
	l.keep(cluster, nil)
	l.until("its pod waits", func() bool {
		pods := l.pods(cluster)
		return len(pods) > 0 && pods[0].Spec.NodeName == "" && l.old(pods[0], 40)
	})
}

// volume is a folder of a machine for one claim alone.
func (l *lab) volume(name, node, path, claim string) {
	l.t.Helper()
	volumes := l.kube.Clientset().CoreV1().PersistentVolumes()
	_ = volumes.Delete(l.t.Context(), name, metav1.DeleteOptions{}) // of a run that was cut off
	l.until("the volume is gone", func() bool { _, err := volumes.Get(l.t.Context(), name, metav1.GetOptions{}); return err != nil })
	_, err := volumes.Create(l.t.Context(), &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeSpec{
		Capacity: corev1.ResourceList{"storage": resource.MustParse("1Gi")}, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
		PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain, StorageClassName: "lab",
		ClaimRef:               &corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: namespace, Name: claim},
		PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}},
		NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "kubernetes.io/hostname", Operator: corev1.NodeSelectorOpIn, Values: []string{node}}}}}}},
	}}, metav1.CreateOptions{})
	require.NoError(l.t, err)
	l.t.Cleanup(func() { _ = volumes.Delete(context.Background(), name, metav1.DeleteOptions{}) })
}
