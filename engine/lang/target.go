package lang

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
)

// implicitTarget is the target of a step without on: this machine. A runbook
// may declare a target of this name itself.
const implicitTarget = "local"

// Target is a target block.
type Target struct {
	Kind  string // conn.Local, conn.SSH, conn.Docker or conn.Kubernetes, as the block's label says
	Name  string
	Range hcl.Range
	Hosts []conn.Target // what it stands for: several for ssh, in source order

	body  *hclsyntax.Body
	refs  []ref
	value cty.Value // in expressions
}

func localTarget(name string) conn.Target {
	return conn.Target{Kind: conn.Local, Name: name, Config: name}
}

var targetArguments = map[string][]string{
	conn.Local:      {},
	conn.Docker:     {"host", "via", "container"},
	conn.Kubernetes: {"kubeconfig", "context", "namespace"},
	conn.SSH: {"hosts", "user", "port", "identity", "password", "passphrase", "sudo", "sudo_password", "known_hosts",
		"host_key_check", "ssh_config", "jump", "max_sessions"},
}

func (r *Runbook) addTarget(b *hcl.Block) hcl.Diagnostics {
	t := &Target{Kind: b.Labels[0], Name: b.Labels[1], Range: b.DefRange, body: b.Body.(*hclsyntax.Body), value: cty.DynamicVal}
	var first *hcl.Range
	if dup, ok := r.targets[t.Name]; ok {
		first = &dup.Range
	}
	diags := named(b, "target", 1, first)
	if first == nil {
		r.targets[t.Name] = t
		r.Targets = append(r.Targets, t)
	}
	args, ok := targetArguments[t.Kind]
	if !ok {
		kinds := slices.Sorted(maps.Keys(targetArguments))
		t.body = &hclsyntax.Body{SrcRange: t.body.SrcRange, EndRange: t.body.EndRange}
		return append(diags, fault(b.LabelRanges[0].Ptr(), "Unknown kind of target "+quote(t.Kind),
			"The kinds are: %s.%s", strings.Join(kinds, ", "), didYouMean(t.Kind, kinds))...)
	}
	schema := &hcl.BodySchema{}
	for _, name := range args {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	_, more := b.Body.Content(schema)
	diags = append(diags, more...)
	if t.Kind == conn.SSH && t.body.Attributes["hosts"] == nil {
		diags = append(diags, fault(b.DefRange.Ptr(), "Missing required argument", "A target of kind ssh needs hosts: a list of addresses, or a map of hosts by name.")...)
	}
	t.refs = refsOf(t.body)
	return diags
}

// attr is the expression of an argument; nil when it is left out.
func (t *Target) attr(name string) hclsyntax.Expression {
	if a, ok := t.body.Attributes[name]; ok {
		return a.Expr
	}
	return nil
}

// evaluate finds the hosts and the value that expressions see.
func (t *Target) evaluate(ctx *hcl.EvalContext) hcl.Diagnostics {
	var diags hcl.Diagnostics
	one := conn.Target{Kind: t.Kind, Name: t.Name, Config: t.Name}
	switch t.Kind {
	case conn.SSH:
		diags = t.readHosts(ctx)
		if diags.HasErrors() || t.attr("hosts") == nil {
			return diags
		}
		t.value = t.sshValue()
		return diags
	case conn.Docker:
		if expr := t.attr("container"); expr != nil {
			if one.Container = evalString(expr, ctx, "container", &diags); one.Container != "" {
				one.Kind = conn.Container
			}
		}
	case conn.Kubernetes:
		if expr := t.attr("namespace"); expr != nil {
			one.Namespace = evalString(expr, ctx, "namespace", &diags)
		}
	case conn.Local:
	default:
		return nil // unknown kind, reported
	}
	t.Hosts, t.value = []conn.Target{one}, one.Cty()
	return diags
}

// sshValue is {kind, name, config, hosts by name, groups by label}.
func (t *Target) sshValue() cty.Value {
	hosts, groups := map[string]cty.Value{}, map[string]map[string]cty.Value{}
	for _, h := range t.Hosts {
		v := h.Cty()
		hosts[h.Name] = v
		for _, label := range h.Labels {
			if groups[label] == nil {
				groups[label] = map[string]cty.Value{}
			}
			groups[label][h.Name] = v
		}
	}
	groupValues := map[string]cty.Value{}
	for label, members := range groups {
		groupValues[label] = cty.ObjectVal(members)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"kind": cty.StringVal(t.Kind), "name": cty.StringVal(t.Name), "config": cty.StringVal(t.Name),
		"hosts": cty.ObjectVal(hosts), "groups": cty.ObjectVal(groupValues),
	})
}
