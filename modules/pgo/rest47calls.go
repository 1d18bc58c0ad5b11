package pgo

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
)

// The calls of 4.7 that differ from those of 4.2.

// minorOf4 is the 7 of 4.7.10.
func minorOf4(version string) (int, bool) {
	rest, ok := strings.CutPrefix(version, "4.")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(minor)
	return n, ok && err == nil
}

// meet asks the apiserver which version it is, which needs no version, and
// speaks that from then on: it refuses every other, the last number included.
func (a *api) meet(ctx context.Context) (minor int, err error) {
	version, err := a.version(ctx)
	if err != nil {
		return 0, err
	}
	minor, ok := minorOf4(version)
	if !ok || minor < 2 || minor > 7 {
		return 0, module.At("api", module.Explain(
			fmt.Errorf("the PGO apiserver is %q, which is none of 4.2 to 4.7", version),
			"check that api leads to the operator of this cluster"))
	}
	a.speaks = version
	return minor, nil
}

// create47 asks for a cluster and gives the id of its workflow. The answer holds
// the password of the cluster's user; it is not read, the Secret has it.
func (a *api) create47(ctx context.Context, in createRequest47) (workflow string, err error) {
	var out struct {
		Result struct{ Name, WorkflowID string } `json:"result"`
	}
	if err := a.call(ctx, http.MethodPost, "/clusters", in, &out); err != nil {
		return "", err
	}
	if out.Result.Name != in.Name || out.Result.WorkflowID == "" { // ok alone has meant nothing in 4.2
		return "", &Refusal{fmt.Sprintf("it created no cluster %s, though it says ok", in.Name)}
	}
	return out.Result.WorkflowID, nil
}

// show47 finds a cluster by name; nil when there is none.
func (a *api) show47(ctx context.Context, namespace, name string) (*found47, error) {
	in := struct {
		Name      string `json:"clustername"`
		Selector  string `json:"selector"`
		Tag       string `json:"ccpimagetag"`
		Version   string `json:"clientversion"`
		Namespace string `json:"namespace"`
		All       bool   `json:"allflag"`
	}{Name: name, Version: a.speaks, Namespace: namespace}
	var out struct{ Results []found47 }
	if err := a.call(ctx, http.MethodPost, "/showclusters", in, &out); err != nil || len(out.Results) == 0 {
		return nil, err
	}
	return &out.Results[0], nil
}

// found47 is what /showclusters tells of one cluster: the resource itself, and
// what the apiserver sees around it.
type found47 struct {
	Cluster  pgclusterObject `json:"cluster"`
	Replicas []struct{ Name string }
}

type scaleRequest47 struct {
	Tag              string `json:"ccpImageTag"`
	Version          string `json:"clientVersion"`
	Name             string `json:"name"`
	Namespace        string `json:"namespace"`
	NodeAffinityType int
	NodeLabel        string     `json:"nodeLabel"`
	Replicas         int        `json:"replicaCount"`
	ServiceType      string     `json:"serviceType"`
	StorageConfig    string     `json:"storageConfig"`
	Tolerations      []struct{} `json:"tolerations"`
}

// scale47 adds replicas. The apiserver counts one in its answer that it failed
// to make, so only the objects tell.
func (a *api) scale47(ctx context.Context, namespace, name string, by int) error {
	in := scaleRequest47{Version: a.speaks, Name: name, Namespace: namespace, Replicas: by, Tolerations: []struct{}{}}
	var out struct{ Results []string }
	err := a.call(ctx, http.MethodPost, "/clusters/scale/"+url.PathEscape(name), in, &out)
	if err == nil && len(out.Results) < by {
		return &Refusal{fmt.Sprintf("asked for %d more of %s, it made %d", by, name, len(out.Results))}
	}
	return err
}

// scaleDown47 orders the removal of one replica with its data, which a Job then
// does. It is a GET that deletes: nothing may repeat it unasked.
func (a *api) scaleDown47(ctx context.Context, namespace, name, replica string) error {
	query := url.Values{"version": {a.speaks}, "namespace": {namespace}, "replica-name": {replica}, "delete-data": {"true"}}
	return a.call(ctx, http.MethodGet, "/scaledown/"+url.PathEscape(name)+"?"+query.Encode(), nil, &struct{}{})
}
