package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/oddity"
)

func (o *Operator) ensureDeployment(ctx context.Context, c *crv1.Cluster, in instance,
	build func(*crv1.Cluster, instance) (*appsv1.Deployment, error)) error {
	d, err := build(c, in)
	if err != nil {
		return err
	}
	_, err = o.Kube.AppsV1().Deployments(c.Namespace).Create(ctx, d, metav1.CreateOptions{})
	return keepExisting(err)
}

// primary returns the ready pod that holds the role of master, or nil.
func (o *Operator) primary(ctx context.Context, c *crv1.Cluster) (*corev1.Pod, error) {
	pods, err := o.Kube.CoreV1().Pods(c.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: crv1.LabelCluster + "=" + c.Name + "," + crv1.LabelRole + "=master",
	})
	if err != nil {
		return nil, err
	}
	for i := range pods.Items {
		for _, s := range pods.Items[i].Status.ContainerStatuses {
			if s.Name == "database" && s.Ready {
				return &pods.Items[i], nil
			}
		}
	}
	return nil, nil
}

// watchPrimary completes the workflow when the primary is ready for the first time, and asks for the stanza. Of a cluster
// without the label autofail the original's handler does not go on.
func (o *Operator) watchPrimary(ctx context.Context, c *crv1.Cluster) error {
	pod, err := o.primary(ctx, c)
	if err != nil || pod == nil {
		return err
	}
	if err := o.followPrimary(ctx, c, pod); err != nil {
		return err
	}
	if o.odd.Has(oddity.SecondPrimary, c.Name) {
		if err := o.labelSecondPrimary(ctx, c); err != nil {
			return err
		}
	}
	if unseen, err := o.edgeLost(ctx, c, pod); unseen || err != nil {
		return err
	}
	autofail, err := strconv.ParseBool(c.Labels[crv1.LabelAutofail])
	if err != nil {
		return nil
	}
	first, err := o.completeWorkflow(ctx, c)
	if err != nil {
		return err
	}
	if first && !autofail {
		if err := crv1.PauseFailover(ctx, o.Kube, c.Namespace, c.Name, true); err != nil {
			return err
		}
	}
	return o.requestStanza(ctx, c)
}

// followPrimary notes a new primary on the Pgcluster; after a failover the original backs the new one up.
func (o *Operator) followPrimary(ctx context.Context, c *crv1.Cluster, pod *corev1.Pod) error {
	current, before := pod.Labels[crv1.LabelDeployment], c.Labels[crv1.LabelCurrentPrimary]
	if current == "" || current == before {
		return nil
	}
	failover := before != "" && c.Status.State == crv1.ClusterInitialized
	if failover && !o.outOfRecovery(ctx, pod) {
		return nil // its label comes before its promotion is over, and a backup would fail until then
	}
	labels := map[string]string{crv1.LabelCurrentPrimary: current}
	err := o.clusters().Patch(ctx, c.Namespace, c.Name, map[string]any{"metadata": map[string]any{"labels": labels}})
	if err != nil || !failover {
		return err
	}
	pods, err := o.repoPods(ctx, c)
	if err != nil || len(pods) != 1 {
		return err
	}
	o.Log.Printf("cluster %s/%s: %s is the primary now, backing it up", c.Namespace, c.Name, current)
	return crv1.RequestBackup(ctx, o.Kube, o.tasks(), crv1.BackupOf(c, pods[0].Name, "failover", "--type=full"))
}

// outOfRecovery asks Patroni in the pod, which asks the server.
func (o *Operator) outOfRecovery(ctx context.Context, pod *corev1.Pod) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+pod.Status.PodIP+":8009/patroni", nil)
	if err != nil {
		return false
	}
	response, err := o.HTTP.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	var said struct{ Role string }
	return json.NewDecoder(response.Body).Decode(&said) == nil && said.Role == "master"
}

// lostEdge marks a pod whose getting ready went unseen: it holds the id of the container that became ready then.
const lostEdge = "antdb-lab/lost-edge"

// edgeLost tells whether the container of this pod became ready while nobody looked. The original acts on the change
// alone, so that pod stays unseen until its container becomes ready again.
func (o *Operator) edgeLost(ctx context.Context, c *crv1.Cluster, pod *corev1.Pod) (bool, error) {
	id := ""
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == "database" {
			id = s.ContainerID
		}
	}
	if !o.odd.Has(oddity.LostEdge, c.Name) {
		return pod.Annotations[lostEdge] != "" && pod.Annotations[lostEdge] == id, nil
	}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, lostEdge, id)
	_, err := o.Kube.CoreV1().Pods(c.Namespace).Patch(ctx, pod.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return true, err
}

