package pgo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// The calls of 4.2, each with the fields of the recorded request, in its order.

type createRequest struct {
	Name, Namespace, NodeLabel, Password, SecretFrom, UserLabels, Policies string

	CCPImage, CCPImageTag string
	// Series is how many clusters to make: 0, or no Series, makes none and is answered "ok".
	Series, ReplicaCount int
	ServiceType          string

	MetricsFlag, BadgerFlag, AutofailFlag, ArchiveFlag bool

	BackrestStorageType string
	PgbouncerFlag       bool

	PgbouncerSecret, PgbouncerPass, PgbouncerUser string

	CustomConfig, StorageConfig, ReplicaStorageConfig, ContainerResources string

	ClientVersion, PodAntiAffinity string
	SyncReplication                *bool

	BackrestS3Key, BackrestS3KeySecret, BackrestS3Bucket, BackrestS3Region, BackrestS3Endpoint string
}

// create asks for a cluster and gives the id of its workflow.
func (a *api) create(ctx context.Context, r createRequest) (workflow string, err error) {
	var out struct {
		Results []string `json:"results"`
	}
	if err := a.call(ctx, http.MethodPost, "/clusters", r, &out); err != nil {
		return "", err
	}
	created := false
	for _, line := range out.Results {
		line = strings.TrimSpace(line)
		created = created || line == "created Pgcluster "+r.Name
		if id, ok := strings.CutPrefix(line, "workflow id "); ok {
			workflow = id
		}
	}
	if created && workflow != "" {
		return workflow, nil
	}
	// Code "ok" all the same: faults after validation stand in the results.
	said := strings.Join(out.Results, "; ")
	if said == "" {
		said = "nothing"
	}
	return "", &Refusal{"it created no cluster, and says " + said}
}

// found is what /showclusters tells of one cluster.
type found struct {
	Cluster struct {
		Metadata struct{ Labels map[string]string }
		Spec     struct {
			CCPImage, CCPImageTag, Port, User, Database, CustomConfig string

			UserSecretName    string `json:"usersecretname"`
			RootSecretName    string `json:"rootsecretname"`
			PrimarySecretName string `json:"primarysecretname"`
		}
		Status struct{ State, Message string }
	} `json:"cluster"`
	Replicas []struct{ Name string }
}

// show finds a cluster by name; nil when there is none.
func (a *api) show(ctx context.Context, namespace, name string) (*found, error) {
	in := struct {
		Name      string `json:"clustername"`
		Selector  string `json:"selector"`
		Tag       string `json:"ccpimagetag"`
		Version   string `json:"clientversion"`
		Namespace string `json:"namespace"`
		All       bool   `json:"allflag"`
	}{Name: name, Version: a.speaks, Namespace: namespace}
	var out struct{ Results []found }
	if err := a.call(ctx, http.MethodPost, "/showclusters", in, &out); err != nil || len(out.Results) == 0 {
		return nil, err
	}
	return &out.Results[0], nil
}

// remove orders a cluster's removal, which a Job then does. A cluster that is
// not there is no error.
func (a *api) remove(ctx context.Context, namespace, name string, backups, data bool) error {
	in := struct {
		Clustername, Selector, ClientVersion, Namespace string

		AllFlag, DeleteBackups, DeleteData bool
	}{Clustername: name, ClientVersion: a.speaks, Namespace: namespace, DeleteBackups: backups, DeleteData: data}
	err := a.call(ctx, http.MethodPost, "/clustersdelete", in, &struct{}{})
	if no := (*Refusal)(nil); errors.As(err, &no) && no.Msg == "no clusters found" {
		return nil
	}
	return err
}

// once makes a call that is a GET and changes the world all the same: each
// makes another replica, or takes one away. Go would send a GET again by itself
// where a kept connection breaks, so this one gets a connection of its own.
func (a *api) once(ctx context.Context, path string, out any) error {
	a.http.CloseIdleConnections()
	return a.call(ctx, http.MethodGet, path, nil, out)
}

// scale adds replicas.
func (a *api) scale(ctx context.Context, namespace, name string, by int) error {
	path := fmt.Sprintf("/clusters/scale/%s?replica-count=%d&resources-config=&storage-config=&node-label=&version=%s&ccp-image-tag=&service-type=&namespace=%s",
		url.PathEscape(name), by, a.speaks, url.QueryEscape(namespace))
	return a.once(ctx, path, &struct{}{})
}

// scaleDown takes one replica away, with its data. A Job does the work.
func (a *api) scaleDown(ctx context.Context, namespace, name, replica string) error {
	path := fmt.Sprintf("/scaledown/%s?version=%s&replica-name=%s&delete-data=true&namespace=%s",
		url.PathEscape(name), a.speaks, url.QueryEscape(replica), url.QueryEscape(namespace))
	var out struct{ Results []string }
	if err := a.once(ctx, path, &out); err != nil {
		return err
	}
	return told(out.Results, "deleted Pgreplica "+replica)
}

// failover has the operator hand the primary over to another Deployment.
func (a *api) failover(ctx context.Context, namespace, name, deployment string) error {
	in := struct{ Namespace, ClusterName, Target, ClientVersion string }{namespace, name, deployment, a.speaks}
	var out struct{ Results []string }
	if err := a.call(ctx, http.MethodPost, "/failover", in, &out); err != nil {
		return err
	}
	return told(out.Results, "created Pgtask (failover) for cluster "+name)
}

// autofail lets Patroni fail over by itself, or not.
func (a *api) autofail(ctx context.Context, namespace, name string, on bool) error {
	in := struct {
		Clustername []string

		Selector, ClientVersion, Namespace string

		AllFlag, Autofail bool
	}{Clustername: []string{name}, ClientVersion: a.speaks, Namespace: namespace, Autofail: on}
	var out struct{ Results []string }
	if err := a.call(ctx, http.MethodPost, "/clustersupdate", in, &out); err != nil {
		return err
	}
	return told(out.Results, "updated pgcluster "+name)
}

// schedule backs a cluster up again and again.
func (a *api) schedule(ctx context.Context, namespace, name, kind, cron string) error {
	in := struct {
		ClusterName, Name, Namespace, Schedule, ScheduleType, Selector, PGBackRestType, BackrestStorageType string

		PVCName, ScheduleOptions, StorageConfig, PolicyName, Database, Secret string
	}{ClusterName: name, Namespace: namespace, Schedule: cron, ScheduleType: "pgbackrest", PGBackRestType: kind}
	var out struct{ Results []string }
	if err := a.call(ctx, http.MethodPost, "/schedule", in, &out); err != nil {
		return err
	}
	return told(out.Results, "created schedule ")
}

// unschedule takes one schedule away.
func (a *api) unschedule(ctx context.Context, namespace, schedule string) error {
	in := struct{ Namespace, ScheduleName, ClusterName, Selector string }{Namespace: namespace, ScheduleName: schedule}
	return a.call(ctx, http.MethodPost, "/scheduledelete", in, &struct{}{})
}

// told insists on the line that says that something was done: Code "ok" alone
// is also the answer where nothing was.
func told(results []string, line string) error {
	for _, r := range results {
		if strings.HasPrefix(r, line) {
			return nil
		}
	}
	return &Refusal{fmt.Sprintf("it does not say %q, but %q", strings.TrimSpace(line), strings.Join(results, "; "))}
}
