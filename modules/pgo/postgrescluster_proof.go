package pgo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// proofs is how often the members are asked, a look apart, whether they run with
// new parameters. Patroni hears of them within ten seconds, and the operator
// then restarts what must be restarted.
const proofs = 60

// prove waits until all members run with the parameters that were asked for. No
// status tells it. A cluster that does not is only reported: it serves, and some
// values are written in one way and shown in another.
func (d *postgresDriver) prove(ctx context.Context, env *module.Env, c *Cluster) error {
	var missing []string
	for range proofs {
		var err error
		if missing, err = d.unproved(ctx, c.Parameters); err != nil {
			missing = []string{err.Error()} // a member that restarts cannot be asked
		} else if len(missing) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stopped waiting for new parameters of cluster %s: %w", d.name, context.Cause(ctx))
		case <-time.After(d.pace):
		}
	}
	env.Logf("the parameters are on record, and not all in use: %s", strings.Join(missing, "; "))
	return nil
}

// unproved tells, member by member, which parameters are not in use.
func (d *postgresDriver) unproved(ctx context.Context, parameters map[string]string) ([]string, error) {
	pods, err := d.kube.Clientset().CoreV1().Pods(d.namespace).List(ctx, metav1.ListOptions{LabelSelector: d.names.own.String() + "," + d.names.database.String()})
	if err != nil {
		return nil, fmt.Errorf("list the members of cluster %s in %s: %w", d.name, d.namespace, err)
	}
	var all []string
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp != nil {
			continue
		}
		host, err := d.kube.Container(ctx, d.namespace, pod.Name, d.names.container)
		if err != nil {
			return nil, err
		}
		defer host.Close()
		ask := conn.Command("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres")
		ask.Stdin = strings.NewReader(proof(parameters))
		res, err := host.Run(ctx, ask)
		if err != nil {
			return nil, fmt.Errorf("ask %s for its parameters: %w", pod.Name, err)
		}
		for line := range strings.Lines(res.Stdout) {
			all = append(all, pod.Name+": "+strings.TrimSpace(line))
		}
	}
	return all, nil
}

// proof asks for the parameters that are not in use as they are written. What
// Patroni gives on the command line is in no file; lists get the operator's own
// entries before those that were asked for.
func proof(parameters map[string]string) string {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	var rows []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		rows = append(rows, "("+quote(name)+", "+quote(parameters[name])+")")
	}
	return `select w.name || ' is ' || coalesce(current_setting(w.name, true), 'not known') ||
    case when s.pending_restart then ' until a restart' else '' end
  from (values ` + strings.Join(rows, ", ") + `) as w (name, value)
  left join pg_settings s on lower(s.name) = lower(w.name)
 where coalesce(s.pending_restart, true)
    or not (lower(current_setting(w.name, true)) = lower(w.value)
       or (s.vartype = 'bool' and s.setting = case when lower(w.value) in ('on', 'true', 'yes', '1', 't', 'y') then 'on' else 'off' end)
       or (s.name in ('shared_preload_libraries', 'log_destination') and position(w.value in s.setting) > 0)
       or exists (select from pg_file_settings f where lower(f.name) = lower(w.name) and f.setting = w.value and f.applied));
`
}
