package operator

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// upgradeTag is the task's parameter, and the label of the Pgcluster's userlabels that the original keeps it under.
const upgradeTag = "ccp-image-tag"

// startUpgrade notes the new tag on the Pgcluster. The work is done step by step by upgrade.
func (o *Operator) startUpgrade(ctx context.Context, t *crv1.Task) error {
	p := t.Spec.Parameters
	return o.clusters().Patch(ctx, t.Namespace, p[crv1.LabelCluster], map[string]any{"spec": map[string]any{
		"ccpimagetag": p[upgradeTag], "userlabels": map[string]string{upgradeTag: p[upgradeTag]},
	}})
}

// upgrade gives one Deployment after the other the new tag, each when the one before it runs: replicas, repository,
// primary. Only the tag changes, never the image's name.
func (o *Operator) upgrade(ctx context.Context, c *crv1.Cluster) error {
	task, err := o.tasks().Get(ctx, c.Namespace, crv1.UpgradeTask(c.Name))
	if apierrors.IsNotFound(err) || err == nil && (task.Spec.Status == crv1.Completed || task.Status.State != crv1.TaskProcessed) {
		return nil
	}
	if err != nil || c.Spec.CCPImageTag != task.Spec.Parameters[upgradeTag] {
		return err
	}
	for _, selector := range []string{
		"pgo-pg-database=true," + crv1.LabelDeployment + "!=" + c.Labels[crv1.LabelCurrentPrimary],
		crv1.LabelRepo + "=true",
		crv1.LabelDeployment + "=" + c.Labels[crv1.LabelCurrentPrimary],
	} {
		list, err := o.Kube.AppsV1().Deployments(c.Namespace).List(ctx, metav1.ListOptions{LabelSelector: crv1.LabelCluster + "=" + c.Name + "," + selector})
		if err != nil {
			return err
		}
		for i := range list.Items {
			if done, err := o.upgradeDeployment(ctx, c, &list.Items[i]); !done || err != nil {
				return err
			}
		}
	}
	return o.tasks().Patch(ctx, c.Namespace, task.Name, map[string]any{"spec": map[string]any{"status": crv1.Completed}})
}

// upgradeDeployment tells whether the Deployment runs the new tag.
func (o *Operator) upgradeDeployment(ctx context.Context, c *crv1.Cluster, d *appsv1.Deployment) (bool, error) {
	image := d.Spec.Template.Spec.Containers[0].Image
	colon := strings.LastIndexByte(image, ':')
	if image[colon+1:] == c.Spec.CCPImageTag {
		s := d.Status
		return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == 1 && s.AvailableReplicas == 1 && s.Replicas == 1, nil
	}
	o.Log.Printf("cluster %s/%s: %s gets the tag %s", c.Namespace, c.Name, d.Name, c.Spec.CCPImageTag)
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":%q,"image":%q}]}}}}`,
		d.Spec.Template.Spec.Containers[0].Name, image[:colon+1]+c.Spec.CCPImageTag)
	_, err := o.Kube.AppsV1().Deployments(c.Namespace).
		Patch(ctx, d.Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	return false, err
}
