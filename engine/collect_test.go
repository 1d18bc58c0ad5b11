package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/module"
)

// disks is a collector of the test's world: the key "disk" of a host says how
// full it is, and other words what is to go wrong.
type disks struct {
	Since time.Duration `hcl:"since,optional" doc:"Age."`
	Path  string        `hcl:"path,optional" default:"/data" doc:"Path."`

	Folders []string `hcl:"folders,optional" doc:"Folders of volumes."`
}

func (*disks) Info() module.Info {
	return module.Info{Name: "test.collect", Summary: "Look at disks.", On: kinds, ReadOnly: true}
}
func (*disks) Check(context.Context, *module.Env) (module.Change, error) {
	return module.NoChange, nil
}
func (*disks) Apply(context.Context, *module.Env) error { return errors.New("never") }

func (m *disks) Collect(ctx context.Context, env *module.Env, rec evidence.Recorder) error {
	res, err := env.Run(ctx, conn.Command("get", "disk"))
	if err != nil {
		return err
	}
	here := evidence.Place{Node: env.Target.Name}
	switch res.Stdout {
	case "panic":
		panic("no disk")
	case "deny":
		return errors.New("permission denied")
	case "hang":
		<-ctx.Done()
		return ctx.Err()
	case "deaf":
		rec.Gap("half of it", here, errors.New("not yet"))
		p, _ := conn.As[*place](env.Host)
		<-p.ends // it does not hear that its time is up
	}
	percent, _ := strconv.ParseInt(res.Stdout, 10, 64)
	rec.Fact(m.Path, here, &evidence.Disk{Path: m.Path, Percent: percent})
	for _, path := range m.Folders {
		rec.Fact(path, here, &evidence.Folder{Path: path})
	}
	return rec.Log(evidence.Log{Kind: evidence.KernelLog, Name: "the kernel log", Place: here}, strings.NewReader("since "+m.Since.String()+"\n"))
}

// clusters is a collector that tells what a cluster's volumes are made of, and
// then reads a log that does not end.
type clusters struct{}

func (*clusters) Info() module.Info {
	return module.Info{Name: "test.clusters", Summary: "Look at a cluster.", On: []string{conn.Kubernetes}, ReadOnly: true}
}
func (*clusters) Check(context.Context, *module.Env) (module.Change, error) {
	return module.NoChange, nil
}
func (*clusters) Apply(context.Context, *module.Env) error { return errors.New("never") }

