package postgrescluster

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Labels, as observed on the objects. Pods carry the role master or replica, Services primary or replica.
const (
	LabelCluster     = Group + "/cluster"
	LabelInstance    = Group + "/instance"
	LabelInstanceSet = Group + "/instance-set"
	LabelData        = Group + "/data"
	LabelPatroni     = Group + "/patroni"
	LabelRole        = Group + "/role"
	LabelCertificate = Group + "/cluster-certificate"
	LabelUser        = Group + "/pguser"

	LabelBackRest          = Group + "/pgbackrest"
	LabelBackRestConfig    = Group + "/pgbackrest-config"
	LabelBackRestDedicated = Group + "/pgbackrest-dedicated"
	LabelBackRestRepo      = Group + "/pgbackrest-repo"
	LabelBackRestVolume    = Group + "/pgbackrest-volume"
	LabelBackRestBackup    = Group + "/pgbackrest-backup"
)

const (
	roleLeader  = "master"
	roleReplica = "replica"

	defaultContainer = "kubectl.kubernetes.io/default-container"
	configHash       = Group + "/pgbackrest-hash"
	configContainer  = Group + "/pgbackrest-config"
)

func scope(c *Cluster) string             { return c.Name + "-ha" }
func podsService(c *Cluster) string       { return c.Name + "-pods" }
func primaryService(c *Cluster) string    { return c.Name + "-primary" }
func repoHost(c *Cluster) string          { return c.Name + "-repo-host" }
func repoClaim(c *Cluster, r Repo) string { return c.Name + "-" + r.Name }
func dataClaim(instance string) string    { return instance + "-pgdata" }
func userSecret(c *Cluster, u string) string {
	return c.Name + "-pguser-" + u
}

// dataDir is where the server's files are.
func dataDir(c *Cluster) string { return fmt.Sprintf("/pgdata/pg%d", c.Spec.PostgresVersion) }

// owned returns the metadata of an object that goes with its cluster.
func owned(c *Cluster, name string, labels map[string]string) metav1.ObjectMeta {
	all := map[string]string{LabelCluster: c.Name}
	for k, v := range labels {
		all[k] = v
	}
	return metav1.ObjectMeta{
		Name: name, Namespace: c.Namespace, Labels: all,
		OwnerReferences: []metav1.OwnerReference{ownerOf(c, true)},
	}
}

func ownerOf(c *Cluster, controller bool) metav1.OwnerReference {
	owner := metav1.OwnerReference{APIVersion: Group + "/v1beta1", Kind: "PostgresCluster", Name: c.Name, UID: c.UID}
	if controller {
		owner.Controller, owner.BlockOwnerDeletion = new(true), new(true)
	}
	return owner
}

// set returns the users' set of an instance.
func (c *Cluster) set(name string) *InstanceSet {
	for i := range c.Spec.Instances {
		if setName(c.Spec.Instances[i], i) == name {
			return &c.Spec.Instances[i]
		}
	}
	return nil
}

// setName is the set's own, or its number.
func setName(s InstanceSet, i int) string {
	if s.Name == "" {
		return fmt.Sprintf("%02d", i)
	}
	return s.Name
}
