package pgo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
)

// The way to a cluster that serves, in order.
const (
	phaseRemoval     = "removal" // of a cluster of that name that is on its way out
	phaseRequest     = "request"
	phaseResource    = "resource" // the operator has the cluster on record
	phaseDeployment  = "deployment"
	phaseSchedule    = "schedule"
	phasePull        = "pull"
	phaseStart       = "start"
	phaseBootstrap   = "bootstrap"
	phaseReady       = "ready"
	phaseStanza      = "stanza"
	phaseBackup      = "backup"
	phaseInitialized = "initialized"
	phaseReplicas    = "replicas"
)

// phases are all phases with how long each may last when the runbook says
// nothing. The first backup waits for a checkpoint, so it may take minutes
// even of an empty database.
var phases = []struct {
	name  string
	limit time.Duration
}{
	{phaseRemoval, 5 * time.Minute},
	{phaseRequest, time.Minute},
	{phaseResource, time.Minute},
	{phaseDeployment, 2 * time.Minute},
	{phaseSchedule, 2 * time.Minute},
	{phasePull, 10 * time.Minute},
	{phaseStart, 2 * time.Minute},
	{phaseBootstrap, 5 * time.Minute},
	{phaseReady, 3 * time.Minute},
	{phaseStanza, 5 * time.Minute},
	{phaseBackup, 20 * time.Minute},
	{phaseInitialized, 2 * time.Minute},
	{phaseReplicas, 10 * time.Minute},
}

func phaseIndex(name string) int {
	for i, p := range phases {
		if p.name == name {
			return i
		}
	}
	return -1
}

// limit is how long a phase may last.
func (c *Cluster) limit(phase string) time.Duration {
	if d, err := time.ParseDuration(c.Deadlines[phase]); err == nil {
		return d
	}
	return phases[phaseIndex(phase)].limit
}

func (c *Cluster) validateDeadlines() error {
	for _, name := range slices.Sorted(maps.Keys(c.Deadlines)) {
		if phaseIndex(name) < 0 {
			return module.At("deadlines", fmt.Errorf("there is no phase %q: the phases are %s", name, phaseNames()))
		}
		if d, err := time.ParseDuration(c.Deadlines[name]); err != nil || d <= 0 {
			return module.At("deadlines", fmt.Errorf("deadline %s: %q is no length of time such as 90s or 15m", name, c.Deadlines[name]))
		}
	}
	return nil
}

func phaseNames() string {
	names := make([]string, len(phases))
	for i, p := range phases {
		names[i] = p.name
	}
	return strings.Join(names, ", ")
}

// deadlineText is for the reference page.
func deadlineText() string {
	parts := make([]string, len(phases))
	for i, p := range phases {
		parts[i] = fmt.Sprintf("%s %s", p.name, strings.TrimSuffix(p.limit.String(), "0s"))
	}
	return strings.Join(parts, ", ")
}
