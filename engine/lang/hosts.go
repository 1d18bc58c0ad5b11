package lang

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/adbsql/antdbctl/engine/conn"
)

// readHosts reads the hosts of an ssh target: a list of "user@host:port", or a
// map of such strings or of objects by host name.
func (t *Target) readHosts(ctx *hcl.EvalContext) hcl.Diagnostics {
	expr := t.attr("hosts")
	if expr == nil {
		return nil
	}
	v, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return explain(diags, nil)
	}
	if hasSecret(v.Type()) {
		return explainSecret(expr, v, ctx, fmt.Errorf("hosts are no secrets"))
	}
	if v.IsNull() || !v.IsWhollyKnown() {
		if v.IsNull() {
			return fault(expr.Range().Ptr(), "Invalid hosts", "hosts is null.")
		}
		return nil // what it comes from has been complained about
	}
	base := conn.Target{Kind: conn.SSH, Config: t.Name}
	if user := t.attr("user"); user != nil {
		base.User = evalString(user, ctx, "user", &diags)
	}
	if port := t.attr("port"); port != nil {
		base.Port = evalInt(port, ctx, "port", 0, 0, &diags)
	}
	hosts, err := hostsOf(v, base)
	if err != nil {
		return append(diags, fault(expr.Range().Ptr(), "Invalid hosts", "%s.", err)...)
	}
	t.Hosts = hosts
	return diags
}

func hostsOf(v cty.Value, base conn.Target) ([]conn.Target, error) {
	ty := v.Type()
	switch {
	case ty.IsListType(), ty.IsTupleType(), ty.IsSetType():
		return hostList(v, base)
	case ty.IsMapType(), ty.IsObjectType():
		fields := v.AsValueMap()
		names := slices.SortedFunc(maps.Keys(fields), natural)
		var hosts []conn.Target
		for _, name := range names {
			h, err := hostEntry(name, fields[name], base)
			if err != nil {
				return nil, fmt.Errorf("host %q: %w", name, err)
			}
			hosts = append(hosts, h)
		}
		return hosts, nil
	}
	return nil, fmt.Errorf("write a list of \"user@host:port\", or a map of hosts by name")
}

// hostList names each host by its address; hosts that share an address are
// named with their ports.
func hostList(v cty.Value, base conn.Target) ([]conn.Target, error) {
	var hosts []conn.Target
	count := map[string]int{}
	for _, item := range v.AsValueSlice() {
		text, err := stringOf(item)
		if err != nil {
			return nil, fmt.Errorf("a list of hosts holds strings such as \"10.0.0.1\" or \"root@node1:22\"")
		}
		h, err := parseHost(text, base)
		if err != nil {
			return nil, err
		}
		h.Name = h.Address
		count[h.Address]++
		hosts = append(hosts, h)
	}
	seen := map[string]bool{}
	for i, h := range hosts {
		if count[h.Address] > 1 && h.Port != 0 {
			hosts[i].Name = net.JoinHostPort(h.Address, strconv.Itoa(h.Port))
		}
		if seen[hosts[i].Name] {
			return nil, fmt.Errorf("%s is listed twice", hosts[i].Name)
		}
		seen[hosts[i].Name] = true
	}
	return hosts, nil
}

// parseHost reads "user@host:port", of which user and port may be left out. An
// IPv6 address with a port stands in brackets.
func parseHost(text string, base conn.Target) (conn.Target, error) {
	h, rest := base, text
	if user, host, ok := strings.Cut(text, "@"); ok {
		h.User, rest = user, host
	}
	if host, port, err := net.SplitHostPort(rest); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return h, fmt.Errorf("%q: %q is no port", text, port)
		}
		h.Address, h.Port = host, int(n)
	} else {
		h.Address = strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]")
	}
	if h.Address == "" || strings.ContainsAny(h.Address, " \t\n/@") || strings.HasPrefix(h.Address, "-") {
		return h, fmt.Errorf("%q is no host: write \"host\", \"user@host\" or \"user@host:port\"", text)
	}
	return h, nil
}

var hostFields = []string{"address", "port", "user", "labels", "vars"}

func hostEntry(name string, v cty.Value, base conn.Target) (conn.Target, error) {
	h := base
	h.Name, h.Address = name, name
	if v.IsNull() {
		return h, nil
	}
	if v.Type() == cty.String {
		h, err := parseHost(v.AsString(), base)
		h.Name = name
		return h, err
	}
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		return h, fmt.Errorf("write its address, or { %s }", strings.Join(hostFields, ", "))
	}
	fields := v.AsValueMap()
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(hostFields, field) {
			return h, fmt.Errorf("it has no %q.%s", field, didYouMean(field, hostFields))
		}
	}
	if address, ok := fields["address"]; ok && !address.IsNull() {
		text, err := stringOf(address)
		if err == nil {
			h, err = parseHost(text, base)
			h.Name = name
		}
		if err != nil {
			return h, fmt.Errorf("address: %w", err)
		}
	}
	return h, readHostFields(&h, fields)
}

func readHostFields(h *conn.Target, fields map[string]cty.Value) error {
	read := func(name string, t cty.Type, into any) error {
		v, ok := fields[name]
		if !ok || v.IsNull() {
			return nil
		}
		v, err := convert.Convert(v, t)
		if err == nil {
			err = gocty.FromCtyValue(v, into)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	for _, err := range []error{
		read("port", cty.Number, &h.Port),
		read("user", cty.String, &h.User),
		read("labels", cty.List(cty.String), &h.Labels),
		read("vars", cty.Map(cty.String), &h.Vars),
	} {
		if err != nil {
			return err
		}
	}
	if h.Port < 0 || h.Port > 65535 {
		return fmt.Errorf("port: %d is no port", h.Port)
	}
	return nil
}

// natural orders names as people do: node2 before node10.
func natural(a, b string) int {
	for a != "" && b != "" {
		na, ra := digits(a)
		nb, rb := digits(b)
		if na != "" && nb != "" {
			na, nb = strings.TrimLeft(na, "0"), strings.TrimLeft(nb, "0")
			if len(na) != len(nb) {
				return len(na) - len(nb)
			}
			if na != nb {
				return strings.Compare(na, nb)
			}
			a, b = ra, rb
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func digits(s string) (number, rest string) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n], s[n:]
}
