package diagnosis

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// said is whether a line "boom" counts in what a site says.
func said(s *site, kinds string) bool {
	v := s.diagnose(finding("A", "start", "site", line("x", kinds, "boom")), Options{})
	return len(v.Causes) == 1
}

var dbLog = evidence.Place{Namespace: "ns", Pod: "db-1", Container: "database"}

// database is a site with one database pod whose facts change alters.
func database(t *testing.T, change func(p *evidence.Pod, c *evidence.Container)) *site {
	s := newSite(t).pod("db-1", "node1", true)
	change(s.facts[0].Data.(*evidence.Pod), s.facts[1].Data.(*evidence.Container))
	return s
}

func TestAContainersLinesCountWhileItIsNotWell(t *testing.T) {
	const container = `"container"`
	down := func(p *evidence.Pod, c *evidence.Container) { p.Ready, c.Ready = false, false }
	for _, c := range []struct {
		name   string
		change func(p *evidence.Pod, c *evidence.Container)
		line   string
		counts bool
	}{
		{"ready", func(*evidence.Pod, *evidence.Container) {}, at(time.Minute) + "boom", false},
		{"ready, no time", func(*evidence.Pod, *evidence.Container) {}, "boom", false},
		{"never ready", down, at(2*time.Hour) + "boom", true},
		{"never ready, no time", down, "boom", true},
		{"was ready until lately: before that", func(p *evidence.Pod, c *evidence.Container) { down(p, c); p.Age, p.ReadyAge = 864000, 600 }, at(40*time.Minute) + "boom", true},
		{"was ready until lately: days ago", func(p *evidence.Pod, c *evidence.Container) { down(p, c); p.Age, p.ReadyAge = 864000, 600 }, at(40*time.Hour) + "boom", false},
		{"ready beside a sidecar that is not", func(p *evidence.Pod, _ *evidence.Container) { p.Ready = false }, at(time.Minute) + "boom", false},
		{"just starting", func(p *evidence.Pod, c *evidence.Container) { down(p, c); p.Age, p.ReadyAge = 20, 20 }, "boom", false},
		{"just starting, and crashed", func(p *evidence.Pod, c *evidence.Container) {
			down(p, c)
			p.Age, p.ReadyAge, c.Restarts = 20, 20, 1
		}, "boom", true},
		{"restarted once, and ready", func(_ *evidence.Pod, c *evidence.Container) { c.Restarts, c.LastEnded = 1, 600 }, at(11*time.Minute) + "boom", false},
		{"restarted again and again, ready now", func(_ *evidence.Pod, c *evidence.Container) { c.Restarts, c.LastEnded = 5, 600 }, at(11*time.Minute) + "boom", true},
		{"done", func(p *evidence.Pod, c *evidence.Container) { down(p, c); p.Phase = "Succeeded" }, "boom", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := database(t, c.change).log(evidence.ContainerLog, dbLog, c.line)
			require.Equal(t, c.counts, said(s, container))
		})
	}
}

func TestALineOfAPodThatIsGoneIsHistory(t *testing.T) {
	gone := evidence.Place{Namespace: "ns", Pod: "db-0", Container: "database"}
	require.False(t, said(newSite(t).pod("db-1", "node1", false).log(evidence.ContainerLog, gone, "boom"), `"container"`))
	require.True(t, said(newSite(t).log(evidence.ContainerLog, gone, "boom"), `"container"`), "nobody could ask for pods")
	require.False(t, said(newSite(t).log(evidence.ContainerLog, gone, at(5*time.Hour)+"boom"), `"container"`))
	require.False(t, said(newSite(t).log(evidence.ContainerLog, gone, "boom").fact("db-0", gone, &evidence.Member{State: "running"}), `"container"`), "Patroni could be asked")
}

