package pgo

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
)

// wish is one argument, what the cluster has for it, and the change that makes
// it so.
type wish struct {
	arg, have, want string
	same            bool                // they mean the same
	put             func(*postgresSpec) // nil: it cannot be changed, for the reason
	reason, remedy  string
}

// wishes are all that a runbook says of a cluster that is there. What it leaves
// out is no wish.
func wishes(c *Cluster, pc *postgresCluster) []wish {
	var all []wish
	text := func(arg, have, want string, put func(*postgresSpec)) {
		if want != "" {
			all = append(all, wish{arg: arg, have: have, want: want, same: have == want, put: put})
		}
	}
	set, repo := soleSet(pc), soleRepo(pc)
	all = append(all, imageWishes(c, pc)...)
	all = append(all, replicaWish(c, pc))
	all = append(all, sizeWish("storage_size", set.DataVolumeClaimSpec, c.StorageSize, func(s *postgresSpec, to *claimSpec) {
		s.Instances = []instanceSet{{Name: set.Name, DataVolumeClaimSpec: to}}
	})...)
	if repo.Volume != nil {
		all = append(all, sizeWish("backup_size", repo.Volume.VolumeClaimSpec, c.BackupSize, func(s *postgresSpec, to *claimSpec) {
			s.Backups = inRepo(backupRepo{Name: repo.Name, Volume: &repoVolume{VolumeClaimSpec: to}})
		})...)
	}
	all = append(all, resourceWishes(c, set)...)
	text("node_label", preferredNode(set), c.NodeLabel, func(s *postgresSpec) {
		s.Instances = []instanceSet{{Name: set.Name, Affinity: affinity(c.NodeLabel)}}
	})
	service := ""
	if pc.Spec.Service != nil {
		service = pc.Spec.Service.Type
	}
	text("service_type", service, c.ServiceType, func(s *postgresSpec) { s.Service = &postgresService{Type: c.ServiceType} })
	all = append(all, patroniWishes(c, pc)...)
	labels := map[string]string{}
	if pc.Spec.Metadata != nil {
		labels = pc.Spec.Metadata.Labels
	}
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		have, ok := labels[key]
		all = append(all, wish{arg: "labels." + key, have: have, want: c.Labels[key], same: ok && have == c.Labels[key],
			put: func(s *postgresSpec) { s.Metadata = &postgresMeta{Labels: c.Labels} }})
	}
	for _, kind := range slices.Sorted(maps.Keys(c.BackupSchedule)) {
		text("backup_schedule."+kind, repo.Schedules[backupKinds[kind]], c.BackupSchedule[kind], func(s *postgresSpec) {
			s.Backups = inRepo(backupRepo{Name: repo.Name, Schedules: schedules(c.BackupSchedule)})
		})
	}
	return append(all, userWishes(c, pc)...)
}

// soleSet is the set of members that the arguments are about.
func soleSet(pc *postgresCluster) instanceSet {
	if len(pc.Spec.Instances) == 0 {
		return instanceSet{Name: postgresSet}
	}
	return pc.Spec.Instances[0]
}

func soleRepo(pc *postgresCluster) backupRepo {
	if b := pc.backups(); b != nil && len(b.Repos) > 0 {
		return b.Repos[0]
	}
	return backupRepo{Name: postgresRepo}
}

func inRepo(r backupRepo) *postgresBackups {
	return &postgresBackups{PGBackRest: &pgBackRest{Repos: []backupRepo{r}}}
}

// imageWishes take the backups along where they run from the database image.
func imageWishes(c *Cluster, pc *postgresCluster) []wish {
	have, backups, wanted := pc.Spec.Image, "", c.BackupImage
	if b := pc.backups(); b != nil {
		backups = b.Image
	}
	if wanted == "" && backups == have {
		wanted = c.Image
	}
	all := []wish{{arg: "image", have: have, want: c.Image, same: have == c.Image, put: func(s *postgresSpec) { s.Image = c.Image }}}
	if wanted != "" {
		all = append(all, wish{arg: "backup_image", have: backups, want: wanted, same: backups == wanted, put: func(s *postgresSpec) {
			s.Backups = &postgresBackups{PGBackRest: &pgBackRest{Image: wanted}}
		}})
	}
	if major := c.postgresMajor(); major != 0 {
		all = append(all, wish{arg: "postgres_version", have: strconv.Itoa(pc.Spec.PostgresVersion), want: strconv.Itoa(major), same: pc.Spec.PostgresVersion == major,
			reason: "another major version of PostgreSQL cannot read the data", remedy: "make a PGUpgrade of the operator, or dump the data and load it into a new cluster"})
	}
	return all
}

