package pgo

// pgclusterObject is a Pgcluster of PGO 4.3 to 4.7, as far as it is read.
type pgclusterObject struct {
	Metadata struct {
		Labels, Annotations map[string]string
		DeletionTimestamp   string
	} `json:"metadata"`
	Spec struct {
		Image           string            `json:"ccpimage"`
		Tag             string            `json:"ccpimagetag"`
		Prefix          string            `json:"ccpimageprefix"`
		User            string            `json:"user"`
		Database        string            `json:"database"`
		Status          string            `json:"status"`
		DisableAutofail bool              `json:"disableAutofail"`
		Exporter        bool              `json:"exporter"`
		PGBadger        bool              `json:"pgBadger"`
		ServiceType     string            `json:"serviceType"`
		Resources       map[string]string `json:"resources"`
		Limits          map[string]string `json:"limits"`
		UserLabels      map[string]string `json:"userlabels"`
		ReplicaStorage  map[string]string
	} `json:"spec"`
	Status struct{ State, Message string } `json:"status"`
}

// currentPrimary is the annotation without which the operator makes nothing of a
// Pgcluster: it holds the name of the first data volume.
const currentPrimary = "current-primary"

// record is what the operator has on record, without its replicas, which are
// resources of their own.
func (o *pgclusterObject) record(name string) *record {
	names := namingV4(name)
	r := &record{
		state: o.Status.State, initialized: o.Status.State == "pgcluster Initialized", leaving: o.Metadata.DeletionTimestamp != "",
		image: o.Spec.Image + ":" + o.Spec.Tag, user: o.Spec.User, database: o.Spec.Database, labels: o.Metadata.Labels,
		secrets: map[string]string{},
	}
	users := []string{"postgres", "primaryuser"}
	if o.Spec.User != "" {
		users = append(users, o.Spec.User)
	}
	for _, user := range users {
		r.secrets[user] = names.user(user)
	}
	return r
}

// asleep reports that the operator has seen the resource and made nothing of it.
// It says "Processed" before it begins, and says no more where it fails.
func (o *pgclusterObject) asleep() bool {
	return o.Status.State == "pgcluster Processed" && o.Spec.Status == ""
}
