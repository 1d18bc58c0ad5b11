package pgo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// Version is the only one this client speaks. The apiserver wants exactly its
// own in every call.
const Version = "4.2.1"

const (
	callTimeout = 60 * time.Second // as the pgo client's
	maxAnswer   = 16 << 20
)

// api calls one PGO apiserver.
type api struct {
	base     string // https://host:port
	user     string
	password secret.Value
	http     *http.Client
}

// Refusal is an answer that says no: its HTTP status is 200 and its Code is
// "error", as for everything that the apiserver refuses after authentication.
type Refusal struct{ Msg string }

func (r *Refusal) Error() string { return "the PGO apiserver refuses: " + r.Msg }

// call sends in as JSON (nothing when nil) and reads the answer into out.
func (a *api) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(a.user, a.password.Reveal())
	resp, err := a.http.Do(req)
	if err != nil {
		return a.unreached(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return a.unreached(err)
	}
	if resp.StatusCode != http.StatusOK {
		return a.turnedAway(path, resp.StatusCode, text)
	}
	return a.read(ctx, path, text, out)
}

// status is how every answer says whether it worked; POST /clusters alone puts
// it one level deeper.
type status struct {
	Code, Msg string
	Status    *struct{ Code, Msg string } `json:"status"`
}

func (a *api) read(ctx context.Context, path string, text []byte, out any) error {
	var s status
	if err := json.Unmarshal(text, &s); err != nil {
		return module.At("api", fmt.Errorf("%s%s answers something else than the JSON of a PGO apiserver: %.200q", a.base, path, text))
	}
	if s.Status != nil {
		s.Code, s.Msg = s.Status.Code, s.Status.Msg
	}
	switch {
	case strings.Contains(s.Msg, "version mismatch"):
		return a.mismatch(ctx)
	case s.Code != "ok":
		return &Refusal{s.Msg}
	}
	return json.Unmarshal(text, out)
}

// mismatch asks for the version that the server has: its refusal does not say.
func (a *api) mismatch(ctx context.Context) error {
	v, err := a.version(ctx)
	if err != nil {
		v = "another version"
	}
	return module.At("api", module.Explain(
		fmt.Errorf("the PGO apiserver is %s, and pgo.cluster speaks %s only", v, Version),
		"point the step at an operator of that version"))
}

func (a *api) version(ctx context.Context) (string, error) {
	var out struct{ Version string }
	err := a.call(ctx, http.MethodGet, "/version", nil, &out)
	return out.Version, err
}

// turnedAway explains the answers that come before the apiserver looks at a
// request; they are plain text.
func (a *api) turnedAway(path string, code int, text []byte) error {
	said := fmt.Sprintf("%d %s: %s", code, http.StatusText(code), strings.TrimSpace(string(text[:min(len(text), 200)])))
	err := fmt.Errorf("the PGO apiserver at %s turns %s away (%s)", a.base, path, said)
	remedy := ""
	switch {
	case code == http.StatusUnauthorized:
		remedy = fmt.Sprintf("check the name and password of the PGO user %q (Secret pgouser-%[1]s in the operator's namespace)", a.user)
	case code == http.StatusForbidden && strings.Contains(string(text), "Certificate"):
		remedy = "give api.cert and api.key: the apiserver wants a client certificate beside the password"
	case code == http.StatusForbidden:
		remedy = fmt.Sprintf("give the role of PGO user %q the permission for this action (Secret pgorole-… in the operator's namespace)", a.user)
	case code == http.StatusNotFound:
		remedy = "this does not look like PGO " + Version + ": check api.url"
	}
	return module.At("api", module.Explain(err, remedy))
}

// The calls, each with the fields of the recorded request, in its order.

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
			CCPImage, CCPImageTag, Port, User, Database string

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
	}{Name: name, Version: Version, Namespace: namespace}
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
	}{Clustername: name, ClientVersion: Version, Namespace: namespace, DeleteBackups: backups, DeleteData: data}
	err := a.call(ctx, http.MethodPost, "/clustersdelete", in, &struct{}{})
	if no := (*Refusal)(nil); errors.As(err, &no) && no.Msg == "no clusters found" {
		return nil
	}
	return err
}

// scale adds replicas.
func (a *api) scale(ctx context.Context, namespace, name string, by int) error {
	path := fmt.Sprintf("/clusters/scale/%s?replica-count=%d&resources-config=&storage-config=&node-label=&version=%s&ccp-image-tag=&service-type=&namespace=%s",
		url.PathEscape(name), by, Version, url.QueryEscape(namespace))
	return a.call(ctx, http.MethodGet, path, nil, &struct{}{})
}