func TestWhatIsNoPartOfADatabaseOpensNoOtherLogs(t *testing.T) {
	operator := evidence.Place{Namespace: "pgo", Pod: "operator-1", Container: "operator"}
	shop := func(role string) *site {
		return newSite(t).fact("shop", evidence.Place{Namespace: "shop", Pod: "shop", Node: "node1"}, &evidence.Pod{Phase: "Running", Role: role, Deleting: -1}).
			log(evidence.OperatorLog, operator, at(time.Minute)+"boom").log(evidence.KubeletLog, evidence.Place{Node: "node1"}, at(time.Minute)+"boom")
	}
	require.False(t, said(shop("other"), `"operator", "kubelet"`))
	require.True(t, said(shop("system"), `"operator"`))
}

func TestAnEvictedPodThatWasReplacedIsHistory(t *testing.T) {
	evicted := func() *site {
		return newSite(t).fact("db-0", evidence.Place{Namespace: "ns", Cluster: "c", Pod: "db-0"}, &evidence.Pod{Phase: "Failed", Owner: "ReplicaSet/db", Deleting: -1}).
			container("db-0", "boom")
	}
	require.True(t, said(evicted(), `"container"`))
	next := evicted().pod("db-1", "node1", true)
	next.facts[1].Data.(*evidence.Pod).Owner = "ReplicaSet/db"
	require.False(t, said(next, `"container"`))
	require.False(t, said(evicted().fact("db", evidence.Place{Namespace: "ns"}, &evidence.Workload{Type: "ReplicaSet", Wants: 1, Has: 1, Ready: 1, Age: 99}), `"container"`))
}

func TestAReadyMemberThatDoesNotDoItsWorkCounts(t *testing.T) {
	for name, add := range map[string]func(*site){
		"lags": func(s *site) {
			s.fact("db-1", evidence.Place{Namespace: "ns", Cluster: "c", Pod: "db-1"}, &evidence.Member{State: "running", Lag: 1 << 30})
		},
		"does not archive": func(s *site) {
			s.fact("db-1", evidence.Place{Namespace: "ns", Cluster: "c", Pod: "db-1"}, &evidence.Archiver{Failing: true})
		},
		"has no leader": func(s *site) {
			s.fact("c", evidence.Place{Namespace: "ns", Cluster: "c"}, &evidence.Patroni{TTL: 30})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t).pod("db-1", "node1", true).log(evidence.ContainerLog, dbLog, at(time.Minute)+"boom")
			require.False(t, said(s, `"container"`))
			add(s)
			require.True(t, said(s, `"container"`))
			old := newSite(t).pod("db-1", "node1", true).log(evidence.ContainerLog, dbLog, at(3*time.Hour)+"boom")
			add(old)
			require.False(t, said(old, `"container"`))
		})
	}
}

func TestWhatIsPastCountsInTheWindowWhereTheSignatureSaysSo(t *testing.T) {
	past := finding("A", "start", "site", "line \"x\" {\n in = [\"container\"]\n match = \"boom\"\n past = true\n}")
	for ago, counts := range map[time.Duration]bool{30 * time.Minute: true, 90 * time.Minute: false} {
		s := newSite(t).pod("db-1", "node1", true).log(evidence.ContainerLog, dbLog, at(ago)+"boom")
		require.Equal(t, counts, len(s.diagnose(past, Options{}).Causes) == 1)
		require.Len(t, s.diagnose(past, Options{Since: 2 * time.Hour}).Causes, 1)
	}
}

func TestAJobsLinesCountUnlessItWasMadeGood(t *testing.T) {
	place := evidence.Place{Namespace: "ns", Cluster: "c"}
	of := place
	of.Pod = "stanza-x"
	job := func(name string, j evidence.Job) func(*site) {
		return func(s *site) { s.fact(name, place, &j) }
	}
	for _, c := range []struct {
		name   string
		jobs   []func(*site)
		counts bool
	}{
		{"failed", []func(*site){job("stanza", evidence.Job{Over: "Failed", Failed: 1, Purpose: "stanza-create", Age: 900})}, true},
		{"fails so far", []func(*site){job("stanza", evidence.Job{Active: 1, Failed: 2, Purpose: "stanza-create", Age: 900})}, true},
		{"runs", []func(*site){job("stanza", evidence.Job{Active: 1, Purpose: "stanza-create", Age: 900})}, false},
		{"complete", []func(*site){job("stanza", evidence.Job{Over: "Complete", Failed: 1, Age: 900})}, false},
		{"failed, and a later one is complete", []func(*site){
			job("stanza", evidence.Job{Over: "Failed", Failed: 1, Purpose: "backup", Age: 900}),
			job("again", evidence.Job{Over: "Complete", Purpose: "backup", Age: 60}),
		}, false},
		{"gone", []func(*site){job("another", evidence.Job{Over: "Failed", Failed: 1})}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t).log(evidence.JobLog, of, "boom")
			for _, add := range c.jobs {
				add(s)
			}
			require.Equal(t, c.counts, said(s, `"job"`))
		})
	}
}

