package bundle

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/conn/tape"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/secret"
)

var (
	taken = time.Date(2026, 3, 5, 6, 0, 0, 0, time.UTC)
	pod   = evidence.Place{Namespace: "pgouser1", Cluster: "antdb", Pod: "antdb-7d", Container: "database", Node: "node1"}
)

func spool(t testing.TB, o Options) *Spool {
	t.Helper()
	o.Taken, o.Clock, o.Folder = taken, func() time.Time { return taken }, t.TempDir()
	s, err := NewSpool(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func keep(t testing.TB, s *Spool, name, text string) {
	t.Helper()
	require.NoError(t, s.Log(evidence.Log{Kind: evidence.ContainerLog, Name: name, Place: pod}, strings.NewReader(text)))
}

// seen is all that a dossier tells, in one comparable value.
type seen struct {
	Taken time.Time
	Facts []evidence.Fact
	Logs  map[string]string
	Order []string
	Gaps  []evidence.Gap
}

func all(t testing.TB, d evidence.Dossier) seen {
	t.Helper()
	s := seen{Taken: d.Taken(), Gaps: d.Gaps(), Logs: map[string]string{}}
	for f, err := range d.Facts() {
		require.NoError(t, err)
		s.Facts = append(s.Facts, f)
	}
	for l, err := range d.Logs() {
		require.NoError(t, err)
		r, err := l.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		s.Logs[l.Name] = string(text)
		s.Order = append(s.Order, l.Kind+" "+l.Name+" "+l.Place.String())
	}
	return s
}

func filled(t testing.TB) *Spool {
	s := spool(t, Options{})
	var wg sync.WaitGroup
	for _, name := range []string{"c", "a", "b"} {
		wg.Go(func() {
			s.Fact(name, pod, &evidence.Member{Role: "leader", Lag: 7})
			s.Fact(name, pod, &evidence.Server{Settings: map[string]string{"port": "5432"}})
			_ = s.Log(evidence.Log{Kind: evidence.ServerLog, Name: name, Place: pod}, strings.NewReader(strings.Repeat(name+" line\n", 300000)))
			s.Gap("the kernel log", evidence.Place{Node: "node1"}, fs.ErrPermission)
		})
	}
	wg.Wait()
	keep(t, s, "empty", "")
	keep(t, s, "one block", strings.Repeat("x", 512))
	return s
}

func TestAPackedSpoolTellsTheSame(t *testing.T) {
	s := filled(t)
	before := all(t, s.Dossier())
	require.Len(t, before.Facts, 6)
	require.Equal(t, []string{"container one block pod antdb-7d, container database", "server a pod antdb-7d, container database",
		"server b pod antdb-7d, container database", "server c pod antdb-7d, container database"}, before.Order)
	require.Len(t, before.Gaps, 1)
	path := filepath.Join(t.TempDir(), "site.bundle")
	sum, err := s.Pack(path, Packing{Program: "antdbctl 1"})
	require.NoError(t, err)
	require.Equal(t, 4, sum.Logs)
	require.Equal(t, 6, sum.Facts)
	b, err := Open(path)
	require.NoError(t, err)
	require.Equal(t, before, all(t, b))
	require.Equal(t, "antdbctl 1", b.Program())
	require.NoError(t, b.Close())
}

func TestABundleIsItsOwnersAloneAndNothingIsOverwrittenUnasked(t *testing.T) {
	s := filled(t)
	path := filepath.Join(t.TempDir(), "site.bundle")
	_, err := s.Pack(path, Packing{})
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	_, err = s.Pack(path, Packing{})
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = s.Pack(path, Packing{Overwrite: true})
	require.NoError(t, err)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file stays behind")
}

func TestOfALongLogTheEndIsKept(t *testing.T) {
	s := spool(t, Options{PerLog: 1000})
	var long strings.Builder
	for long.Len() < 5000 {
		long.WriteString("a line of the log\n")
	}
	keep(t, s, "long", long.String()+"the end\n")
	keep(t, s, "no lines", strings.Repeat("x", 5000))
	keep(t, s, "just so", strings.Repeat("y", 1000))
	logs := all(t, s.Dossier()).Logs
	note, rest, _ := strings.Cut(logs["long"], "\n")
	require.Equal(t, "[antdbctl: 4014 bytes before this are left out]", note)
	require.True(t, strings.HasPrefix(rest, "a line of the log\n") && strings.HasSuffix(rest, "log\nthe end\n"))
	require.LessOrEqual(t, len(rest), 1000)
	require.Equal(t, "[antdbctl: 4000 bytes before this are left out]\n"+strings.Repeat("x", 1000), logs["no lines"])
	require.Equal(t, strings.Repeat("y", 1000), logs["just so"])
}

func TestAllLogsTogetherAreBounded(t *testing.T) {
	s := spool(t, Options{PerLog: 100 << 10, Total: 150 << 10})
	for _, name := range []string{"1", "2", "3"} {
		keep(t, s, name, strings.Repeat("quiet\n", 100<<10/6))
	}
	got := all(t, s.Dossier())
	require.Len(t, got.Logs, 1)
	require.Len(t, got.Gaps, 2)
}

func TestAReadErrorKeepsWhatCameBefore(t *testing.T) {
	s := spool(t, Options{})
	broken := errors.New("broken")
	r, w := io.Pipe()
	go func() {
		_, _ = w.Write([]byte("half\n"))
		_ = w.CloseWithError(broken)
	}()
	require.ErrorIs(t, s.Log(evidence.Log{Kind: evidence.KernelLog, Name: "x"}, r), broken)
	require.Equal(t, "half\n", all(t, s.Dossier()).Logs["x"])
}

func TestKnownSecretsNeverReachTheDisk(t *testing.T) {
	var r secret.Redactor
	r.Add(secret.New("hunter2-and-more"))
	s := spool(t, Options{Redactor: &r})
	keep(t, s, "hunter2-and-more", "a hunter2-and\n-more b\n")
	s.Fact("x", pod, &evidence.Reach{Error: "with hunter2-and-more"})
	s.Gap("x", pod, errors.New("hunter2-and-more"))
	got := all(t, s.Dossier())
	require.Equal(t, "a (secret)\n b\n", got.Logs["(secret)"])
	require.Equal(t, "with (secret)", got.Facts[0].Data.(*evidence.Reach).Error)
	require.Equal(t, "(secret)", got.Gaps[0].Reason)
}

func TestAnswersOfTheSiteAreKeptInTheirOrderWithoutSecrets(t *testing.T) {
	var r secret.Redactor
	r.Add(secret.New("hunter2-and-more"))
	s := spool(t, Options{Redactor: &r})
	s.Answer(map[string]any{"n": 2, "stdout": "PGPASSWORD=abcdef1 and\nhunter2-and-more"})
	s.Answer(map[string]any{"n": 1})
	path := filepath.Join(t.TempDir(), "site.bundle")
	_, err := s.Pack(path, Packing{})
	require.NoError(t, err)
	b, err := Open(path)
	require.NoError(t, err)
	defer b.Close()
	answers, err := b.Answers()
	require.NoError(t, err)
	text, err := io.ReadAll(answers)
	require.NoError(t, err)
	require.Equal(t, `{"n":2,"stdout":"PGPASSWORD=(secret) and\n(secret)"}`+"\n"+`{"n":1}`+"\n", string(text))

	without := filepath.Join(t.TempDir(), "site.bundle")
	_, err = spool(t, Options{}).Pack(without, Packing{})
	require.NoError(t, err)
	b, err = Open(without)
	require.NoError(t, err)
	defer b.Close()
	_, err = b.Answers()
	require.ErrorIs(t, err, ErrNoAnswers)
}

func TestChecksThatOnlyLookRunOnABundle(t *testing.T) {
	var r secret.Redactor
	r.Add(secret.New("hunter2-and-more"))
	s := spool(t, Options{Redactor: &r})
	here := conn.Target{Kind: conn.Local, Name: "here"}
	ask := func(openers map[string]conn.Opener) (string, error) {
		h, err := openers[conn.Local](t.Context(), here, conn.Settings{}, nil)
		require.NoError(t, err)
		res, err := h.Run(t.Context(), conn.Look(`echo "it is $1"; exit 4`, "hunter2-and-more"))
		return res.Stdout, err
	}
	recorder := tape.NewRecorder(&r, func(e tape.Entry) { s.Answer(e) })
	said, _ := ask(recorder.Openers(map[string]conn.Opener{conn.Local: local.Open}))
	require.Equal(t, "it is hunter2-and-more\n", said)

	path := filepath.Join(t.TempDir(), "site.bundle")
	_, err := s.Pack(path, Packing{})
	require.NoError(t, err)
	b, err := Open(path)
	require.NoError(t, err)
	defer b.Close()
	answers, err := b.Answers()
	require.NoError(t, err)
	site, skipped, err := tape.Read(answers)
	require.NoError(t, err)
	require.Zero(t, skipped)
	said, err = ask(site.Openers(&r))
	require.Equal(t, "it is (secret)\n", said)
	code, ok := conn.ExitCode(err)
	require.True(t, ok)
	require.Equal(t, 4, code)
}
