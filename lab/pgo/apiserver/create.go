package apiserver

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/settings"
)

func (s *Server) createCluster(c *call) any {
	request := read[createRequest](c)
	if msg := s.check(c, request.ClientVersion, request.Namespace); msg != "" {
		return createAnswer{Status: failed(msg)}
	}
	answer := createAnswer{Results: []string{}, Status: ok("")}
	labels, msg := s.validateCreate(c.Context(), request)
	if msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	for i := range request.Series {
		name := request.Name
		if request.Series > 1 {
			name += strconv.Itoa(i)
		}
		_, err := s.clusters().Get(c.Context(), request.Namespace, name)
		if err == nil {
			answer.Status = failed("pgcluster " + name + " was found so we will not create it")
			return answer
		}
		if !apierrors.IsNotFound(err) {
			answer.Status = failed(err.Error())
			return answer
		}
		lines := s.createOne(c, request, name, labels)
		answer.Results = append(answer.Results, lines...)
	}
	return answer
}

// validateCreate returns the user's labels, or the message of the first fault. Messages that end in a blank do so in
// the original.
func (s *Server) validateCreate(ctx context.Context, r createRequest) (map[string]string, string) {
	if r.Name == "all" {
		return nil, "invalid cluster name 'all' is not allowed as a cluster name"
	}
	if r.ReplicaCount < 0 {
		return nil, "invalid replica-count , should be greater than or equal to 0"
	}
	if faults := validation.IsDNS1035Label(r.Name); len(faults) > 0 {
		return nil, "invalid cluster name format " + faults[0]
	}
	labels, valid := parseLabels(r.UserLabels)
	if !valid {
		return nil, "invalid labels format"
	}
	if r.NodeLabel != "" && strings.Count(r.NodeLabel, "=") != 1 {
		return nil, r.NodeLabel + " node label does not follow key=value format"
	}
	switch r.ServiceType {
	case "", "ClusterIP", "NodePort", "LoadBalancer":
	default:
		return nil, "error ServiceType should be either ClusterIP or LoadBalancer "
	}
	for _, storage := range []string{r.StorageConfig, r.ReplicaStorageConfig} {
		if !slices.Contains(settings.StorageConfigs, storage) {
			return nil, storage + " Storage config was not found "
		}
	}
	if _, known := settings.ContainerResources[r.ContainerResources]; !known {
		return nil, r.ContainerResources + " ContainerResource config was not found "
	}
	if r.CustomConfig != "" {
		if _, err := s.Kube.CoreV1().ConfigMaps(r.Namespace).Get(ctx, r.CustomConfig, metav1.GetOptions{}); err != nil {
			return nil, r.CustomConfig + " configmap was not found "
		}
	}
	return labels, notModelled(r)
}

// notModelled refuses what the stand-in would otherwise ignore without a word.
func notModelled(r createRequest) string {
	for _, field := range []struct {
		set  bool
		name string
	}{
		{r.PgbouncerFlag, "PgbouncerFlag"},
		{r.SecretFrom != "", "SecretFrom"},
		{r.BackrestStorageType != "" && r.BackrestStorageType != "local", "BackrestStorageType"},
	} {
		if field.set {
			return "the lab's stand-in of PGO does not model " + field.name
		}
	}
	return ""
}

func parseLabels(text string) (map[string]string, bool) {
	labels := map[string]string{}
	if text == "" {
		return labels, true
	}
	for _, pair := range strings.Split(text, ",") {
		key, value, found := strings.Cut(pair, "=")
		if !found || len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
			return nil, false
		}
		labels[key] = value
	}
	return labels, true
}

// createOne makes Secrets, workflow and Pgcluster in this order. Faults from here on only show up in the results,
// while Code stays ok; a stale workflow task thus leaves Secrets behind and no cluster.
func (s *Server) createOne(c *call, r createRequest, name string, labels map[string]string) []string {
	ctx := c.Context()
	started := s.Now().UTC().Format(time.RFC3339)
	if err := s.createUserSecrets(ctx, r.Namespace, name, r.Password); err != nil {
		return []string{err.Error()}
	}
	if err := s.createRepoSecret(ctx, r.Namespace, name); err != nil {
		return []string{"could not create backrest repo secret: " + err.Error()}
	}
	workflow := string(uuid.NewUUID())
	if err := s.createWorkflow(c, r.Namespace, name, workflow); err != nil {
		return []string{err.Error()}
	}
	cluster := s.newCluster(c, r, name, labels, workflow)
	cluster.Spec.PswLastUpdate = started
	if err := s.clusters().Create(ctx, r.Namespace, cluster); err != nil {
		return []string{err.Error()}
	}
	return []string{"created Pgcluster " + name, "workflow id " + workflow}
}

