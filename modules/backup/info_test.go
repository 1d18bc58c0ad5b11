package backup

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What PGO 4.7.10 hands on of pgBackRest 2.45, as recorded.
func TestInfoAsTheOperatorHandsItOn(t *testing.T) {
	text, err := os.ReadFile("testdata/info-pgo-4.7.10.json")
	require.NoError(t, err)
	s, err := readInfo(string(text), "db")
	require.NoError(t, err)
	require.Equal(t, stanzaOK, s.Status.Code)
	require.False(t, s.Status.Lock.Backup.Held)
	require.Equal(t, "000000010000000000000004", s.archived())
	require.Equal(t, "7711130245409149033", s.system())
	b := s.newest("full")
	require.Equal(t, "20261122-224400F", b.Label)
	require.Equal(t, 167*time.Second, b.took())
	require.Equal(t, time.Hour, b.age(time.Unix(1795387607+3600, 0)))
	require.Equal(t, "30.3 MiB", size(b.Info.Size))
}

func TestInfoOfAnUnknownStanza(t *testing.T) {
	for _, text := range []string{`[]`, `[{"name":"other","status":{"code":0}}]`, "WARN: a word before\n[]"} {
		s, err := readInfo(text, "db")
		require.NoError(t, err)
		require.Equal(t, stanzaNoPath, s.Status.Code)
	}
	_, err := readInfo("stanza: db\n    status: ok\n", "db")
	require.ErrorContains(t, err, "something unexpected")
	_, err = readInfo(`[{"name": 1}]`, "db")
	require.ErrorContains(t, err, "read the answer of pgbackrest info")
}

func TestAStrongerBackupWillDo(t *testing.T) {
	s := &stanza{Backups: []stanzaBackup{{Label: "F", Type: "full"}, {Label: "D", Type: "diff"}, {Label: "I", Type: "incr"}, {Label: "bad", Type: "full", Failed: true}}}
	require.Equal(t, "F", s.newest("full").Label)
	require.Equal(t, "D", s.newest("diff").Label)
	require.Equal(t, "I", s.newest("incr").Label)
	require.Nil(t, (&stanza{}).newest("incr"))
}

func TestSegmentsOfArchivedFiles(t *testing.T) {
	require.Equal(t, "000000010000000000000004", segment("000000010000000000000004.00000028.backup"))
	require.Empty(t, segment("00000002.history"))
	require.Empty(t, segment(""))
}

func TestErrorsOfPgBackRestHaveRemedies(t *testing.T) {
	for text, want := range map[string][2]string{
		"P00   INFO: x\nP00  ERROR: [050]: unable to acquire lock on file '/tmp/pgbackrest/db-backup.lock': Resource temporarily unavailable\n            HINT: is another pgBackRest process running?": {"[050] unable to acquire lock", "another pgBackRest works"},
		"ERROR: [055]: unable to load info file": {"[055] unable to load info file", "make the stanza"},
		"WARN: unable to check pg-1: [UnknownError] x\nERROR: [056]: unable to find primary cluster - cannot proceed": {"[056] unable to find primary cluster", "sshd on port 2022"},
		"ERROR: [041]: unable to write '/backrestrepo/x': [28] No space left on device":                               {"No space left", "volume is full"},
	} {
		cause, remedy := verdict(text)
		require.Contains(t, cause, want[0])
		require.Contains(t, remedy, want[1])
	}
	cause, _ := verdict("all is well")
	require.Empty(t, cause)
}