func TestANodesLinesCountWhileSomethingOnItIsNotWell(t *testing.T) {
	for _, kind := range []string{evidence.KernelLog, evidence.KubeletLog, evidence.RuntimeLog} {
		log := func(s *site, line string) *site { return s.log(kind, evidence.Place{Node: "node1"}, line) }
		kinds := `"` + kind + `"`
		require.False(t, said(log(newSite(t).pod("db-1", "node1", true), at(time.Minute)+"boom"), kinds))
		require.True(t, said(log(newSite(t).pod("db-1", "node1", false), at(time.Minute)+"boom"), kinds))
		require.False(t, said(log(newSite(t).pod("db-1", "node1", false), at(2*time.Hour)+"boom"), kinds))
		require.False(t, said(log(newSite(t).pod("db-1", "node2", false), at(time.Minute)+"boom"), kinds), "that is another node")
		sick := func() *site { return newSite(t).fact("node1", evidence.Place{}, &evidence.Node{Ready: false}) }
		require.True(t, said(log(sick(), at(time.Minute)+"boom"), kinds))
		require.True(t, said(log(sick(), "boom"), kinds))
		require.Equal(t, kind != evidence.KernelLog, said(log(newSite(t).pod("db-1", "node1", false), "boom"), kinds), "dmesg keeps its lines for months")
	}
}

func TestTheOperatorsLinesCountWhileSomethingIsNotWell(t *testing.T) {
	place := evidence.Place{Namespace: "pgo", Pod: "operator-1", Container: "operator"}
	log := func(s *site, ago time.Duration) *site { return s.log(evidence.OperatorLog, place, at(ago)+"boom") }
	require.False(t, said(log(newSite(t).pod("db-1", "node1", true), time.Minute), `"operator"`))
	require.True(t, said(log(newSite(t).pod("db-1", "node1", false), time.Minute), `"operator"`))
	require.False(t, said(log(newSite(t).pod("db-1", "node1", false), 2*time.Hour), `"operator"`))
	require.True(t, said(log(newSite(t).fact("operator", evidence.Place{Namespace: "pgo"}, &evidence.Operator{}), 90*time.Minute), `"operator"`))
}

func TestARunsLinesCountForStepsThatFailed(t *testing.T) {
	run := func(failed string) *site {
		s := newSite(t)
		for _, name := range []string{`nodes["node1"]`, `nodes["node10"]`, "image"} {
			status := "changed"
			if name == failed {
				status = "failed"
			}
			s.fact(name, evidence.Place{}, &evidence.StepResult{Module: "image.build", Status: status})
		}
		s.logs = nil
		s.log(evidence.RunLog, evidence.Place{}, "boom")
		s.logs[0].Name = "step image of antdbctl apply"
		return s
	}
	require.True(t, said(run("image"), `"run"`))
	require.False(t, said(run(`nodes["node1"]`), `"run"`))
	whole := run(`nodes["node1"]`)
	whole.logs[0].Name = "the last run"
	require.True(t, said(whole, `"run"`), "of no step: any that failed will do")
	none := run("")
	none.logs[0].Name = "the last run"
	require.False(t, said(none, `"run"`))
}

