package crv1

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
)

// PauseFailover switches Patroni's automatic failover off or on, by the dynamic configuration that Patroni keeps as an
// annotation of its ConfigMap.
func PauseFailover(ctx context.Context, kube kubernetes.Interface, namespace, cluster string, pause bool) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		maps := kube.CoreV1().ConfigMaps(namespace)
		config, err := maps.Get(ctx, cluster+"-config", metav1.GetOptions{})
		if err != nil {
			return err
		}
		settings := map[string]any{}
		if err := json.Unmarshal([]byte(config.Annotations["config"]), &settings); err != nil {
			return fmt.Errorf("Patroni's configuration of %s: %w", cluster, err)
		}
		delete(settings, "pause")
		if pause {
			settings["pause"] = true
		}
		text, err := json.Marshal(settings)
		if err != nil {
			return err
		}
		config.Annotations["config"] = string(text)
		_, err = maps.Update(ctx, config, metav1.UpdateOptions{})
		return err
	})
}
