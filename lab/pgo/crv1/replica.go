package crv1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
)

// NewReplica returns a Pgreplica of the cluster with a random name; the operator needs it too, for clusters that are
// created with replicas.
func NewReplica(cluster *Cluster, user string) *Replica {
	name := cluster.Name + "-" + RandomLetters(4)
	labels := map[string]string{"NodeLabelKey": "", "NodeLabelValue": ""}
	for k, v := range cluster.Spec.UserLabels {
		labels[k] = v
	}
	return &Replica{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: cluster.Namespace,
			Labels: map[string]string{
				LabelName: name, LabelCluster: cluster.Name, LabelClusterID: "", LabelPGOUser: user,
			},
		},
		Spec: ReplicaSpec{
			Namespace: cluster.Namespace, Name: name, ClusterName: cluster.Name,
			ReplicaStorage: cluster.Spec.ReplicaStorage, UserLabels: labels,
		},
		Status: Status{State: ReplicaCreated},
	}
}

// RandomLetters returns n lower-case letters, as the original ends the names of replicas and removals.
func RandomLetters(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = 'a' + byte(rand.Intn(26))
	}
	return string(text)
}
