package pgcluster

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// update brings what may change in a running cluster to its objects: resources (one Deployment after the other, the
// primary's last), the type of the Services and the automatic failover.
func (o *Operator) update(ctx context.Context, c *Cluster) error {
	if c.Status.State != crv1.ClusterInitialized {
		return nil
	}
	if err := o.updateServices(ctx, c); err != nil {
		return err
	}
	if err := o.updateAutofail(ctx, c); err != nil {
		return err
	}
	wanted, err := json.Marshal(resourcesOf(c.Spec.Resources, c.Spec.Limits))
	if err != nil {
		return err
	}
	var resources corev1.ResourceRequirements
	if err := json.Unmarshal(wanted, &resources); err != nil {
		return fmt.Errorf("resources of %s: %w", c.Name, err)
	}
	for _, selector := range []string{"!=", "="} {
		list, err := o.Kube.AppsV1().Deployments(c.Namespace).List(ctx, metav1.ListOptions{LabelSelector: crv1.LabelCluster + "=" + c.Name +
			",pgo-pg-database=true," + crv1.LabelDeployment + selector + c.Annotations[currentPrimary]})
		if err != nil {
			return err
		}
		for i := range list.Items {
			if settled, err := o.updateResources(ctx, &list.Items[i], resources, wanted); !settled || err != nil {
				return err
			}
		}
	}
	return nil
}

// updateResources tells whether the Deployment runs with these resources.
func (o *Operator) updateResources(ctx context.Context, d *appsv1.Deployment, wanted corev1.ResourceRequirements, text []byte) (bool, error) {
	if equality.Semantic.DeepEqual(d.Spec.Template.Spec.Containers[0].Resources, wanted) {
		s := d.Status
		return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == s.Replicas && s.ReadyReplicas == s.Replicas, nil
	}
	o.Log.Printf("deployment %s/%s gets other resources", d.Namespace, d.Name)
	patch := fmt.Sprintf(`[{"op":"add","path":"/spec/template/spec/containers/0/resources","value":%s}]`, text)
	_, err := o.Kube.AppsV1().Deployments(d.Namespace).Patch(ctx, d.Name, types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	return false, err
}

func (o *Operator) updateServices(ctx context.Context, c *Cluster) error {
	if c.Spec.ServiceType == "" {
		return nil
	}
	for _, name := range []string{c.Name, crv1.ReplicaService(c.Name)} {
		services := o.Kube.CoreV1().Services(c.Namespace)
		s, err := services.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			if ignoreMissing(err) != nil {
				return err
			}
			continue
		}
		if string(s.Spec.Type) == c.Spec.ServiceType {
			continue
		}
		patch := fmt.Sprintf(`{"spec":{"type":%q}}`, c.Spec.ServiceType)
		if _, err := services.Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func (o *Operator) updateAutofail(ctx context.Context, c *Cluster) error {
	config, err := o.Kube.CoreV1().ConfigMaps(c.Namespace).Get(ctx, c.Name+"-config", metav1.GetOptions{})
	if err != nil {
		return ignoreMissing(err)
	}
	var settings struct{ Pause bool }
	if err := json.Unmarshal([]byte(config.Annotations["config"]), &settings); err != nil || settings.Pause == c.Spec.DisableAutofail {
		return nil // Patroni has not written it yet
	}
	return crv1.PauseFailover(ctx, o.Kube, c.Namespace, c.Name, c.Spec.DisableAutofail)
}
