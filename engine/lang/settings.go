package lang

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/secret"
)

// Settings says how to connect, by target block. ResolveSecrets must have run
// when a target uses secrets; else these are empty.
func (r *Runbook) Settings() (map[string]conn.Settings, hcl.Diagnostics) {
	return r.settings(r.Scope())
}

func (r *Runbook) settings(scope *Scope) (map[string]conn.Settings, hcl.Diagnostics) {
	all := map[string]conn.Settings{implicitTarget: {Kind: conn.Local}}
	var diags hcl.Diagnostics
	for _, t := range r.Targets {
		ctx, more := scope.context(setOf(t.refs), nil)
		diags = append(diags, more...)
		s := &settingsReader{Target: t, ctx: ctx, run: r}
		all[t.Name] = s.read()
		diags = append(diags, s.diags...)
	}
	return all, diags
}

// settingsReader reads the arguments of one target block.
type settingsReader struct {
	*Target
	run   *Runbook
	ctx   *hcl.EvalContext
	diags hcl.Diagnostics
}

func (s *settingsReader) read() conn.Settings {
	switch s.Kind {
	case conn.SSH:
		return s.ssh()
	case conn.Docker:
		return s.docker()
	case conn.Kubernetes:
		return conn.Settings{
			Kind:       conn.Kubernetes,
			Kubeconfig: s.path("kubeconfig"),
			Context:    s.text("context"),
			Namespace:  s.text("namespace"),
		}
	}
	return conn.Settings{Kind: conn.Local}
}

func (s *settingsReader) ssh() conn.Settings {
	out := conn.Settings{
		Kind:          conn.SSH,
		Password:      s.secret("password"),
		IdentityFiles: s.paths("identity"),
		Passphrase:    s.secret("passphrase"),
		KnownHosts:    s.paths("known_hosts"),
		HostKeyCheck:  s.text("host_key_check"),
		ConfigFile:    s.path("ssh_config"),
		SudoPassword:  s.secret("sudo_password"),
		Jump:          s.text("jump"),
	}
	if expr := s.attr("sudo"); expr != nil {
		out.Sudo = evalBool(expr, s.ctx, "sudo", &s.diags)
	}
	if expr := s.attr("max_sessions"); expr != nil {
		out.MaxSessions = evalInt(expr, s.ctx, "max_sessions", 1, 0, &s.diags)
	}
	switch out.HostKeyCheck {
	case "", "strict", "accept-new", "off":
	default:
		s.diags = append(s.diags, fault(s.attr("host_key_check").Range().Ptr(), "Unknown host_key_check "+quote(out.HostKeyCheck),
			"Write one of: strict, accept-new, off.%s", didYouMean(out.HostKeyCheck, []string{"strict", "accept-new", "off"}))...)
	}
	return out
}

func (s *settingsReader) docker() conn.Settings {
	out := conn.Settings{Kind: conn.Docker, DockerHost: s.text("host")}
	if s.text("container") != "" {
		out.Kind = conn.Container
	}
	expr := s.attr("via")
	if expr == nil {
		return out
	}
	v, diags := expr.Value(s.ctx)
	s.diags = append(s.diags, explain(diags, nil)...)
	if diags.HasErrors() || v.IsNull() || v.Type() == cty.DynamicPseudoType {
		return out
	}
	via, ok := singleTarget(v)
	if !ok || via.Kind != conn.SSH {
		s.diags = append(s.diags, fault(expr.Range().Ptr(), "Invalid via",
			"via takes one ssh host, as in target.nodes.hosts[\"node1\"].")...)
		return out
	}
	out.Via = &via
	return out
}

func (s *settingsReader) text(name string) string {
	if expr := s.attr(name); expr != nil {
		return evalString(expr, s.ctx, name, &s.diags)
	}
	return ""
}

func (s *settingsReader) secret(name string) secret.Value {
	if expr := s.attr(name); expr != nil {
		return evalSecret(expr, s.ctx, name, &s.diags)
	}
	return secret.Value{}
}

func (s *settingsReader) path(name string) string {
	if text := s.text(name); text != "" {
		return s.run.path(text)
	}
	return ""
}

// paths takes one path or a list of them.
func (s *settingsReader) paths(name string) []string {
	var expr hclsyntax.Expression
	if expr = s.attr(name); expr == nil {
		return nil
	}
	paths := evalStrings(expr, s.ctx, name, &s.diags)
	for i := range paths {
		paths[i] = s.run.path(paths[i])
	}
	return paths
}
