package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/lang"
)

// fixbook loads the runbook of a fix. Its variables come, the strongest first,
// from the operator's --var, the finding, the runbook that was diagnosed and its
// targets, and the operator's files. Relative paths start where those of the
// diagnosed runbook do. The diagnostics are those of the fix, which is to be
// removed in any case.
func (cfg Config) fixbook(book *lang.Runbook, known *Knowledge, c cure, want Repair) (fixbook *lang.Runbook, diags hcl.Diagnostics, remove func(), err error) {
	path, remove, err := known.file(c)
	if err != nil {
		return nil, nil, nil, err
	}
	o := lang.Options{Registry: cfg.Diagnosis.Modules, Dir: book.Dir}
	declared, _ := lang.Load(path, o) // without values; what else it lacks shows below
	if o.Vars, err = fixVars(declared, book, c, want.Vars); err != nil {
		remove()
		return nil, nil, nil, err
	}
	o.VarFiles = want.VarFiles
	fixbook, diags = lang.Load(path, o)
	return fixbook, diags, remove, nil
}

// fixVars are the values that a fix gets, as for --var.
func fixVars(fix, book *lang.Runbook, c cure, given []string) ([]string, error) {
	var texts []string
	take := func(name string, v cty.Value) {
		n := slices.IndexFunc(fix.Variables, func(d *lang.Variable) bool { return d.Name == name })
		if n < 0 || v.IsNull() || !v.IsWhollyKnown() {
			return
		}
		t := fix.Variables[n].Type
		if v, err := convert.Convert(v, t); err == nil && !v.IsNull() {
			texts = append(texts, name+"="+variableText(t, v))
		}
	}
	site := siteVars(book)
	for _, name := range slices.Sorted(maps.Keys(site)) {
		take(name, site[name])
	}
	for _, v := range book.Variables {
		if !v.Sensitive {
			take(v.Name, v.Value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.fix.Vars)) {
		v, err := plainValue(c.fix.Vars[name])
		if err != nil {
			return nil, fmt.Errorf("variable %s of the fix of %s: %w", name, c.finding, err)
		}
		take(name, v)
	}
	for _, text := range given {
		name, _, _ := strings.Cut(text, "=")
		is := func(v *lang.Variable) bool { return v.Name == name }
		switch {
		case slices.ContainsFunc(fix.Variables, is):
			texts = append(texts, text)
		case !slices.ContainsFunc(book.Variables, is):
			return nil, fmt.Errorf("--var %s: neither the runbook nor the fix of %s has such a variable", name, c.finding)
		}
	}
	return texts, nil
}

// plainValue is what a verdict knows as JSON, as a value.
func plainValue(plain any) (cty.Value, error) {
	data, err := json.Marshal(plain)
	if err != nil {
		return cty.NilVal, err
	}
	var v ctyjson.SimpleJSONValue
	err = json.Unmarshal(data, &v)
	return v.Value, err
}

// variableText is a value of a variable of type t, as --var gives it.
func variableText(t cty.Type, v cty.Value) string {
	if t == cty.String {
		return v.AsString()
	}
	return string(hclwrite.TokensForValue(v).Bytes())
}

// siteVars are what the targets of a runbook say of its site, under the names
// that the ready runbooks have for it. Secrets are not among them.
func siteVars(book *lang.Runbook) map[string]cty.Value {
	vars := map[string]cty.Value{}
	text := func(name, value string) {
		if _, known := vars[name]; !known && value != "" {
			vars[name] = cty.StringVal(value)
		}
	}
	first := func(name string, values []string) {
		if len(values) > 0 {
			text(name, values[0])
		}
	}
	settings, _ := book.Settings() // the run that diagnosed has complained already
	for _, block := range book.Targets {
		s := settings[block.Name]
		switch block.Kind {
		case conn.Kubernetes:
			text("kubeconfig", s.Kubeconfig)
			text("context", s.Context)
			text("namespace", s.Namespace)
		case conn.Docker:
			text("docker_host", s.DockerHost)
		case conn.SSH:
			if _, known := vars["nodes"]; !known && len(block.Hosts) > 0 {
				vars["nodes"] = hostValues(block.Hosts)
			}
			text("ssh_config", s.ConfigFile)
			first("ssh_identity", s.IdentityFiles)
			first("known_hosts", s.KnownHosts)
		}
	}
	return vars
}

// hostValues are hosts as a variable of the ready runbooks holds them.
func hostValues(hosts []conn.Target) cty.Value {
	values := map[string]cty.Value{}
	for _, h := range hosts {
		attrs := map[string]cty.Value{
			"address": cty.StringVal(h.Address), "user": cty.StringVal(h.User), "labels": cty.ListValEmpty(cty.String),
			"port": cty.NumberIntVal(22),
		}
		if h.Port > 0 {
			attrs["port"] = cty.NumberIntVal(int64(h.Port))
		}
		if len(h.Labels) > 0 {
			var labels []cty.Value
			for _, l := range h.Labels {
				labels = append(labels, cty.StringVal(l))
			}
			attrs["labels"] = cty.ListVal(labels)
		}
		values[h.Name] = cty.ObjectVal(attrs)
	}
	return cty.ObjectVal(values)
}