// labelSecondPrimary gives a replica the primary's label, as a failed label change leaves it. Patroni takes it away again
// when it next writes its labels, so this is done in every pass.
func (o *Operator) labelSecondPrimary(ctx context.Context, c *crv1.Cluster) error {
	pods, err := o.Kube.CoreV1().Pods(c.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: crv1.LabelCluster + "=" + c.Name + "," + crv1.LabelRole + "=replica",
	})
	if err != nil || len(pods.Items) == 0 {
		return err
	}
	_, err = o.Kube.CoreV1().Pods(c.Namespace).Patch(ctx, pods.Items[0].Name, types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"role":"master"}}}`), metav1.PatchOptions{})
	return err
}

// completeWorkflow tells whether it has just been done.
func (o *Operator) completeWorkflow(ctx context.Context, c *crv1.Cluster) (bool, error) {
	task, err := o.tasks().Get(ctx, c.Namespace, crv1.WorkflowTask(c.Name))
	if apierrors.IsNotFound(err) || o.odd.Has(oddity.WorkflowStuck, c.Name) {
		return false, nil // not found: made by hand, without the apiserver
	}
	if err != nil || task.Spec.Parameters[crv1.ParamCompleted] != "" {
		return false, err
	}
	o.Log.Printf("cluster %s/%s: primary is ready", c.Namespace, c.Name)
	// Only the first start may initialise the database.
	_, err = o.Kube.CoreV1().ConfigMaps(c.Namespace).Patch(ctx, crv1.DefaultConfig(c.Name), types.MergePatchType,
		[]byte(`{"data":{"init":"false"}}`), metav1.PatchOptions{})
	if err != nil {
		return false, err
	}
	return true, o.tasks().Patch(ctx, c.Namespace, task.Name, map[string]any{"spec": map[string]any{
		"parameters": map[string]string{crv1.ParamCompleted: o.Now().UTC().Format(time.RFC3339)},
	}})
}

// requestStanza is done once: a failed stanza is not repeated until its task is deleted.
func (o *Operator) requestStanza(ctx context.Context, c *crv1.Cluster) error {
	_, err := o.tasks().Get(ctx, c.Namespace, crv1.StanzaTask(c.Name))
	if !apierrors.IsNotFound(err) {
		return err
	}
	pods, err := o.repoPods(ctx, c)
	if err != nil {
		return err
	}
	if len(pods) != 1 {
		o.Log.Printf("pods len != 1 for cluster %s", c.Name)
		return nil
	}
	return o.tasks().Create(ctx, c.Namespace, &crv1.Task{
		ObjectMeta: metav1.ObjectMeta{
			Name: crv1.StanzaTask(c.Name), Namespace: c.Namespace, Labels: map[string]string{crv1.LabelCluster: c.Name},
		},
		Spec: crv1.TaskSpec{
			Name: crv1.StanzaTask(c.Name), TaskType: crv1.TaskBackrest,
			Parameters: map[string]string{
				"backrest-command": "stanza-create", "backrest-opts": "", "backrest-storage-type": "",
				"containername": "pgo-backrest-repo", "job-name": crv1.StanzaTask(c.Name),
				crv1.LabelCluster: c.Name, "podname": pods[0].Name,
			},
		},
		Status: crv1.Status{State: crv1.TaskCreated},
	})
}

func (o *Operator) repoPods(ctx context.Context, c *crv1.Cluster) ([]corev1.Pod, error) {
	list, err := o.Kube.CoreV1().Pods(c.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: crv1.LabelCluster + "=" + c.Name + "," + crv1.LabelRepo + "=true",
	})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// watchJobs goes from the stanza to the first backup, and from that to the state Initialized.
func (o *Operator) watchJobs(ctx context.Context, c *crv1.Cluster) error {
	list, err := o.Kube.BatchV1().Jobs(c.Namespace).List(ctx, metav1.ListOptions{LabelSelector: fmt.Sprintf(
		"%s=%s,%s=%s,%s=true", crv1.LabelVendor, crv1.Vendor, crv1.LabelCluster, c.Name, crv1.LabelBackrest)})
	if err != nil {
		return err
	}
	for i := range list.Items {
		job := &list.Items[i]
		if job.Status.Succeeded != 1 {
			continue
		}
		switch {
		case job.Labels[crv1.LabelBackrestCmd] == "stanza-create":
			err = o.requestBackup(ctx, c, job)
		case job.Labels[crv1.LabelBackupType] == "bootstrap":
			err = o.initialized(ctx, c, job)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// requestBackup asks for the first backup, once.
func (o *Operator) requestBackup(ctx context.Context, c *crv1.Cluster, stanza *batchv1.Job) error {
	_, err := o.tasks().Get(ctx, c.Namespace, crv1.BackupTask(c.Name))
	if !apierrors.IsNotFound(err) {
		return err
	}
	repo := ""
	for _, env := range stanza.Spec.Template.Spec.Containers[0].Env {
		if env.Name == "PODNAME" {
			repo = env.Value
		}
	}
	return o.tasks().Create(ctx, c.Namespace, crv1.BackupOf(c, repo, "bootstrap", "--type=full"))
}

func (o *Operator) initialized(ctx context.Context, c *crv1.Cluster, backup *batchv1.Job) error {
	if c.Status.State == crv1.ClusterInitialized || o.odd.Has(oddity.NeverInitialized, c.Name) {
		return nil
	}
	done := map[string]any{"spec": map[string]any{"status": "job completed"}}
	if err := o.tasks().Patch(ctx, c.Namespace, backup.Name, done); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	o.Log.Printf("cluster %s/%s: initialized", c.Namespace, c.Name)
	return o.clusters().SetState(ctx, c.Namespace, c.Name, crv1.ClusterInitialized, "Cluster has been initialized")
}
