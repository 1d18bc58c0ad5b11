package pgcluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// API is the apiserver of PGO 4.7.10. Its fields are set once, before Handler is called.
type API struct {
	Server *apiserver.Server // certificate, credentials, permissions and the clients are those of 4.2
	Exec   Exec
}

func (a *API) clusters() crv1.Store[Cluster] { return clusterStore(a.Server.Dynamic) }
func (a *API) replicas() crv1.Store[Replica] { return replicaStore(a.Server.Dynamic) }
func (a *API) tasks() crv1.Store[Task]       { return taskStore(a.Server.Dynamic) }

// Handler returns the API behind its door.
func (a *API) Handler() http.Handler {
	return a.Server.Door([]apiserver.Route{
		{Pattern: "/version", Permission: "Version", Answer: a.version},
		{Pattern: "POST /namespace", Permission: "ShowNamespace", Text: true, Answer: a.showNamespaces},
		{Pattern: "POST /clusters", Permission: "CreateCluster", Answer: a.createCluster},
		{Pattern: "POST /showclusters", Permission: "ShowCluster", Answer: a.showClusters},
		{Pattern: "POST /testclusters", Permission: "TestCluster", Answer: a.testClusters},
		{Pattern: "POST /clustersdelete", Permission: "DeleteCluster", Answer: a.deleteClusters},
		{Pattern: "POST /clusters/scale/{name}", Permission: "ScaleCluster", Answer: a.scaleCluster},
		{Pattern: "GET /scaledown/{name}", Permission: "ScaleCluster", Answer: a.scaleDown},
		{Pattern: "GET /workflow/{id}", Permission: "ShowWorkflow", Answer: a.showWorkflow},
		{Pattern: "GET /backrest/{name}", Permission: "ShowBackup", Answer: a.showBackup},
		{Pattern: "POST /backrestbackup", Permission: "CreateBackup", Answer: a.createBackup},
		{Pattern: "POST /usershow", Permission: "ShowSecrets", Answer: a.showUsers},
		{Pattern: "POST /usercreate", Permission: "CreateUser", Answer: a.createUser},
		{Pattern: "POST /userupdate", Permission: "UpdateUser", Answer: a.updateUser},
		{Pattern: "POST /userdelete", Permission: "DeleteUser", Answer: a.deleteUser},
	})
}

type results struct {
	Results []string
	apiserver.Status
}

func ok() apiserver.Status               { return apiserver.Status{Code: "ok"} }
func failed(msg string) apiserver.Status { return apiserver.Status{Code: "error", Msg: msg} }
func fault(err error) apiserver.Status   { return failed(err.Error()) }

func (a *API) version(*apiserver.Call) any {
	return struct {
		Version string
		apiserver.Status
	}{Version, apiserver.Status{Code: "ok", Msg: "apiserver version"}}
}

// check looks at the version first and the namespace then; a namespace that is not there is not part of the installation.
func (a *API) check(c *apiserver.Call, version, namespace string) string {
	if version != Version {
		return "pgo client and server version mismatch"
	}
	return a.checkNamespace(c, namespace)
}

func (a *API) checkNamespace(c *apiserver.Call, namespace string) string {
	if namespace == "" {
		return "empty namespace is not valid from pgo clients"
	}
	ns, err := a.Server.Kube.CoreV1().Namespaces().Get(c.Context(), namespace, metav1.GetOptions{})
	if err != nil || !a.managed(ns) {
		return fmt.Sprintf("namespace [%s] is not part of the Operator installation", namespace)
	}
	if !c.Sees(namespace) {
		return fmt.Sprintf("user [%s] is not allowed access to namespace [%s]", c.Caller(), namespace)
	}
	return ""
}

func (a *API) managed(ns *corev1.Namespace) bool {
	return ns.Labels[crv1.LabelVendor] == crv1.Vendor && ns.Labels[crv1.LabelInstallation] == a.Server.Settings.Installation
}

func (a *API) showNamespaces(c *apiserver.Call) any {
	request := apiserver.Read[struct {
		Args          []string
		AllFlag       bool
		ClientVersion string
	}](c)
	type detail struct {
		Namespace          string
		InstallationAccess bool
		UserAccess         bool
	}
	answer := struct {
		Username string
		Results  []detail
		apiserver.Status
	}{Username: c.Caller(), Results: []detail{}, Status: ok()}
	if request.ClientVersion != Version {
		answer.Status = failed("pgo client and server version mismatch")
		return answer
	}
	list, err := a.Server.Kube.CoreV1().Namespaces().List(c.Context(), metav1.ListOptions{})
	if err != nil {
		answer.Status = fault(err)
		return answer
	}
	slices.SortFunc(list.Items, func(x, y corev1.Namespace) int { return strings.Compare(x.Name, y.Name) })
	for i := range list.Items {
		ns := &list.Items[i]
		if request.AllFlag || slices.Contains(request.Args, ns.Name) {
			answer.Results = append(answer.Results, detail{ns.Name, a.managed(ns), a.managed(ns) && c.Sees(ns.Name)})
		}
	}
	return answer
}