func (s *Server) createWorkflow(c *call, namespace, name, id string) error {
	task := &crv1.Task{
		ObjectMeta: metav1.ObjectMeta{
			Name: crv1.WorkflowTask(name), Namespace: namespace,
			Labels: map[string]string{
				crv1.LabelCluster: name, crv1.LabelPGOUser: c.user.name, crv1.LabelWorkflow: id,
			},
		},
		Spec: crv1.TaskSpec{
			Namespace: namespace, Name: crv1.WorkflowTask(name), TaskType: crv1.TaskWorkflow,
			Parameters: map[string]string{
				crv1.LabelCluster: name, crv1.LabelWorkflow: id,
				crv1.ParamSubmitted: s.Now().UTC().Format(time.RFC3339),
			},
		},
		Status: crv1.Status{State: crv1.TaskCreated},
	}
	return s.tasks().Create(c.Context(), namespace, task)
}

func (s *Server) newCluster(c *call, r createRequest, name string, labels map[string]string, workflow string) *crv1.Cluster {
	userLabels := map[string]string{
		"archive-timeout": "60", crv1.LabelCollect: "false", "pg-pod-anti-affinity": r.PodAntiAffinity,
		crv1.LabelVersion: settings.Version, crv1.LabelWorkflow: workflow,
	}
	if r.ServiceType != "" {
		userLabels["service-type"] = r.ServiceType
	}
	if r.MetricsFlag {
		userLabels[crv1.LabelCollect] = "true"
	}
	if key, value, given := strings.Cut(r.NodeLabel, "="); given {
		userLabels[crv1.LabelNodeKey], userLabels[crv1.LabelNodeValue] = key, value
	}
	for k, v := range labels {
		userLabels[k] = v
	}
	storage := s.Settings.Storage()
	return &crv1.Cluster{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: r.Namespace,
			Labels: map[string]string{
				"autofail": strconv.FormatBool(r.AutofailFlag), crv1.LabelBadger: strconv.FormatBool(r.BadgerFlag), crv1.LabelName: name,
				crv1.LabelBackrest: "true", crv1.LabelPGOUser: c.user.name,
			},
		},
		Spec: crv1.ClusterSpec{
			Namespace: r.Namespace, Name: name, ClusterName: name,
			CCPImage: or(r.CCPImage, s.Settings.Image), CCPImageTag: or(r.CCPImageTag, s.Settings.ImageTag),
			Port: "5432", PGBadgerPort: "10000", ExporterPort: "9187",
			PrimaryStorage: storage, ReplicaStorage: storage, BackrestStorage: storage,
			ContainerResources: settings.ContainerResources[r.ContainerResources],
			PrimaryHost:        name, User: "testuser", Database: "userdb",
			Replicas: strconv.Itoa(r.ReplicaCount), Strategy: "1",
			UserSecretName: crv1.UserSecret(name, "testuser"), RootSecretName: crv1.RootSecret(name),
			PrimarySecretName: crv1.PrimarySecret(name), CollectSecretName: name + "-collect-secret",
			CustomConfig: r.CustomConfig, UserLabels: userLabels,
			PodAntiAffinity: r.PodAntiAffinity, SyncReplication: r.SyncReplication,
		},
		Status: crv1.Status{State: crv1.ClusterCreated, Message: "Created, not processed yet"},
	}
}

func or(value, fallback string) string {
	if value != "" {
		return value
	}
	return fallback
}

func (s *Server) showWorkflow(c *call) any {
	query := c.URL.Query()
	if msg := s.check(c, query.Get("version"), query.Get("namespace")); msg != "" {
		return workflowAnswer{Status: failed(msg)}
	}
	id := c.PathValue("id")
	tasks, err := s.tasks().List(c.Context(), query.Get("namespace"), crv1.LabelWorkflow+"="+id)
	if err != nil {
		return workflowAnswer{Status: failed(err.Error())}
	}
	if len(tasks) == 0 {
		return workflowAnswer{Status: failed(fmt.Sprintf("workflow id NOT found for id %s", id))}
	}
	parameters := tasks[0].Spec.Parameters
	return workflowAnswer{
		Results: workflowDetail{ClusterName: parameters[crv1.LabelCluster], Parameters: parameters},
		Status:  ok(""),
	}
}
