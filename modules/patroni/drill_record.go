package patroni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/engine/module"
)

// record is the result of a drill as it is kept in the cluster.
type record struct {
	At             time.Time `json:"at"`
	By             string    `json:"by"`
	DowntimeMS     int       `json:"downtimeMs"`
	OutageMS       int       `json:"outageMs"`
	Acknowledged   int       `json:"acknowledged"`
	Lost           int       `json:"lost"`
	Unanswered     int       `json:"unanswered"`
	OldLeader      string    `json:"oldLeader"`
	NewLeader      string    `json:"newLeader"`
	TimelineBefore int       `json:"timelineBefore"`
	TimelineAfter  int       `json:"timelineAfter"`
	PromotedMS     int       `json:"promotedMs"`
	RestoredMS     int       `json:"restoredMs"`
}

// drillKey is the annotation that holds the last record.
const drillKey = "antdbctl/failover-drill"

func (r *record) downtime() time.Duration { return time.Duration(r.DowntimeMS) * time.Millisecond }

// store is the object that keeps Patroni's configuration: it lives as long as
// the cluster does, and Patroni leaves annotations of others on it alone.
func (p *place) store() (name string, endpoints bool, err error) {
	for _, m := range p.members {
		if s := scope(m.pod); s != "" {
			return s + "-config", managed5(m.pod), nil
		}
	}
	return "", false, fmt.Errorf("the pods of cluster %s do not tell Patroni's scope by a label", p.name)
}

// recorded is the last drill's record; nil when there is none, or none that can
// be read.
func (p *place) recorded(ctx context.Context) (*record, error) {
	name, endpoints, err := p.store()
	if err != nil {
		return nil, err
	}
	client, annotations := p.kube.Clientset().CoreV1(), map[string]string(nil)
	if endpoints {
		//nolint:staticcheck // Patroni itself keeps its configuration in Endpoints
		o, failed := client.Endpoints(p.namespace).Get(ctx, name, metav1.GetOptions{})
		if err = failed; err == nil {
			annotations = o.Annotations
		}
	} else {
		o, failed := client.ConfigMaps(p.namespace).Get(ctx, name, metav1.GetOptions{})
		if err = failed; err == nil {
			annotations = o.Annotations
		}
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of the last drill: %w", err)
	}
	r := &record{}
	if err := json.Unmarshal([]byte(annotations[drillKey]), r); err != nil {
		return nil, nil // none yet, or somebody's scribble: a drill is due
	}
	return r, nil
}

// keep writes the record.
func (p *place) keep(ctx context.Context, r *record) error {
	name, endpoints, err := p.store()
	if err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{drillKey: string(text)}}})
	if err != nil {
		return err
	}
	client := p.kube.Clientset().CoreV1()
	if endpoints {
		//nolint:staticcheck // as above
		_, err = client.Endpoints(p.namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	} else {
		_, err = client.ConfigMaps(p.namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	}
	if err != nil {
		return fmt.Errorf("keep the record of the drill on %s: %w", name, err)
	}
	return nil
}

// export fills the outputs from a record.
func (d *Drill) export(r *record) {
	d.At, d.DowntimeMS, d.OutageMS = r.At.UTC().Format(time.RFC3339), r.DowntimeMS, r.OutageMS
	d.Acknowledged, d.Lost, d.Unanswered = r.Acknowledged, r.Lost, r.Unanswered
	d.OldLeader, d.NewLeader, d.FailedOver = r.OldLeader, r.NewLeader, r.OldLeader != r.NewLeader
	d.TimelineBefore, d.TimelineAfter = r.TimelineBefore, r.TimelineAfter
	d.PromotedMS, d.RestoredMS = r.PromotedMS, r.RestoredMS
	d.Passed, d.Facts, d.Verdict = d.broken(r) == "", d.table(r), d.verdict(r)
}

func (d *Drill) verdict(r *record) string {
	who := "the same member leads again"
	if r.OldLeader != r.NewLeader {
		who = r.NewLeader + " took over"
	}
	text := fmt.Sprintf("%s after %s without a write, %d of %d acknowledged writes lost", who, r.downtime(), r.Lost, r.Acknowledged)
	if why := d.broken(r); why != "" {
		return "failed: " + text + " (" + why + ")"
	}
	return "passed: " + text
}

// table is the record in words.
func (d *Drill) table(r *record) []Fact {
	ms := func(n int) string { return (time.Duration(n) * time.Millisecond).String() }
	return []Fact{
		{"accident", d.deed() + " " + r.OldLeader, "", true},
		{"longest time without an acknowledged write", r.downtime().String(), d.MaxDowntime.String(), r.downtime() <= d.MaxDowntime},
		{"all interruptions over a second", ms(r.OutageMS), "", true},
		{"acknowledged writes lost", fmt.Sprintf("%d of %d", r.Lost, r.Acknowledged), fmt.Sprint(d.MaxLost), r.Lost <= d.MaxLost},
		{"writes without an answer", fmt.Sprint(r.Unanswered), "", true},
		{"leader", r.OldLeader + " → " + r.NewLeader, "", true},
		{"timeline", fmt.Sprintf("%d → %d", r.TimelineBefore, r.TimelineAfter), "", true},
		{"leader that serves after", ms(r.PromotedMS), "", true},
		{"all replicas back after", ms(r.RestoredMS), "", true},
	}
}

// judge is the verdict as an error; nil when the limits held.
func (d *Drill) judge(r *record) error {
	if d.broken(r) == "" {
		return nil
	}
	arg := "max_downtime"
	if r.Lost > d.MaxLost {
		arg = "max_lost"
	}
	var lines []string
	for _, f := range d.table(r) {
		line := f.Name + ": " + f.Value
		if f.Limit != "" {
			line += " (limit " + f.Limit + ")"
		}
		lines = append(lines, line)
	}
	remedy := "downtime is mostly ttl: lower ttl, loop_wait and retry_timeout by patroni.config"
	if arg == "max_lost" {
		remedy = "what is acknowledged before a replica has it can be lost: set synchronous_mode by patroni.config, or allow for it"
	}
	return module.At(arg, module.Explain(errors.New("the drill failed: "+d.broken(r)), remedy, lines...))
}
