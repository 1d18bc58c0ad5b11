package guc

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	buffers  = Setting{Name: "shared_buffers", Value: "16384", Unit: "8kB", Type: "integer", Context: "postmaster", Min: "16", Max: "1073741823"}
	workMem  = Setting{Name: "work_mem", Value: "4096", Unit: "kB", Type: "integer", Context: "user", Min: "64", Max: "2147483647"}
	timeout  = Setting{Name: "statement_timeout", Value: "60000", Unit: "ms", Type: "integer", Min: "0", Max: "2147483647"}
	archive  = Setting{Name: "archive_timeout", Value: "60", Unit: "s", Type: "integer", Min: "0", Max: "1073741823"}
	age      = Setting{Name: "log_rotation_age", Value: "1440", Unit: "min", Type: "integer", Min: "0", Max: "35791394"}
	segment  = Setting{Name: "max_wal_size", Value: "1024", Unit: "MB", Type: "integer", Min: "2", Max: "2147483647"}
	cost     = Setting{Name: "random_page_cost", Value: "4", Type: "real", Min: "0", Max: "1.79769e+308"}
	delay    = Setting{Name: "vacuum_cost_delay", Value: "2", Unit: "ms", Type: "real", Min: "0", Max: "100"}
	clients  = Setting{Name: "max_connections", Value: "100", Type: "integer", Min: "1", Max: "262143"}
	fsync    = Setting{Name: "fsync", Value: "on", Type: "bool"}
	level    = Setting{Name: "wal_level", Value: "replica", Type: "enum", Enum: []string{"minimal", "replica", "logical"}}
	commit   = Setting{Name: "synchronous_commit", Value: "on", Type: "enum", Enum: []string{"local", "remote_write", "remote_apply", "on", "off"}}
	compress = Setting{Name: "wal_compression", Value: "pglz", Type: "enum", Enum: []string{"pglz", "lz4", "zstd", "off"}}
	preload  = Setting{Name: "shared_preload_libraries", Value: "pgaudit.so,pg_stat_statements.so", Type: "string"}
	command  = Setting{Name: "archive_command", Value: `pgbackrest archive-push "%p"`, Type: "string"}
)

func TestValuesThatMeanTheSameAreTheSame(t *testing.T) {
	for _, c := range []struct {
		s     Setting
		value string
	}{
		{buffers, "128MB"}, {buffers, "131072kB"}, {buffers, "16384"}, {buffers, "0.125GB"}, {buffers, " 128 MB "}, {buffers, "0x4000"},
		{workMem, "4MB"}, {timeout, "1min"}, {timeout, "60s"}, {timeout, "60000000us"}, {archive, "1min"}, {archive, "60"}, {archive, "60000ms"},
		{age, "1d"}, {age, "24h"}, {segment, "1GB"}, {cost, "4.0"}, {cost, "4e0"}, {delay, "2ms"}, {delay, "2000us"}, {clients, "100"},
		{fsync, "true"}, {fsync, "YES"}, {fsync, "1"}, {fsync, "t"}, {level, "Replica"}, {level, "hot_standby"}, {level, "archive"},
		{commit, "true"}, {commit, "1"}, {compress, "on"}, {compress, "yes"},
		{preload, "pgaudit.so, pg_stat_statements.so"}, {preload, `"pgaudit.so" ,pg_stat_statements.so`},
	} {
		require.True(t, c.s.Runs(c.value), "%s = %q", c.s.Name, c.value)
	}
}

func TestValuesThatDifferDiffer(t *testing.T) {
	for _, c := range []struct {
		s     Setting
		value string
	}{
		{buffers, "128"}, {buffers, "127MB"}, {workMem, "4GB"}, {timeout, "60"}, {fsync, "off"}, {level, "logical"}, {compress, "lz4"}, {compress, "off"},
		{preload, "pgaudit.so"}, {command, `pgbackrest  archive-push "%p"`}, {commit, "local"}, {cost, "4.1"},
	} {
		require.False(t, c.s.Runs(c.value), "%s = %q", c.s.Name, c.value)
	}
}

func TestWhatTheServerWouldRefuseIsRefused(t *testing.T) {
	for _, c := range []struct {
		s           Setting
		value, says string
	}{
		{buffers, "128 mb", `shared_buffers is measured in 8kB: it takes no unit "mb"`},
		{buffers, "1min", "it takes no unit"},
		{buffers, "8kB", "shared_buffers = 8kB is out of its range, 128kB to 8589934584kB"},
		{clients, "100MB", "max_connections is a bare number"},
		{clients, "many", `max_connections takes a number, not "many"`},
		{clients, "0", "out of its range, 1 to 262143"},
		{clients, "", "takes a number"},
		{fsync, "o", "fsync takes on or off"},
		{fsync, "", "fsync takes on or off"},
		{level, "hot", "wal_level takes one of minimal, replica, logical"},
	} {
		_, err := c.s.Canonical(c.value)
		require.ErrorContains(t, err, c.says, "%s = %q", c.s.Name, c.value)
	}
}

func TestNumbersAreShownAsPeopleWriteThem(t *testing.T) {
	for want, s := range map[string]Setting{"128MB": buffers, "4MB": workMem, "1min": timeout, "1GB": segment, "1d": age, "100": clients, "2ms": delay, "on": fsync} {
		require.Equal(t, want, s.Show(s.Value))
	}
	require.Equal(t, "0", timeout.Show("0"))
	require.Equal(t, "-1", timeout.Show("-1"))
}

func TestNamesCannotEscapeFromTheQuery(t *testing.T) {
	require.True(t, strings.Contains(Query([]string{"Work_Mem", "x'); drop table y --"}), `in ('work_mem', 'x''); drop table y --')`))
}