// find returns the clusters a request means: all, by selector, or by name. An unknown name is an empty list.
func (a *API) find(ctx context.Context, namespace, name, selector string, all bool) ([]*Cluster, error) {
	switch {
	case all || name == "all":
		selector = ""
	case selector == "":
		selector = crv1.LabelName + "=" + name
	}
	return a.clusters().List(ctx, namespace, selector)
}

type deleteRequest struct {
	Clustername, Selector, ClientVersion, Namespace string
	AllFlag, DeleteBackups, DeleteData              bool
}

// deleteClusters asks for the removal and answers at once; the work is done by a Job.
func (a *API) deleteClusters(c *apiserver.Call) any {
	request := apiserver.Read[deleteRequest](c)
	answer := results{Results: []string{}, Status: ok()}
	if msg := a.check(c, request.ClientVersion, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	found, err := a.find(c.Context(), request.Namespace, request.Clustername, request.Selector, request.AllFlag)
	if err != nil {
		answer.Status = fault(err)
		return answer
	}
	if len(found) == 0 {
		answer.Status = failed("no clusters found")
		return answer
	}
	for _, cluster := range found {
		task := newTask(cluster.Namespace, cluster.Name, crv1.RemoveTask(cluster.Name), crv1.TaskDeleteData, map[string]string{
			crv1.LabelCluster: cluster.Name, "delete-data": strconv.FormatBool(request.DeleteData),
			"delete-backups": strconv.FormatBool(request.DeleteBackups),
		})
		if err := a.tasks().Create(c.Context(), cluster.Namespace, task); keepExisting(err) != nil {
			answer.Status = fault(err)
			return answer
		}
		answer.Results = append(answer.Results, "deleted pgcluster "+cluster.Name)
	}
	return answer
}

type scaleRequest struct {
	ClientVersion, Namespace, StorageConfig string
	ReplicaCount                            int
}

// scaleCluster makes Pgreplicas; the operator deploys them once the cluster has its first backup.
func (a *API) scaleCluster(c *apiserver.Call) any {
	request := apiserver.Read[scaleRequest](c)
	answer := results{Results: []string{}, Status: ok()}
	if msg := a.check(c, request.ClientVersion, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	cluster, err := a.clusters().Get(c.Context(), request.Namespace, c.PathValue("name"))
	if err != nil {
		answer.Status = fault(err)
		return answer
	}
	for range request.ReplicaCount {
		replica := newReplica(cluster, c.Caller())
		if err := a.replicas().Create(c.Context(), cluster.Namespace, replica); err != nil {
			answer.Status = fault(err)
			return answer
		}
		answer.Results = append(answer.Results, "created Pgreplica "+replica.Name)
	}
	return answer
}

// scaleDown takes one replica away, on a GET. The work is done by a Job.
func (a *API) scaleDown(c *apiserver.Call) any {
	query := c.URL.Query()
	answer := results{Results: []string{}, Status: ok()}
	if msg := a.check(c, query.Get("version"), query.Get("namespace")); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	data, err := strconv.ParseBool(query.Get("delete-data"))
	if err != nil {
		answer.Status = fault(err)
		return answer
	}
	replica, err := a.replicas().Get(c.Context(), query.Get("namespace"), query.Get("replica-name"))
	if err != nil || replica.Spec.ClusterName != c.PathValue("name") {
		answer.Status = failed(fmt.Sprintf("could not find replica %s for cluster %s", query.Get("replica-name"), c.PathValue("name")))
		return answer
	}
	task := newTask(replica.Namespace, replica.Spec.ClusterName, crv1.RemoveTask(replica.Name), crv1.TaskDeleteData, map[string]string{
		crv1.LabelCluster: replica.Spec.ClusterName, crv1.LabelReplicaName: replica.Name, "delete-data": strconv.FormatBool(data),
		"delete-backups": "false", "is-replica": "true",
	})
	if err := a.tasks().Create(c.Context(), replica.Namespace, task); err != nil {
		answer.Status = fault(err)
		return answer
	}
	answer.Results = append(answer.Results, "deleted replica "+replica.Name)
	return answer
}

func (a *API) showWorkflow(c *apiserver.Call) any {
	type detail struct {
		ClusterName string
		Parameters  map[string]string
	}
	type workflow struct {
		Results detail
		apiserver.Status
	}
	query, id := c.URL.Query(), c.PathValue("id")
	if msg := a.check(c, query.Get("version"), query.Get("namespace")); msg != "" {
		return workflow{Status: failed(msg)}
	}
	tasks, err := a.tasks().List(c.Context(), query.Get("namespace"), crv1.LabelWorkflow+"="+id)
	if err != nil {
		return workflow{Status: fault(err)}
	}
	if len(tasks) == 0 {
		return workflow{Status: failed("workflow id NOT found for id " + id)}
	}
	parameters := tasks[0].Spec.Parameters
	return workflow{Results: detail{parameters[crv1.LabelCluster], parameters}, Status: ok()}
}

func isMissing(err error) bool { return apierrors.IsNotFound(err) }
