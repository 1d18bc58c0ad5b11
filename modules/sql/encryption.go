package sql

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
)

// The forms in which a server keeps a password.
const (
	formMD5   = "md5"
	formSCRAM = "scram-sha-256"
)

// formOf names the form of what a server keeps; "" for none, or plain text.
func formOf(verifier string) string {
	switch {
	case strings.HasPrefix(verifier, "SCRAM-SHA-256$"):
		return formSCRAM
	case strings.HasPrefix(verifier, "md5") && len(verifier) == 35:
		return formMD5
	}
	return ""
}

// entrance is a line of pg_hba.conf for connections over TCP.
type entrance struct {
	Line      int      `json:"line"`
	Type      string   `json:"type"`
	Databases []string `json:"databases"`
	Users     []string `json:"users"`
	Address   string   `json:"address"`
	Netmask   string   `json:"netmask"`
	Method    string   `json:"method"`
}

// entranceColumn reads them all; only a superuser may.
const entranceColumn = `(select json_agg(json_build_object('line', line_number, 'type', type, 'databases', database, 'users', user_name,
  'address', address, 'netmask', netmask, 'method', auth_method) order by line_number)
  from pg_catalog.pg_hba_file_rules where error is null and type <> 'local')::text as entrances`

func (e entrance) String() string {
	return fmt.Sprintf("line %d of pg_hba.conf (%s %s %s … %s)", e.Line, e.Type, strings.Join(e.Databases, ","), strings.Join(e.Users, ","), e.Method)
}

// admits reports whether the line is for the role, a member of groups.
func (e entrance) admits(role string, groups []string) bool {
	if !slices.ContainsFunc(e.Databases, func(d string) bool { return d != "replication" }) {
		return false // what a role does as a replica is another matter
	}
	return slices.ContainsFunc(e.Users, func(user string) bool {
		if group, ok := strings.CutPrefix(user, "+"); ok {
			return group == role || slices.Contains(groups, group)
		}
		if pattern, ok := strings.CutPrefix(user, "/"); ok {
			matched, err := regexp.MatchString(pattern, role)
			return err == nil && matched
		}
		return user == "all" || user == role
	})
}

// whole is the addresses that no later line gets for this role, since this one
// takes them all: "4", "6" or both.
func (e entrance) whole() string {
	if e.Type != "host" || !slices.Contains(e.Databases, "all") {
		return ""
	}
	switch {
	case e.Address == "all":
		return "46"
	case e.Address == "0.0.0.0" && e.Netmask == "0.0.0.0":
		return "4"
	case e.Address == "::" && e.Netmask == "::":
		return "6"
	}
	return ""
}

// demanding is the first line by which the role would come in with a SCRAM
// verifier only; nil when md5 is enough everywhere. A line that says md5 takes
// either.
func demanding(entrances []entrance, role string, groups []string) *entrance {
	taken := ""
	for i, e := range entrances {
		family := "4"
		if strings.Contains(e.Address, ":") {
			family = "6"
		}
		if !e.admits(role, groups) || strings.Contains(taken, family) && e.Address != "all" || len(taken) > 1 {
			continue
		}
		if e.Method == formSCRAM {
			return &entrances[i]
		}
		taken += e.whole()
	}
	return nil
}

// form decides in which form the password is to be kept: what the runbook says,
// else what the server makes of new passwords, else SCRAM where pg_hba.conf
// asks for it. because is empty for the server's own choice.
func (r *Role) form() (form, because string, err error) {
	demand := demanding(r.now.entrances, r.Role, append(slices.Clone(r.InRoles), r.now.circles...))
	switch {
	case r.Encryption == formMD5 && demand != nil:
		return "", "", module.At("encryption", module.Explain(
			fmt.Errorf("%s could not log in with an md5 password: %s asks for SCRAM", r.Role, demand),
			"leave out encryption, or write md5 in that line, which lets in both"))
	case r.Encryption != "auto":
		return r.Encryption, "the runbook says so", nil
	case demand != nil:
		return formSCRAM, demand.String(), nil
	case r.now.encryption == formSCRAM:
		return formSCRAM, "", nil
	}
	return formMD5, "", nil
}
