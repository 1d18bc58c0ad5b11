package lang

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
)

const site = `
target "ssh" "nodes" {
  user  = "root"
  port  = 2222
  hosts = {
    n10 = { address = "10.0.0.10", labels = ["db"], vars = { role = "replica" } }
    n2  = { address = "admin@10.0.0.2:22", labels = ["db", "etcd"], vars = { role = "primary" } }
    n1  = "10.0.0.1"
  }
}
target "ssh" "list" { hosts = ["10.0.0.9", "op@[fd00::1]:2200", "10.0.0.3"] }
target "kubernetes" "lab" { namespace = "pgo" }
target "docker" "db" { container = "antdb" }
`

// addresses are those of a step's instances; "?" when they are not known.
func addresses(t *testing.T, r *Runbook, s *Scope, step string) []string {
	t.Helper()
	ex, diags := r.Step(step).Expand(s)
	noFaults(t, diags)
	require.Equal(t, r.Step(step).Keyed, ex.Keyed)
	if !ex.Known {
		require.Empty(t, ex.Instances)
		return []string{"?"}
	}
	var out []string
	for _, i := range ex.Instances {
		out = append(out, i.Address())
	}
	return out
}

func TestStepsExpandOverHostsAndElements(t *testing.T) {
	for body, want := range map[string][]string{
		``:                                                           {`x`},
		`on = target.local`:                                          {`x`},
		`on = target.nodes`:                                          {`x["n1"]`, `x["n2"]`, `x["n10"]`},
		`on = target.nodes.groups.db`:                                {`x["n2"]`, `x["n10"]`},
		`on = target.nodes.hosts["n1"]`:                              {`x`},
		`on = target.nodes.hosts`:                                    {`x["n1"]`, `x["n2"]`, `x["n10"]`},
		`on = [target.nodes.hosts["n1"]]`:                            {`x["n1"]`},
		`on = [target.nodes, target.list]`:                           {`x["n1"]`, `x["n2"]`, `x["n10"]`, `x["10.0.0.9"]`, `x["fd00::1"]`, `x["10.0.0.3"]`},
		`on = target.list`:                                           {`x["10.0.0.9"]`, `x["fd00::1"]`, `x["10.0.0.3"]`},
		`on = values(target.list.hosts)`:                             {`x["10.0.0.9"]`, `x["fd00::1"]`, `x["10.0.0.3"]`},
		`for_each = { b = 1, a = 2 }`:                                {`x["a"]`, `x["b"]`},
		`for_each = ["z", "a"]`:                                      {`x["z"]`, `x["a"]`},
		`for_each = toset(["z", "a"])`:                               {`x["a"]`, `x["z"]`},
		"for_each = [\"a\"]\non = target.nodes":                      {`x["a@n1"]`, `x["a@n2"]`, `x["a@n10"]`},
		"for_each = { k = \"v\" }\nwhen = false":                     nil,
		`when = false`:                                               nil,
		"on = target.nodes\nwhen = host.name != \"n1\"":              {`x["n2"]`, `x["n10"]`},
		"for_each = { a = true, b = false }\nwhen = each.value":      {`x["a"]`},
		"for_each = target.nodes.hosts\non = each.value":             {`x["n1"]`, `x["n2"]`, `x["n10"]`},
		"for_each = { g = target.nodes.groups.db }\non = each.value": {`x["g@n2"]`, `x["g@n10"]`},
		`on = [for h in target.nodes.hosts : h if lookup(h.vars, "role", "") == "primary"]`: {`x["n2"]`},
		"for_each = []": nil,
	} {
		r := load(t, site+"step \"host.file\" \"x\" {\n path = \"/\"\n"+body+"\n}")
		require.Equal(t, want, addresses(t, r, r.Scope(), "x"), body)
	}
}

func TestHostsOfTargets(t *testing.T) {
	r := load(t, site)
	var hosts []conn.Target
	for _, target := range r.Targets {
		hosts = append(hosts, target.Hosts...)
	}
	require.Equal(t, []conn.Target{
		{Kind: conn.SSH, Name: "n1", Config: "nodes", Address: "10.0.0.1", Port: 2222, User: "root"},
		{Kind: conn.SSH, Name: "n2", Config: "nodes", Address: "10.0.0.2", Port: 22, User: "admin", Labels: []string{"db", "etcd"}, Vars: map[string]string{"role": "primary"}},
		{Kind: conn.SSH, Name: "n10", Config: "nodes", Address: "10.0.0.10", Port: 2222, User: "root", Labels: []string{"db"}, Vars: map[string]string{"role": "replica"}},
		{Kind: conn.SSH, Name: "10.0.0.9", Config: "list", Address: "10.0.0.9"},
		{Kind: conn.SSH, Name: "fd00::1", Config: "list", Address: "fd00::1", Port: 2200, User: "op"},
		{Kind: conn.SSH, Name: "10.0.0.3", Config: "list", Address: "10.0.0.3"},
		{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: "pgo"},
		{Kind: conn.Container, Name: "db", Config: "db", Container: "antdb"},
	}, hosts)
	same := load(t, `target "ssh" "a" { hosts = ["127.0.0.1:1", "127.0.0.1:2"] }`)
	require.Equal(t, "127.0.0.1:1", same.Targets[0].Hosts[0].Name)
}