func replicaWish(c *Cluster, pc *postgresCluster) wish {
	have, members := pc.members()-1, int64(c.Replicas)+1
	w := wish{arg: "replicas", have: strconv.FormatInt(have, 10), want: strconv.Itoa(c.Replicas), same: have == int64(c.Replicas)}
	if len(pc.Spec.Instances) > 1 {
		w.reason, w.remedy = "the cluster has several sets of members, and the runbook does not say which is meant", "change spec.instances of the PostgresCluster by hand, and write the number that it then has"
		return w
	}
	w.put = func(s *postgresSpec) { s.Instances = []instanceSet{{Name: soleSet(pc).Name, Replicas: &members}} }
	return w
}

// sizeWish lets a volume grow, where its StorageClass can.
func sizeWish(arg string, claim *claimSpec, want string, put func(*postgresSpec, *claimSpec)) []wish {
	if want == "" {
		return nil
	}
	w := wish{arg: arg, have: claim.size(), want: want, same: claim.size() == want}
	have, err := resource.ParseQuantity(w.have)
	wanted, err2 := resource.ParseQuantity(want)
	switch {
	case err == nil && err2 == nil && have.Cmp(wanted) == 0:
		w.same = true
	case err == nil && err2 == nil && have.Cmp(wanted) > 0:
		w.reason, w.remedy = "volumes do not shrink", "write the size that they have"
	default:
		w.put = func(s *postgresSpec) {
			put(s, &claimSpec{Resources: &quantities{Requests: map[string]string{"storage": want}}})
		}
	}
	return []wish{w}
}

func resourceWishes(c *Cluster, set instanceSet) []wish {
	if c.Resources == nil {
		return nil
	}
	have, want := quantities{}, c.Resources.quantities()
	if set.Resources != nil {
		have = *set.Resources
	}
	var all []wish
	for _, r := range []struct{ arg, have, want string }{
		{"cpu", have.Requests["cpu"], want.Requests["cpu"]}, {"memory", have.Requests["memory"], want.Requests["memory"]},
		{"cpu_limit", have.Limits["cpu"], want.Limits["cpu"]}, {"memory_limit", have.Limits["memory"], want.Limits["memory"]},
	} {
		if r.want == "" {
			continue
		}
		a, err := resource.ParseQuantity(r.have)
		b, err2 := resource.ParseQuantity(r.want)
		all = append(all, wish{arg: "resources." + r.arg, have: r.have, want: r.want, same: err == nil && err2 == nil && a.Cmp(b) == 0,
			put: func(s *postgresSpec) { s.Instances = []instanceSet{{Name: set.Name, Resources: want}} }})
	}
	return all
}

// preferredNode reads what affinity writes.
func preferredNode(set instanceSet) string {
	if set.Affinity == nil || set.Affinity.NodeAffinity == nil {
		return ""
	}
	for _, term := range set.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		for _, e := range term.Preference.MatchExpressions {
			if len(e.Values) == 1 {
				return e.Key + "=" + e.Values[0]
			}
		}
	}
	return ""
}

func patroniWishes(c *Cluster, pc *postgresCluster) []wish {
	settings := map[string]any{}
	if pc.Spec.Patroni != nil {
		settings = pc.Spec.Patroni.DynamicConfiguration
	}
	paused, _ := settings["pause"].(bool)
	all := []wish{{arg: "autofail", have: strconv.FormatBool(!paused), want: strconv.FormatBool(c.Autofail), same: paused != c.Autofail,
		put: func(s *postgresSpec) {
			s.Patroni = &postgresPatroni{DynamicConfiguration: map[string]any{"pause": !c.Autofail}}
		}}}
	section, _ := settings["postgresql"].(map[string]any)
	parameters, _ := section["parameters"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		have, ok := parameters[name]
		all = append(all, wish{arg: "parameters." + name, have: asText(have), want: c.Parameters[name], same: ok && asText(have) == c.Parameters[name],
			put: func(s *postgresSpec) { s.Patroni = patroniSettings(c.Parameters, false) }})
	}
	return all
}

func asText(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// userWishes add a user. The operator's own, which it makes while nobody says a
// word about users, is said too then: else its Secret would go.
func userWishes(c *Cluster, pc *postgresCluster) []wish {
	want := c.postgresUser()
	if want == nil {
		return nil
	}
	users := slices.Clone(pc.users())
	at := slices.IndexFunc(users, func(u postgresUser) bool { return u.Name == want.Name })
	w := wish{arg: "user", want: want.Name, put: func(s *postgresSpec) { s.Users = users }}
	switch {
	case at < 0:
		users = append(users, *want)
	case c.Dbname != "" && !slices.Contains(users[at].Databases, c.Dbname):
		w.arg, w.have, w.want = "dbname", fmt.Sprint(users[at].Databases), c.Dbname
		users[at].Databases = append(slices.Clone(users[at].Databases), c.Dbname)
	default:
		return nil
	}
	return []wish{w}
}