func TestEventsCountWhileTheirObjectIsNotWell(t *testing.T) {
	place := evidence.Place{Namespace: "ns"}
	event := func(s *site, text string) *site { return s.log(evidence.EventLog, place, at(9*time.Minute)+text) }
	pending := func(p *evidence.Pod, c *evidence.Container) {
		p.Phase, p.Ready, p.Scheduled, c.Ready, c.State, c.Reason = "Pending", false, true, false, "waiting", "ImagePullBackOff"
	}
	crashing := func(p *evidence.Pod, c *evidence.Container) {
		p.Ready, c.Ready, c.State, c.Reason = false, false, "waiting", "CrashLoopBackOff"
	}
	well := func(*evidence.Pod, *evidence.Container) {}
	for _, c := range []struct {
		name   string
		site   *site
		event  string
		counts bool
	}{
		{"pod", database(t, crashing), "Warning BackOff Pod/db-1 boom restarting failed container", true},
		{"pod that is well", database(t, well), "Warning BackOff Pod/db-1 boom", false},
		{"pod that is gone", database(t, crashing), "Warning BackOff Pod/db-0 boom", false},
		{"pull that fails", database(t, pending), "Warning Failed Pod/db-1 boom to pull image", true},
		{"pull that has succeeded since", database(t, crashing), "Warning Failed Pod/db-1 boom to pull image", false},
		{"scheduled since", database(t, pending), "Warning FailedScheduling Pod/db-1 boom", false},
		{"claim", newSite(t).fact("data", place, &evidence.Claim{Phase: "Pending"}), "Warning FailedBinding PersistentVolumeClaim/data boom", true},
		{"claim that is bound", newSite(t).fact("data", place, &evidence.Claim{Phase: "Bound"}), "Warning FailedBinding PersistentVolumeClaim/data boom", false},
		{"node", newSite(t).fact("node1", evidence.Place{}, &evidence.Node{}), "Warning NodeNotReady Node/node1 boom", true},
		{"node that is well", newSite(t).fact("node1", evidence.Place{}, &evidence.Node{Ready: true}), "Warning Rebooted Node/node1 boom", false},
		{"job", newSite(t).fact("j", place, &evidence.Job{Over: "Failed"}), "Warning BackoffLimitExceeded Job/j boom", true},
		{"job that is complete", newSite(t).fact("j", place, &evidence.Job{Over: "Complete"}), "Warning Failed Job/j boom", false},
		{"workload", newSite(t).fact("r", place, &evidence.Workload{Type: "ReplicaSet", Wants: 1, Age: 100}), "Warning FailedCreate ReplicaSet/r boom", true},
		{"workload that has its pods", newSite(t).fact("r", place, &evidence.Workload{Type: "ReplicaSet", Wants: 1, Has: 1, Ready: 1, Age: 100}), "Warning FailedCreate ReplicaSet/r boom", false},
		{"no event", database(t, crashing), "boom", false},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.counts, said(event(c.site, c.event), `"event"`)) })
	}
}

func TestAnEventsFindingIsWhereItsObjectIsAndCountsAsOftenAsItCame(t *testing.T) {
	s := newSite(t).pod("db-1", "node1", false).pod("db-2", "node2", false).log(evidence.EventLog, evidence.Place{Namespace: "ns"},
		at(9*time.Minute)+"Warning BackOff Pod/db-1 boom (x17)", at(8*time.Minute)+"Warning BackOff Pod/db-2 boom", at(7*time.Minute)+"Warning BackOff Pod/db-2 boom (x3)")
	f := s.diagnose(finding("A", "start", "pod", line("x", `"event"`, "boom")), Options{}).Causes[0]
	require.Equal(t, []evidence.Place{{Node: "node1", Namespace: "ns", Cluster: "c", Pod: "db-1"}, {Node: "node2", Namespace: "ns", Cluster: "c", Pod: "db-2"}}, f.Places)
	require.Equal(t, 17, f.Evidence[0].Count)
	require.Equal(t, 4, f.Evidence[1].Count)
	require.Equal(t, "events, pod db-1", f.Evidence[0].Where)
}
