package pgcluster

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// createRequest has the fields of the body that are acted upon.
type createRequest struct {
	Name, Namespace, NodeLabel, ClientVersion                      string
	Password, PasswordSuperuser, PasswordReplication               string
	UserLabels                                                     map[string]string
	CCPImage, CCPImageTag, CCPImagePrefix, PGOImagePrefix          string
	ReplicaCount                                                   int
	ServiceType, CustomConfig, Username, Database, PasswordType    string
	MetricsFlag, BadgerFlag, AutofailFlag, ShowSystemAccounts      bool
	PVCSize, BackrestPVCSize, StorageConfig                        string
	CPULimit, CPURequest, MemoryLimit, MemoryRequest               string
	PodAntiAffinity, PodAntiAffinityPgBackRest, BackrestGCSKeyType string
	PodAntiAffinityPgBouncer                                       string
	Tablespaces                                                    []any
	PgbouncerFlag                                                  bool
}

type createdUser struct{ Password, Username string }

type created struct {
	Database   string
	Name       string
	Users      []createdUser
	WorkflowID string
}

type createAnswer struct {
	Result created          `json:"result"`
	Status apiserver.Status `json:"status"`
}

func (a *API) createCluster(c *apiserver.Call) any {
	request := apiserver.Read[createRequest](c)
	if msg := a.check(c, request.ClientVersion, request.Namespace); msg != "" {
		return createAnswer{Status: failed(msg)}
	}
	if msg := a.refuse(c.Context(), request); msg != "" {
		return createAnswer{Status: failed(msg)}
	}
	result, err := a.create(c, request)
	if err != nil {
		return createAnswer{Status: fault(err)}
	}
	return createAnswer{Result: result, Status: ok()}
}

// refuse returns the message of the first fault.
func (a *API) refuse(ctx context.Context, r createRequest) string {
	_, err := a.clusters().Get(ctx, r.Namespace, r.Name)
	if err == nil {
		return "pgcluster " + r.Name + " was found so we will not create it"
	}
	if !isMissing(err) {
		return err.Error()
	}
	if faults := validation.IsDNS1035Label(r.Name); len(faults) > 0 {
		return "invalid cluster name format " + faults[0]
	}
	switch r.ServiceType {
	case "", "ClusterIP", "NodePort", "LoadBalancer":
	default:
		return "invalid service type " + r.ServiceType
	}
	if r.CustomConfig != "" {
		if _, err := a.Server.Kube.CoreV1().ConfigMaps(r.Namespace).Get(ctx, r.CustomConfig, metav1.GetOptions{}); err != nil {
			return r.CustomConfig + " configmap was not found "
		}
	}
	if r.StorageConfig != "" {
		return r.StorageConfig + " Storage config was not found "
	}
	if r.PgbouncerFlag || len(r.Tablespaces) > 0 {
		return "the lab's stand-in of PGO does not model PgbouncerFlag and Tablespaces"
	}
	return ""
}

func (a *API) create(c *apiserver.Call, r createRequest) (created, error) {
	ctx, workflow := c.Context(), string(uuid.NewUUID())
	cluster := a.newCluster(c, r, workflow)
	passwords, err := a.createUsers(ctx, cluster, r)
	if err != nil {
		return created{}, err
	}
	secret := repoSecret(cluster)
	for _, key := range []string{"aws-s3-key", "aws-s3-key-secret", "gcs-key"} { // the operator adds the keys
		secret.Data[key] = []byte{}
	}
	if _, err := a.Server.Kube.CoreV1().Secrets(r.Namespace).Create(ctx, secret, metav1.CreateOptions{}); keepExisting(err) != nil {
		return created{}, err
	}
	task := newTask(r.Namespace, r.Name, crv1.WorkflowTask(r.Name), crv1.TaskWorkflow, map[string]string{
		crv1.LabelCluster: r.Name, crv1.LabelWorkflow: workflow, crv1.ParamSubmitted: a.Server.Now().UTC().Format(time.RFC3339),
	})
	task.Labels[crv1.LabelPGOUser], task.Labels[crv1.LabelWorkflow] = c.Caller(), workflow
	if err := a.tasks().Create(ctx, r.Namespace, task); err != nil {
		return created{}, err
	}
	if err := a.clusters().Create(ctx, r.Namespace, cluster); err != nil {
		return created{}, err
	}
	out := created{Database: cluster.Spec.Database, Name: r.Name, WorkflowID: workflow}
	shown := []string{cluster.Spec.User}
	if r.ShowSystemAccounts {
		shown = []string{"postgres", "primaryuser", cluster.Spec.User}
	}
	for _, user := range shown {
		out.Users = append(out.Users, createdUser{passwords[user], user})
	}
	return out, nil
}