func (*clusters) Collect(ctx context.Context, _ *module.Env, rec evidence.Recorder) error {
	rec.Fact("pv1", evidence.Place{}, &evidence.Volume{Path: "/pv1", Nodes: []string{"node2"}})
	rec.Fact("pv2", evidence.Place{}, &evidence.Volume{Path: "/pv2"})
	if err := rec.Log(evidence.Log{Kind: evidence.ContainerLog}, strings.NewReader("x")); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// book is a knowledge base about the test's world.
var book = fstest.MapFS{
	"disks.hcl": {Data: []byte(`
finding "T-1" {
  title = { en = "The disk is full", zh = "磁盘已满" }
  layer = "machine"
  per   = "node"
  fact "full" {
    of       = "node.disk"
    when     = self.percent > 95
    strength = "proof"
  }
  cause  = { en = "${full.path} of ${full.place.node} is ${full.percent}% full.", zh = "${full.place.node} 的 ${full.path} 已用 ${full.percent}%。" }
  check  = { en = "df ${full.path}", zh = "df ${full.path}" }
  remedy = { en = "Free some space.", zh = "释放空间。" }
  fix {
    runbook = "fixes/free.hcl"
    vars    = { node = full.place.node, percent = 50 }
  }
}

finding "T-2" {
  title = { en = "The step says so", zh = "步骤报错" }
  layer = "build"
  steps = ["test."]
  line "says" {
    in    = ["run"]
    match = "set failed: (?P<what>\\w+)"
  }
  cause  = { en = "It was ${says.what}.", zh = "原因：${says.what}。" }
  check  = { en = "Look.", zh = "查看。" }
  remedy = { en = "Do it again.", zh = "重试。" }
}
`)},
	"fixes/free.hcl": {Data: []byte(`
variable "node" {}
variable "percent" { type = number }
variable "nodes" { type = map(object({ address = string, port = optional(number, 22) })) }
variable "reason" { default = "none" }
target "ssh" "nodes" { hosts = var.nodes }
step "test.thing" "disk" {
  on    = target.nodes.hosts[var.node]
  key   = "disk"
  value = var.percent
}
step "test.thing" "why" {
  key   = "why"
  value = var.reason
}
`)},
}

// examined is a site with a knowledge base.
func examined(t *testing.T, runbook string) *site {
	t.Helper()
	s := newSite(t, runbook)
	known, diags := LoadKnowledge(book, nil)
	require.False(t, diags.HasErrors(), diags.Error())
	s.cfg.Diagnosis = &Diagnosis{
		Modules: s.registry(), Learn: func() (*Knowledge, hcl.Diagnostics) { return known, nil }, Language: "en", Budget: 5 * time.Second, Command: "antdbctl diagnose book.hcl",
	}
	for _, node := range []string{"node1", "node2", "node3"} {
		s.world.keys[node+"/disk"] = "40"
	}
	return s
}

func (s *site) diagnose() (Outcome, *event.Verdict) {
	s.t.Helper()
	out, err := Diagnose(context.Background(), s.cfg, s.load(), nil)
	require.NoError(s.t, err)
	for _, v := range of[event.Verdict](s.seen) {
		return out, &v
	}
	return out, nil
}

// ids of the causes of a verdict.
func ids(v *event.Verdict) []string {
	var all []string
	for _, f := range v.Causes {
		all = append(all, f.ID)
	}
	return all
}

// said are the gaps of a verdict.
func said(v *event.Verdict) []string {
	var all []string
	for _, g := range v.Gaps {
		all = append(all, g.String())
	}
	return all
}

func TestADiagnosisNamesTheCauseWithItsEvidenceAndTheFix(t *testing.T) {
	s := examined(t, hosts)
	s.world.keys["node2/disk"] = "97"
	out, v := s.diagnose()
	require.False(t, out.Failed)
	require.Equal(t, []string{"T-1"}, ids(v))
	f := v.Causes[0]
	require.Equal(t, "/data of node2 is 97% full.", f.Cause)
	require.Equal(t, "fixes/free.hcl", f.Fix.Runbook)
	require.NotEmpty(t, f.Evidence)
	require.Empty(t, v.Gaps)
	require.Equal(t, 3, v.Facts)
	require.Equal(t, []string{"node1", "node2", "node3"}, v.Places)
	require.Equal(t, "antdbctl diagnose book.hcl", v.Command)
}

func TestEveryCollectorFailsAlone(t *testing.T) {
	s := examined(t, `target "ssh" "nodes" { hosts = ["down", "panics", "denied", "hangs", "deaf", "full"] }`)
	s.cfg.Diagnosis.Budget = time.Second
	s.world.down["down"] = true
	for host, disk := range map[string]string{"panics": "panic", "denied": "deny", "hangs": "hang", "deaf": "deaf", "full": "99"} {
		s.world.keys[host+"/disk"] = disk
	}
	out, v := s.diagnose()
	require.False(t, out.Failed)
	require.Equal(t, []string{"T-1"}, ids(v))
	require.ElementsMatch(t, []string{
		"the machine of node down: connection refused",
		"test.collect of node panics: bug in test.collect: no disk",
		"test.collect of node denied: permission denied",
		"test.collect of node hangs: not reached within 1 s",
		"half of it of node deaf: not yet",
		"test.collect of node deaf: not reached within 1 s",
	}, said(v))
}

func TestOnlyTheTargetsThatAreNamedAreLookedAt(t *testing.T) {
	s := examined(t, hosts+`target "ssh" "others" { hosts = ["a", "b"] }`)
	for _, tt := range []struct{ targets, places []string }{
		{[]string{"node2"}, []string{"node2"}},
		{[]string{"others", "node1"}, []string{"node1", "a", "b"}},
		{nil, []string{"node1", "node2", "node3", "a", "b"}},
	} {
		s.cfg.Diagnosis.Targets = tt.targets
		_, v := s.diagnose()
		require.Equal(t, tt.places, v.Places)
	}
	s.cfg.Diagnosis.Targets = []string{"node9"}
	out, v := s.diagnose()
	require.True(t, out.Failed)
	require.Nil(t, v)
	require.Contains(t, s.diagnostics()[0].Summary, `there is no target "node9": the runbook has nodes, node1, node2, node3, others, a, b`)
}

func TestADiagnosisThatSeesNothingFails(t *testing.T) {
	s := examined(t, hosts)
	for n := range 3 {
		s.world.down[fmt.Sprintf("node%d", n+1)] = true
	}
	out, v := s.diagnose()
	require.True(t, out.Failed)
	require.Len(t, v.Gaps, 3)
	require.Contains(t, s.diagnostics()[0].Summary, "nothing could be looked at")
}

func TestCollectorsHearWhatIsTooOld(t *testing.T) {
	s := examined(t, hosts)
	s.cfg.Diagnosis.Since = time.Hour
	kept := evidence.NewMemory(time.Now(), 1<<20)
	s.collect(kept)
	require.Equal(t, map[string]string{"the kernel log": "since 1h0m0s\n"}, readLogs(t, kept))
}

// collect looks everywhere, and makes no verdict.
func (s *site) collect(rec evidence.Recorder) {
	s.t.Helper()
	r, err := open(context.Background(), s.cfg, s.load(), "diagnose")
	require.NoError(s.t, err)
	targets, err := r.everywhere()
	require.NoError(s.t, err)
	_, err = r.collect(context.Background(), targets, nil, rec)
	require.NoError(s.t, err)
	_, err = r.finish(context.Background(), "diagnose", nil)
	require.NoError(s.t, err)
}

func TestMachinesAreAskedForTheFoldersOfTheClustersVolumes(t *testing.T) {
	s := examined(t, hosts+`target "kubernetes" "site" {}`)
	s.cfg.Openers[conn.Kubernetes] = s.world.open
	s.cfg.Diagnosis.Budget = 2 * time.Second
	kept := evidence.NewMemory(time.Now(), 1<<20)
	s.collect(kept)
	var seen []string
	for f, err := range kept.Facts() {
		require.NoError(t, err)
		if folder, ok := f.Data.(*evidence.Folder); ok {
			seen = append(seen, f.Place.Node+" "+folder.Path)
		}
	}
	require.ElementsMatch(t, []string{"node1 /pv2", "node2 /pv1", "node2 /pv2", "node3 /pv2"}, seen)
	require.Len(t, kept.Gaps(), 1, "of the cluster's own collector")
}

func TestAStopEndsADiagnosisAtOnce(t *testing.T) {
	s := examined(t, hosts)
	s.cfg.Diagnosis.Budget = time.Hour
	s.world.keys["node1/disk"] = "hang"
	stop := make(chan struct{})
	s.cfg.Stop = stop
	s.world.onGet = func(key string) {
		if key == "node1/disk" {
			close(stop)
		}
	}
	out, v := s.diagnose()
	require.True(t, out.Interrupted)
	require.Nil(t, v)
}
