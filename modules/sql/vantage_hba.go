package sql

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/adbsql/antdbctl/engine/module"
)

// hbaRule is a line of pg_hba.conf as the server has read it.
type hbaRule struct {
	number           int
	kind             string // local, host, hostssl, hostnossl, …
	databases, users []string
	address, mask    string // empty for local
	method           string
}

func (r hbaRule) String() string {
	fields := []string{r.kind, strings.Join(r.databases, ","), strings.Join(r.users, ",")}
	if r.address != "" {
		fields = append(fields, r.address+bits(r.mask))
	}
	return strings.Join(append(fields, r.method), " ")
}

// bits writes a mask as the length of its prefix.
func bits(mask string) string {
	a, err := netip.ParseAddr(mask)
	if err != nil {
		return ""
	}
	n := 0
	for _, b := range a.AsSlice() {
		for ; b&0x80 != 0; b <<= 1 {
			n++
		}
	}
	return "/" + strconv.Itoa(n)
}

// hbaRules reads the lines, when they are asked for first. Whoever may not read
// them does without: they only adorn a reason.
func hbaRules(v *Vantage, env *module.Env) func(ctx context.Context) []hbaRule {
	var once sync.Once
	var rules []hbaRule
	return func(ctx context.Context) []hbaRule {
		once.Do(func() {
			l := login{port: v.Port}
			owner := &psql{login: l, run: hasty{env.Host, v.Patience}, osUser: l.osUser(env.Target)}
			t, err := owner.query(ctx, `select line_number as number, type as kind, array_to_string(database, ',') as databases,
 array_to_string(user_name, ',') as users, address, netmask, auth_method as method
 from pg_hba_file_rules where error is null order by line_number`)
			if err != nil {
				return
			}
			for i := range t.rows {
				one := &table{columns: t.columns, rows: t.rows[i : i+1]}
				number, _ := strconv.Atoi(one.get("number"))
				rules = append(rules, hbaRule{number: number, kind: one.get("kind"), databases: strings.Split(one.get("databases"), ","),
					users: strings.Split(one.get("users"), ","), address: one.get("address"), mask: one.get("netmask"), method: one.get("method")})
			}
		})
		return rules
	}
}

// hbaClient is who asked to be let in.
type hbaClient struct {
	local          bool
	address        string // empty when the server did not say
	user, database string
	encrypted      bool
	unsure         bool // whether the connection was encrypted
}

var saidHost = regexp.MustCompile(`pg_hba\.conf.*?["“"]([0-9a-fA-F:.]+)["”"]`)

// clientOf is who the server took the client for.
func clientOf(w *way, said string) hbaClient {
	c := hbaClient{local: w.to == "socket", user: w.User, database: w.Database}
	if m := saidHost.FindStringSubmatch(said); m != nil {
		c.address = m[1]
	} else if w.to == "loopback" || w.to == "forward" {
		c.address = "127.0.0.1"
	}
	c.encrypted = strings.Contains(said, "SSL on") || strings.Contains(said, "SSL encryption")
	c.unsure = !c.encrypted && !strings.Contains(said, "SSL off") && !strings.Contains(said, "no encryption")
	return c
}

// wish is a line that would let the client in.
func (c hbaClient) wish() string {
	address := "ADDRESS/32"
	if a, err := netip.ParseAddr(c.address); err == nil {
		address = fmt.Sprintf("%s/%d", a, a.BitLen())
	}
	return fmt.Sprintf("host %s %s %s md5", c.database, c.user, address)
}

// decides finds the first line that fits the client, as the server does. It
// finds none where a line before it may fit too, for reasons that are not
// known here: membership in roles, names of hosts.
func decides(rules []hbaRule, c hbaClient) (hbaRule, bool) {
	for _, r := range rules {
		switch fits, sure := r.fits(c); {
		case !sure:
			return hbaRule{}, false
		case fits:
			return r, true
		}
	}
	return hbaRule{}, false
}

// fits is sure of a no as soon as one part of the line says so.
func (r hbaRule) fits(c hbaClient) (fits, sure bool) {
	fits, sure = true, true
	for _, part := range []func(hbaClient) (bool, bool){r.fitsKind, r.fitsUser, r.fitsDatabase, r.fitsAddress} {
		yes, known := part(c)
		if known && !yes {
			return false, true
		}
		fits, sure = fits && yes, sure && known
	}
	return fits, sure
}

func (r hbaRule) fitsKind(c hbaClient) (fits, sure bool) {
	switch r.kind {
	case "local":
		return c.local, true
	case "hostssl":
		return !c.local && c.encrypted, c.local || !c.unsure
	case "hostnossl":
		return !c.local && !c.encrypted, c.local || !c.unsure
	case "hostgssenc":
		return false, true
	}
	return !c.local, true
}

func (r hbaRule) fitsUser(c hbaClient) (fits, sure bool) {
	if slices.Contains(r.users, "all") || slices.Contains(r.users, c.user) {
		return true, true
	}
	group := func(name string) bool { return strings.HasPrefix(name, "+") || strings.HasPrefix(name, "/") }
	return false, !slices.ContainsFunc(r.users, group)
}

func (r hbaRule) fitsDatabase(c hbaClient) (fits, sure bool) {
	for _, name := range r.databases {
		if name == "all" || name == c.database || name == "sameuser" && c.user == c.database {
			return true, true
		}
	}
	byRole := func(name string) bool {
		return name == "samerole" || name == "samegroup" || strings.HasPrefix(name, "/")
	}
	return false, !slices.ContainsFunc(r.databases, byRole)
}

func (r hbaRule) fitsAddress(c hbaClient) (fits, sure bool) {
	if r.kind == "local" || r.address == "all" {
		return true, true
	}
	network, err := netip.ParsePrefix(r.address + bits(r.mask))
	if err != nil {
		return false, false // samehost, samenet, a name
	}
	if c.address == "" {
		return network.Bits() == 0 && network.Addr().Is4(), network.Bits() == 0
	}
	client, err := netip.ParseAddr(c.address)
	return err == nil && network.Contains(client.Unmap()), err == nil
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
