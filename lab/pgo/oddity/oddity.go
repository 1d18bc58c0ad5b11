// Package oddity switches strange behaviour of PGO 4.2.1 on: what the original does when things went wrong, and what a
// lab that works never shows. README.md lists the oddities with the facts they stand for.
package oddity

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Prefix begins the names of the ConfigMaps that switch oddities on. There may be several, so that tests which run side
// by side have one each: a key is an oddity, its value the clusters that have it, separated by blanks or commas, or *.
const Prefix = "pgo-standin-oddities"

// Name is one oddity.
type Name string

// What stops a cluster on its way, in the order of the way.
const (
	ClusterWorkerEnded Name = "cluster-worker-ended" // the Pgcluster stays Created
	NoDeployment       Name = "no-deployment"        // Processed, and nothing is made
	LostEdge           Name = "lost-edge"            // the pod's getting ready goes unseen
	WorkflowStuck      Name = "workflow-stuck"       // only the workflow is never completed
	StanzaFails        Name = "stanza-fails"         // the Job stanza-create ends with an error
	BackupFails        Name = "backup-fails"         // so does the Job of a backup
	NeverInitialized   Name = "never-initialized"    // the first backup's success goes unseen
	ReplicaWorkerEnds  Name = "replica-worker-ends"  // an orphan Pgreplica stops all replicas of the namespace
	RemovalPanics      Name = "removal-panics"       // the rmdata Job fails and leaves everything
	SecondPrimary      Name = "second-primary"       // a replica's pod carries the primary's label, too
)

// What the apiserver does.
const (
	NoEventAddress Name = "no-event-address" // user calls work, and answer with an error
	Scram          Name = "scram"            // user calls fail as an old driver does against SCRAM
)

// All is every oddity there is; a ConfigMap with another key is refused, since a misspelt one would pass for a success.
var All = []Name{
	ClusterWorkerEnded, NoDeployment, LostEdge, WorkflowStuck, StanzaFails, BackupFails, NeverInitialized, ReplicaWorkerEnds,
	RemovalPanics, SecondPrimary, NoEventAddress, Scram,
}

// Set is what is switched on in a namespace; the zero value is nothing.
type Set map[Name][]string

// Has tells whether the cluster has the oddity.
func (s Set) Has(name Name, cluster string) bool {
	return slices.Contains(s[name], cluster) || slices.Contains(s[name], "*")
}

// Any tells whether some cluster has the oddity.
func (s Set) Any(name Name) bool { return len(s[name]) > 0 }

// Read collects what the namespace's ConfigMaps say.
func Read(ctx context.Context, kube kubernetes.Interface, namespace string) (Set, error) {
	list, err := kube.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the oddities of %s: %w", namespace, err)
	}
	set := Set{}
	for i := range list.Items {
		if !strings.HasPrefix(list.Items[i].Name, Prefix) {
			continue
		}
		for key, value := range list.Items[i].Data {
			if !slices.Contains(All, Name(key)) {
				return nil, fmt.Errorf("ConfigMap %s/%s: no oddity is called %q", namespace, list.Items[i].Name, key)
			}
			clusters := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
			set[Name(key)] = append(set[Name(key)], clusters...)
		}
	}
	return set, nil
}
