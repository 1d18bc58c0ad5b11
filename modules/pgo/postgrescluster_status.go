package pgo

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/adbsql/antdbctl/engine/module"
)

// The conditions that tell how far the backups are. There is none for the
// database, and all stay as they are when it fails.
const (
	stanzaCondition = "PGBackRestReplicaRepoReady"
	backupCondition = "PGBackRestReplicaCreate"
)

// observed reports that the operator has acted on the spec as it is: before
// that, the counts in the status are those of the spec before.
func (pc *postgresCluster) observed() bool {
	return pc.Status.ObservedGeneration == pc.Generation
}

// serving counts the members that the operator has seen serve as the spec wants
// them: none before it has put the users into the database.
func (pc *postgresCluster) serving() (n int64) {
	if !pc.observed() || len(pc.users()) > 0 && pc.Status.UsersRevision == "" {
		return 0
	}
	for _, set := range pc.Spec.Instances {
		s := pc.instances(set.Name)
		n += min(s.ReadyReplicas, s.UpdatedReplicas)
	}
	return n
}

// instances is the status of one set; the zero status before there is one.
func (pc *postgresCluster) instances(set string) instanceStatus {
	for _, s := range pc.Status.Instances {
		if s.Name == set {
			return s
		}
	}
	return instanceStatus{}
}

// members counts those wanted, of all sets.
func (pc *postgresCluster) members() (n int64) {
	for _, set := range pc.Spec.Instances {
		n += set.members()
	}
	return n
}

// users are those that the operator makes, and keeps a Secret for. Without a
// word about them it makes one that is called as the cluster is.
func (pc *postgresCluster) users() []postgresUser {
	if pc.Spec.Users == nil {
		return []postgresUser{{Name: pc.Name, Databases: []string{pc.Name}}}
	}
	return pc.Spec.Users
}

// first is the user that applications are meant to be, with its database.
func (pc *postgresCluster) first() (user, database string) {
	for _, u := range pc.users() {
		if len(u.Databases) > 0 {
			return u.Name, u.Databases[0]
		}
		if user == "" {
			user = u.Name
		}
	}
	return user, ""
}

// backups are the settings of pgBackRest; nil when the cluster is to have none.
func (pc *postgresCluster) backups() *pgBackRest {
	if pc.Spec.Backups == nil {
		return nil
	}
	return pc.Spec.Backups.PGBackRest
}

func (pc *postgresCluster) stanza() bool {
	return pc.backups() == nil || meta.IsStatusConditionTrue(pc.Status.Conditions, stanzaCondition)
}

func (pc *postgresCluster) backedUp() bool {
	return pc.backups() == nil || meta.IsStatusConditionTrue(pc.Status.Conditions, backupCondition)
}

// problem is what somebody has told the operator, and what keeps the cluster
// from ever being as it is wanted.
func (pc *postgresCluster) problem() error {
	yes := func(b *bool) bool { return b != nil && *b }
	switch {
	case yes(pc.Spec.Shutdown):
		return module.Explain(fmt.Errorf("cluster %s is shut down (spec.shutdown of the PostgresCluster)", pc.Name),
			fmt.Sprintf("start it: kubectl -n %s patch postgrescluster %s --type=merge -p '{\"spec\":{\"shutdown\":false}}'", pc.Namespace, pc.Name))
	case yes(pc.Spec.Paused) && !pc.observed():
		return module.Explain(fmt.Errorf("the operator is told to leave cluster %s alone (spec.paused of the PostgresCluster)", pc.Name),
			fmt.Sprintf("let it work: kubectl -n %s patch postgrescluster %s --type=merge -p '{\"spec\":{\"paused\":false}}'", pc.Namespace, pc.Name))
	}
	return nil
}

// word is the status in one line, for evidence.
func (pc *postgresCluster) word() string {
	parts := []string{fmt.Sprintf("generation %d, observed %d", pc.Generation, pc.Status.ObservedGeneration)}
	for _, set := range pc.Spec.Instances {
		s := pc.instances(set.Name)
		parts = append(parts, fmt.Sprintf("set %s: %d of %d ready, %d up to date", set.Name, s.ReadyReplicas, set.members(), s.UpdatedReplicas))
	}
	for _, c := range pc.Status.Conditions {
		parts = append(parts, fmt.Sprintf("%s=%s (%s)", c.Type, c.Status, c.Reason))
	}
	return strings.Join(parts, "; ")
}