const chain = site + `
step "pgo.cluster" "cluster" {
  on   = target.lab
  name = "antdb"
}
step "sql.role" "user" {
  on   = step.cluster.primary
  role = "testuser"
}
step "sql.query" "login" {
  for_each = { pod = step.cluster.pod_ip, fixed = "10.1.1.1" }
  on       = step.cluster.primary
  sql      = "select '${step.user.role}'"
  host     = each.value
}
step "sql.query" "maybe" {
  sql  = "x"
  when = step.cluster.pod_ip != ""
}
output "ip" { value = step.cluster.pod_ip }
`

func TestExpansionWaitsForWhatItDependsOn(t *testing.T) {
	r := load(t, chain)
	s := r.Scope()
	for _, name := range []string{"user", "login", "maybe"} {
		require.Equal(t, []string{"?"}, addresses(t, r, s, name))
	}
	primary := conn.Target{Kind: conn.Container, Name: "pod/database", Config: "lab", Pod: "pod", Container: "database"}
	value := cty.ObjectVal(map[string]cty.Value{
		"name": cty.StringVal("antdb"), "image": cty.NullVal(cty.String), "primary": primary.Cty(), "pod_ip": cty.StringVal("10.2.2.2"),
		"login": placeholder,
	})
	after := s.WithStep("cluster", r.Step("cluster").Value(map[string]cty.Value{"": value}, false))
	require.Equal(t, []string{"user"}, addresses(t, r, after, "user"))
	require.Equal(t, []string{`login["fixed"]`, `login["pod"]`}, addresses(t, r, after, "login"))
	require.Equal(t, []string{"maybe"}, addresses(t, r, after, "maybe"))
	require.Equal(t, []string{"?"}, addresses(t, r, s, "user"), "a scope does not change")

	ex, diags := r.Step("login").Expand(after)
	noFaults(t, diags)
	require.Equal(t, "pod", ex.Instances[1].Target.Pod)
	args, diags := ex.Instances[1].Decode(after)
	noFaults(t, diags)
	require.Equal(t, "10.2.2.2", args.GetAttr("host").AsString())
	require.False(t, args.GetAttr("sql").IsKnown(), "step.user has not run")
	ip, diags := r.Outputs[0].Value(after)
	noFaults(t, diags)
	require.Equal(t, "10.2.2.2", ip.AsString())
}

func TestWrongKindIsFoundWhenTheTargetIsKnown(t *testing.T) {
	r := load(t, chain)
	wrong := cty.ObjectVal(map[string]cty.Value{"primary": conn.Target{Kind: conn.Kubernetes, Name: "lab"}.Cty(), "pod_ip": cty.StringVal("")})
	_, diags := r.Step("user").Expand(r.Scope().WithStep("cluster", wrong))
	require.Len(t, diags, 1)
	require.Equal(t, "sql.role works on a container or this machine (local), and lab is a kubernetes cluster.", diags[0].Detail)
}

func TestNeedsTellLanesFromBarriers(t *testing.T) {
	r := load(t, site+`
locals { sums = values(step.a)[*].sum }
step "host.file" "a" {
  on   = target.nodes
  path = "/a"
}
step "host.file" "b" {
  for_each = ["x"]
  path     = "/b"
}
step "host.file" "lane" {
  on   = target.nodes
  path = step.a[host.name].sum
}
step "host.file" "each" {
  for_each = ["x"]
  path     = step.b[each.key].sum
}
step "host.file" "after" {
  on    = target.nodes
  path  = "/x"
  after = [step.a, step.b]
}
step "host.file" "all" {
  path    = join(",", local.sums)
  content = step.b["x"].sum
}
step "host.file" "mixed" {
  on      = target.nodes
  path    = step.a[host.name].sum
  content = step.a["n1"].sum
}
step "host.file" "when" {
  on   = target.nodes
  path = step.a[host.name].sum
  when = step.a[host.name].sum != ""
}
step "host.file" "shadow" {
  path = join(",", [for step in ["x"] : step])
  expect "b is there" {
    that = step.b["x"].sum != ""
  }
}
`)
	require.Equal(t, []Need{{Step: "a", Lane: true}}, r.Step("lane").Needs)
	require.Equal(t, []Need{{Step: "b", Lane: true}}, r.Step("each").Needs)
	require.Equal(t, []Need{{Step: "a", Lane: true}, {Step: "b", Lane: true}}, r.Step("after").Needs)
	require.Equal(t, []Need{{Step: "a"}, {Step: "b"}}, r.Step("all").Needs)
	require.Equal(t, []Need{{Step: "a"}}, r.Step("mixed").Needs)
	require.Equal(t, []Need{{Step: "a", Expansion: true}}, r.Step("when").Needs)
	require.Equal(t, []Need{{Step: "b"}}, r.Step("shadow").Needs)
}