// createUsers makes the Secrets of the three users; those that are there keep their passwords.
func (a *API) createUsers(ctx context.Context, cluster *Cluster, r createRequest) (map[string]string, error) {
	out := map[string]string{}
	for _, user := range []struct{ name, password string }{
		{"postgres", r.PasswordSuperuser}, {"primaryuser", r.PasswordReplication}, {cluster.Spec.User, r.Password},
	} {
		secrets := a.Server.Kube.CoreV1().Secrets(cluster.Namespace)
		found, err := secrets.Get(ctx, crv1.UserSecret(cluster.Name, user.name), metav1.GetOptions{})
		if err == nil {
			out[user.name] = string(found.Data["password"])
			continue
		}
		if !isMissing(err) {
			return nil, err
		}
		password := user.password
		if password == "" {
			if password, err = newPassword(); err != nil {
				return nil, err
			}
		}
		if _, err := secrets.Create(ctx, userSecret(cluster.Namespace, cluster.Name, user.name, password), metav1.CreateOptions{}); err != nil {
			return nil, err
		}
		out[user.name] = password
	}
	return out, nil
}

func (a *API) newCluster(c *apiserver.Call, r createRequest, workflow string) *Cluster {
	conf := a.Server.Settings
	storage := func(size string) Storage {
		base := conf.Storage()
		return Storage{AccessMode: base.AccessMode, Size: cmp.Or(size, base.Size), StorageType: base.StorageType, StorageClass: base.StorageClass}
	}
	labels := map[string]string{crv1.LabelVersion: Version, crv1.LabelWorkflow: workflow}
	for k, v := range r.UserLabels {
		labels[k] = v
	}
	none := map[string]string{}
	cluster := &Cluster{
		ObjectMeta: metav1.ObjectMeta{
			Name: r.Name, Namespace: r.Namespace,
			Labels:      map[string]string{crv1.LabelName: r.Name, crv1.LabelCluster: r.Name, crv1.LabelPGOUser: c.Caller()},
			Annotations: map[string]string{currentPrimary: r.Name, primaryDeployment: r.Name},
		},
		Spec: ClusterSpec{
			Name: r.Name, ClusterName: r.Name,
			CCPImage: cmp.Or(r.CCPImage, conf.Image), CCPImageTag: cmp.Or(r.CCPImageTag, conf.ImageTag),
			CCPImagePrefix: cmp.Or(r.CCPImagePrefix, conf.ImagePrefix), PGOImagePrefix: cmp.Or(r.PGOImagePrefix, conf.ImagePrefix),
			Port: "5432", DisableAutofail: !r.AutofailFlag, PGBadger: r.BadgerFlag, PGBadgerPort: "10000", Exporter: r.MetricsFlag, ExporterPort: "9187",
			PrimaryStorage: storage(r.PVCSize), ReplicaStorage: storage(r.PVCSize), BackrestStorage: storage(r.BackrestPVCSize),
			Resources: amounts(cmp.Or(r.MemoryRequest, "128Mi"), r.CPURequest), Limits: amounts(r.MemoryLimit, r.CPULimit),
			BackrestResources: amounts("48Mi", ""), BackrestLimits: Amounts{},
			ExporterResources: amounts("0", ""), ExporterLimits: Amounts{},
			PGBouncer: PGBouncer{Resources: amounts("24Mi", ""), Limits: Amounts{}},
			User:      cmp.Or(r.Username, "testuser"), PasswordType: r.PasswordType, Database: cmp.Or(r.Database, r.Name),
			Replicas: strconv.Itoa(r.ReplicaCount), CustomConfig: r.CustomConfig, UserLabels: labels, NodeAffinity: nodeAffinity(r.NodeLabel),
			PodAntiAffinity: PodAntiAffinity{
				cmp.Or(r.PodAntiAffinity, "preferred"), cmp.Or(r.PodAntiAffinityPgBackRest, "preferred"), cmp.Or(r.PodAntiAffinityPgBouncer, "preferred"),
			},
			BackrestGCSKeyType: r.BackrestGCSKeyType, BackrestS3VerifyTLS: "true", BackrestStorageTypes: []string{},
			TablespaceMounts: map[string]any{}, Annotations: Annotations{none, none, none, none}, ServiceType: r.ServiceType, Tolerations: []any{},
		},
		Status: crv1.Status{State: crv1.ClusterCreated, Message: "Created, not processed yet"},
	}
	return cluster
}

func amounts(memory, cpu string) Amounts {
	out := Amounts{}
	for key, value := range map[string]string{"memory": memory, "cpu": cpu} {
		if value != "" {
			out[key] = value
		}
	}
	return out
}

func nodeAffinity(label string) map[string]any {
	key, value, given := strings.Cut(label, "=")
	if !given {
		return map[string]any{}
	}
	return map[string]any{"default": map[string]any{
		"preferredDuringSchedulingIgnoredDuringExecution": []any{map[string]any{"weight": 10, "preference": map[string]any{
			"matchExpressions": []any{map[string]any{"key": key, "operator": "In", "values": []any{value}}},
		}}},
	}}
}
