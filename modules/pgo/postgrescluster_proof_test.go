package pgo

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParametersAreProvedByTheServerThatRunsWithThem(t *testing.T) {
	s := startServer(t)
	s.sql(t, "alter system set work_mem = '6144kB'")
	s.sql(t, "alter system set log_connections = 'true'")
	s.sql(t, "alter system set search_path = 'it''s', public")
	s.sql(t, "alter system set max_connections = 50")
	s.sql(t, "select pg_reload_conf()")
	require.Eventually(t, func() bool { return s.sql(t, "show work_mem") == "6MB" }, time.Minute, 50*time.Millisecond)
	for _, c := range []struct {
		name, value, missing string
	}{
		{"work_mem", "6144kB", ""},
		{"work_mem", "6MB", ""},
		{"WORK_MEM", "6mb", ""},
		{"work_mem", "7MB", "work_mem is 6MB"},
		{"log_connections", "on", ""},
		{"log_connections", "true", ""},
		{"log_connections", "false", "log_connections is on"},
		{"search_path", "nobody's", `search_path is "it's", public`},
		{"shared_preload_libraries", "pgaudit", "shared_preload_libraries is"},
		{"max_connections", "50", "max_connections is 100 until a restart"},
		{"no.such", "1", "no.such is not known"},
	} {
		require.Equal(t, c.missing, strings.TrimSpace(s.sql(t, "%s", proof(map[string]string{c.name: c.value}))), "%s = %s", c.name, c.value)
	}
	require.Len(t, strings.Split(s.sql(t, "%s", proof(map[string]string{"work_mem": "1MB", "max_connections": "50", "log_connections": "on"})), "\n"), 2)
}