func TestLocalsFollowTheSteps(t *testing.T) {
	r := load(t, `
locals {
  later = "sum ${local.sum}"
  sum   = step.a.sum
}
step "host.file" "a" { path = "/a" }
step "host.file" "b" {
  path    = local.later
  content = local.sum
}`)
	args := func(s *Scope) cty.Value {
		ex, diags := r.Step("b").Expand(s)
		noFaults(t, diags)
		v, diags := ex.Instances[0].Decode(s)
		noFaults(t, diags)
		return v
	}
	require.False(t, args(r.Scope()).GetAttr("path").IsKnown())
	known := r.Scope().WithStep("a", cty.ObjectVal(map[string]cty.Value{"sum": cty.StringVal("5")}))
	require.Equal(t, "sum 5", args(known).GetAttr("path").AsString())
}

func TestExpectShowsWhatItLookedAt(t *testing.T) {
	r := load(t, `
secret "pw" { env = "PW" }
step "sql.query" "q" {
  for_each = ["one"]
  sql      = "x"
  expect "two rows" {
    that = length(self.rows) == 2 && each.key == "one" && secret.pw != null
    hint = "There are ${length(self.rows)} rows on ${host.name}."
  }
  expect "fine" {
    that = self.rows[0].a == 1
  }
}`)
	ex, diags := r.Step("q").Expand(r.Scope())
	noFaults(t, diags)
	row := cty.ObjectVal(map[string]cty.Value{"a": cty.NumberIntVal(1)})
	results, diags := ex.Instances[0].Expect(r.Scope(), cty.ObjectVal(map[string]cty.Value{"rows": cty.TupleVal([]cty.Value{row})}))
	noFaults(t, diags)
	require.Len(t, results, 2)
	require.Equal(t, ExpectResult{Label: "two rows", Known: true, Hint: "There are 1 rows on local.",
		Message: "self.rows is [{\"a\":1}]\neach.key is \"one\"", Range: results[0].Range}, results[0])
	require.True(t, results[1].OK)

	results, diags = ex.Instances[0].Expect(r.Scope(), cty.UnknownVal(r.Step("q").Entry.ValueType()))
	noFaults(t, diags)
	require.False(t, results[0].Known)
}

func TestPlaybooksWeighWhatTheySee(t *testing.T) {
	r := load(t, `
step "host.file" "f" { path = "/f" }
playbook "no start" {
  watch = [step.f]
  look "sql.query" "log" { sql = "x" }
  finding "missing" {
    when     = strcontains(look.log.rows, "could not access")
    cause    = "It is gone: ${look.log.rows}"
    remedy   = "Bring it back to ${step.f.path}."
    evidence = [look.log.rows]
    fix {
      runbook = "fixes/back.hcl"
      vars    = { path = step.f.path, sum = step.f.sum, log = look.log.rows, modes = [1, "a"] }
    }
  }
}`)
	p := r.Playbooks[0]
	require.Equal(t, []string{"f"}, p.Watch)
	require.Equal(t, "look.log", p.Looks[0].Address())
	scope := r.Scope().WithStep("f", cty.ObjectVal(map[string]cty.Value{"path": cty.StringVal("/f"), "sum": cty.UnknownVal(cty.String)}))
	matched, _, _, diags := p.Findings[0].Eval(scope)
	noFaults(t, diags)
	require.False(t, matched, "what was not seen is no finding")
	scope = scope.WithLook("log", cty.ObjectVal(map[string]cty.Value{"rows": cty.StringVal("FATAL: could not access file")}))
	matched, cause, remedy, diags := p.Findings[0].Eval(scope)
	noFaults(t, diags)
	require.True(t, matched)
	require.Equal(t, "It is gone: FATAL: could not access file", cause)
	require.Equal(t, "Bring it back to /f.", remedy)
	evidence, diags := p.Findings[0].EvidenceText(scope)
	noFaults(t, diags)
	require.Equal(t, []string{"FATAL: could not access file"}, evidence)
	path, vars, diags := p.Findings[0].FixOf(scope)
	noFaults(t, diags)
	require.Equal(t, filepath.Join(r.Dir, "fixes/back.hcl"), path)
	require.Equal(t, map[string]any{"path": "/f", "log": "FATAL: could not access file", "modes": []any{1.0, "a"}}, vars, "what is not known is left out")
}
