package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// archiver is what the server tells of its archiving. Ages are in seconds by
// the server's clock; null for what never happened.
type archiver struct {
	Mode      string   `json:"mode"`
	Command   string   `json:"command"`
	Archived  int64    `json:"archived"`
	Last      string   `json:"last"`
	LastAge   *float64 `json:"last_age"`
	Failed    int64    `json:"failed"`
	LastBad   string   `json:"last_bad"`
	LastBadAt *float64 `json:"last_bad_age"`
	Waiting   int64    `json:"waiting"` // segments that are to be archived
	WaitingAt *float64 `json:"waiting_age"`
	System    string   `json:"system"`
	Standby   bool     `json:"standby"`
}

const askArchiver = `begin transaction read only;
select json_build_object('mode', current_setting('archive_mode'), 'command', current_setting('archive_command'),
 'archived', archived_count, 'last', coalesce(last_archived_wal, ''), 'last_age', extract(epoch from now() - last_archived_time),
 'failed', failed_count, 'last_bad', coalesce(last_failed_wal, ''), 'last_bad_age', extract(epoch from now() - last_failed_time),
 'waiting', (select count(*) from pg_ls_dir('pg_wal/archive_status') f where f like '%.ready'),
 'waiting_age', (select extract(epoch from now() - min((pg_stat_file('pg_wal/archive_status/' || f, true)).modification))
  from pg_ls_dir('pg_wal/archive_status') f where f like '%.ready'),
 'system', (select system_identifier::text from pg_control_system()), 'standby', pg_is_in_recovery())
 from pg_stat_archiver;
rollback;
`

// askLog is the end of the server's log file, where it writes one.
const askLog = `begin transaction read only;
select encode(pg_read_binary_file(f, greatest(0, (pg_stat_file(f)).size - 16384), 16384), 'escape')
 from pg_current_logfile() as f where f is not null;
rollback;
`

// archiver asks the server, over its socket.
func (p *place) archiver(ctx context.Context) (*archiver, error) {
	out, err := p.psql(ctx, askArchiver)
	if err != nil {
		return nil, err
	}
	a := &archiver{}
	if err := json.Unmarshal([]byte(out), a); err != nil {
		return nil, fmt.Errorf("read what the server tells of its archiver: %w", err)
	}
	return a, nil
}

// psql runs statements as the server's owner, fed through stdin.
func (p *place) psql(ctx context.Context, statements string) (string, error) {
	res, err := p.db.Run(ctx, conn.Cmd{
		Args:  []string{"psql", "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-d", "postgres"},
		Env:   map[string]secret.Value{"PGAPPNAME": secret.New("antdbctl"), "PGCLIENTENCODING": secret.New("UTF8")},
		User:  p.user,
		Stdin: strings.NewReader(statements),
	})
	if err != nil {
		return "", fmt.Errorf("ask the server of %s: %w", p.title(), err)
	}
	return res.Stdout, nil
}

// stuck is how long a segment may wait for the archiver of a busy server.
const stuck = time.Minute

// broken reports that the last thing the archiver did was to fail, or that it
// does nothing: since PostgreSQL 12 a command that is not found (126, 127) ends
// the archiver itself, before it can count the failure.
func (a *archiver) broken() bool {
	failed := a.LastBadAt != nil && (a.LastAge == nil || *a.LastBadAt < *a.LastAge)
	return failed || a.WaitingAt != nil && seconds(a.WaitingAt) > stuck
}

func seconds(s *float64) time.Duration { return time.Duration(*s * float64(time.Second)) }

// judge finds what is wrong with the archive, by the server and by the stanza.
func (p *place) judge(ctx context.Context, a *archiver, s *stanza) error {
	switch {
	case a.Standby:
		return nil // a standby archives nothing, and tells nothing of it
	case a.Mode == "off":
		return module.Explain(errors.New("the server archives no WAL: archive_mode is off"), remedies[87])
	case a.broken():
		return p.whyBroken(ctx, a)
	case s.Status.Code == stanzaOK && s.system() != "" && s.system() != a.System:
		return module.Explain(fmt.Errorf("the stanza %s is of another database: its system identifier is %s, the server's %s", s.Name, s.system(), a.System), remedies[44], p.where())
	case s.Status.Code == stanzaOK && segment(a.Last) > s.archived():
		return module.Explain(fmt.Errorf("WAL is archived elsewhere: the server has archived %s, the newest segment in the repository is %s", segment(a.Last), orNone(s.archived())),
			"archive_command must push into this stanza's repository", "archive_command = "+a.Command)
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

var exitCode = regexp.MustCompile(`archive command failed with exit code (\d+)`)

// whyBroken looks for the archiver's error in the server's log.
func (p *place) whyBroken(ctx context.Context, a *archiver) error {
	log := p.serverLog(ctx)
	cause, remedy, evidence := p.diagnose(ctx, log)
	for line := range strings.Lines(log) {
		if exitCode.MatchString(line) {
			evidence = append(evidence, strings.TrimSpace(line))
		}
	}
	if codes := exitCode.FindAllStringSubmatch(log, -1); len(codes) > 0 {
		code := codes[len(codes)-1][1]
		if code == "127" {
			cause, remedy = "archive_command ends with 127: a command in it is not found", p.notFound(ctx, a)
		} else if cause == "" {
			cause = "archive_command ends with " + code
		}
	}
	if cause == "" {
		cause = fmt.Sprintf("%d attempts failed", a.Failed)
	}
	evidence = last(evidence, 8)
	if a.LastBadAt != nil {
		evidence = append(evidence, fmt.Sprintf("last failure: %s, %s ago", a.LastBad, round(seconds(a.LastBadAt))))
	}
	if a.WaitingAt != nil {
		evidence = append(evidence, fmt.Sprintf("%d files wait for the archiver, the oldest for %s", a.Waiting, round(seconds(a.WaitingAt))))
	}
	evidence = append(evidence, "archive_command = "+a.Command)
	return module.Explain(fmt.Errorf("the server cannot archive its WAL: %s", cause), remedy, evidence...)
}

// deaths counts the ends of the archiver itself in the end of the server's log.
func deaths(log string) int {
	n := 0
	for _, m := range exitCode.FindAllStringSubmatch(log, -1) {
		if m[1] == "126" || m[1] == "127" {
			n++
		}
	}
	return n
}

func last(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

// notFound knows the usual reason for 127: the command is written for bash, and
// the image's sh is another.
func (p *place) notFound(ctx context.Context, a *archiver) string {
	res, err := p.db.Run(ctx, conn.Look(`readlink -f /bin/sh`))
	shell := strings.TrimSpace(res.Stdout)
	if err == nil && strings.HasPrefix(strings.TrimSpace(a.Command), "source ") && !strings.HasSuffix(shell, "bash") {
		return fmt.Sprintf("archive_command begins with source, which only bash knows, and /bin/sh of the image is %s: make it bash (RUN ln -sf bash /bin/sh)", shell)
	}
	return "bring the program that archive_command calls into the image, or into its PATH"
}

// serverLog is the end of what the server has logged: into a file, or for the
// container's log. Evidence may be missing; the error stands without.
func (p *place) serverLog(ctx context.Context) string {
	text, err := p.psql(ctx, askLog)
	if err == nil && strings.TrimSpace(text) != "" {
		return text
	}
	if p.primary == nil {
		return ""
	}
	tail := int64(200)
	raw, err := p.kube.Clientset().CoreV1().Pods(p.namespace).GetLogs(p.primary.Name, &corev1.PodLogOptions{Container: "database", TailLines: &tail}).DoRaw(ctx)
	if err != nil {
		return ""
	}
	return string(raw)
}
