package pgo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// scheduleName is what the apiserver calls the schedule of one kind of backup,
// and the ConfigMap that holds it.
func scheduleName(cluster, kind string) string { return cluster + "-pgbackrest-" + kind }

// scheduleDiff compares the wanted schedules with those in the scheduler's
// ConfigMaps. The apiserver's own list is made for people to read.
func (d *rest42) scheduleDiff(ctx context.Context, c *Cluster) ([]module.Diff, error) {
	if len(c.BackupSchedule) == 0 {
		return nil, nil
	}
	list, err := d.kube.Clientset().CoreV1().ConfigMaps(d.namespace).List(ctx,
		metav1.ListOptions{LabelSelector: d.names.own.String() + ",crunchy-scheduler=true"})
	if err != nil {
		return nil, fmt.Errorf("list the backup schedules of cluster %s in %s: %w", d.name, d.namespace, err)
	}
	have := map[string]string{}
	for _, m := range list.Items {
		var entry struct {
			Schedule string `json:"schedule"`
		}
		if json.Unmarshal([]byte(m.Data[m.Name]), &entry) == nil {
			have[m.Name] = entry.Schedule
		}
	}
	var diff []module.Diff
	for _, kind := range slices.Sorted(maps.Keys(c.BackupSchedule)) {
		if is, want := have[scheduleName(c.Name, kind)], c.BackupSchedule[kind]; is != want {
			diff = append(diff, module.Diff{Path: "backup_schedule." + kind, Before: is, After: want})
		}
	}
	return diff, nil
}

// schedule makes a schedule; one that is there goes first, as the apiserver
// changes none.
func (d *rest42) schedule(ctx context.Context, c *Cluster, kind string, there bool) error {
	if there {
		if err := d.api.unschedule(ctx, d.namespace, scheduleName(c.Name, kind)); err != nil {
			return module.At("backup_schedule", err)
		}
	}
	return module.At("backup_schedule", d.api.schedule(ctx, d.namespace, c.Name, kind, c.BackupSchedule[kind]))
}
