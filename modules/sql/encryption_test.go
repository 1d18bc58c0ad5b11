package sql

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func hba(n int, kind, database, user, address, netmask, method string) entrance {
	return entrance{Line: n, Type: kind, Databases: []string{database}, Users: []string{user}, Address: address, Netmask: netmask, Method: method}
}

// The operator's pg_hba (A4.4), and what sites make of it.
func TestWhatLinesOfHBADemand(t *testing.T) {
	every4 := func(n int, user, method string) entrance {
		return hba(n, "host", "all", user, "0.0.0.0", "0.0.0.0", method)
	}
	operator := []entrance{hba(3, "host", "replication", "primaryuser", "0.0.0.0", "0.0.0.0", "md5"),
		every4(4, "primaryuser", "reject"), every4(5, "all", "md5")}
	for name, tt := range map[string]struct {
		lines  []entrance
		groups []string
		line   int // 0 for none
	}{
		"the operator's":           {operator, nil, 0},
		"all by SCRAM":             {[]entrance{hba(1, "hostssl", "all", "all", "all", "", "scram-sha-256")}, nil, 1},
		"for replication only":     {[]entrance{hba(1, "host", "replication", "all", "all", "", "scram-sha-256"), every4(2, "all", "md5")}, nil, 0},
		"for another":              {[]entrance{hba(1, "host", "all", "other", "all", "", "scram-sha-256"), every4(2, "all", "md5")}, nil, 0},
		"for a group it is in":     {[]entrance{hba(1, "host", "all", "+apps", "all", "", "scram-sha-256")}, []string{"apps"}, 1},
		"for a group it is not in": {[]entrance{hba(1, "host", "all", "+apps", "all", "", "scram-sha-256")}, []string{"x"}, 0},
		"by a pattern":             {[]entrance{hba(1, "host", "all", "/^ap", "all", "", "scram-sha-256")}, nil, 1},
		"from one network":         {[]entrance{hba(1, "host", "all", "all", "10.0.0.0", "255.0.0.0", "scram-sha-256"), every4(2, "all", "md5")}, nil, 1},
		"never reached":            {[]entrance{every4(1, "all", "md5"), hba(2, "host", "all", "all", "10.0.0.0", "255.0.0.0", "scram-sha-256")}, nil, 0},
		"reached by IPv6":          {[]entrance{every4(1, "all", "md5"), hba(2, "host", "all", "all", "::", "::", "scram-sha-256")}, nil, 2},
		"reached without SSL":      {[]entrance{hba(1, "hostssl", "all", "all", "0.0.0.0", "0.0.0.0", "md5"), every4(2, "all", "scram-sha-256")}, nil, 2},
		"after a line for all":     {[]entrance{hba(1, "host", "all", "all", "all", "", "md5"), hba(2, "host", "all", "all", "::", "::", "scram-sha-256")}, nil, 0},
		"in one database of many":  {[]entrance{hba(1, "host", "userdb", "app", "all", "", "scram-sha-256"), every4(2, "all", "md5")}, nil, 1},
	} {
		got := demanding(tt.lines, "app", tt.groups)
		if tt.line == 0 {
			require.Nil(t, got, name)
			continue
		}
		require.NotNil(t, got, name)
		require.Equal(t, tt.line, got.Line, name)
	}
}
