package sql

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// serverQuestions has a statement for each kind of fact, so that one that this
// server or this user does not allow costs that one alone. Each row of an answer
// is a word and an object.
//
//go:embed collect_server.sql
var serverQuestions string

// rolesQuestion asks what the primary keeps of the roles in %s. A role that is
// not there has an answer, too: no answer says nothing.
const rolesQuestion = `select 'role ' || json_build_object('name', asked, 'exists', rolname is not null, 'login', coalesce(rolcanlogin, false),
  'verifier', rolpassword, 'expires', case when rolvaliduntil < 'infinity' then extract(epoch from rolvaliduntil - now()) end)
  from unnest(array[%s]) as asked left join pg_authid on rolname = asked where not pg_is_in_recovery();
`

// answers are what a server said. Numbers are null where it has none.
type answers struct {
	Server *struct {
		Version     string   `json:"version"`
		Recovery    bool     `json:"recovery"`
		Started     *float64 `json:"started"`
		Connections int64    `json:"connections"`
		Max         string   `json:"max"`
		Longest     *float64 `json:"longest"`
		Idle        *float64 `json:"idle"`
		Waiting     int64    `json:"waiting"`
		XID         int64    `json:"xid"`
		Receiving   bool     `json:"receiving"`
		Replayed    *float64 `json:"replayed"`
	}
	Settings map[string]string
	Archiver *struct {
		Mode       string   `json:"mode"`
		Command    string   `json:"command"`
		Archived   int64    `json:"archived"`
		Failed     int64    `json:"failed"`
		LastOK     *float64 `json:"last_ok"`
		LastFailed *float64 `json:"last_failed"`
		Standby    bool     `json:"standby"`
	}
	Pending *struct {
		Files  int64    `json:"files"`
		Oldest *float64 `json:"oldest"`
	}
	Replication []replicationRow
	Slots       []slotRow
	Roles       []roleRow
}

type replicationRow struct {
	Name  string   `json:"name"`
	State string   `json:"state"`
	Sync  string   `json:"sync"`
	Lag   *float64 `json:"lag"`
}

type slotRow struct {
	Name     string   `json:"name"`
	Active   bool     `json:"active"`
	Retained *float64 `json:"retained"`
}

// roleRow has a verifier in it, which goes nowhere.
type roleRow struct {
	Name     string   `json:"name"`
	Exists   bool     `json:"exists"`
	Login    bool     `json:"login"`
	Verifier *string  `json:"verifier"`
	Expires  *float64 `json:"expires"`
}

// ask asks the server all questions in one session, and keeps the facts. It
// gives the server's settings.
func (s *instance) ask(all context.Context, patience time.Duration, rec evidence.Recorder) map[string]string {
	ctx, cancel := context.WithTimeout(all, patience)
	defer cancel()
	questions := `\set ON_ERROR_STOP off` + "\n" + serverQuestions
	if names := s.roleNames(); len(names) > 0 {
		questions += fmt.Sprintf(rolesQuestion, strings.Join(names, ", "))
	}
	p := &psql{login: s.login, run: s.run, osUser: s.osUser}
	out := &transcript{}
	cmd := p.cmd(strings.NewReader(p.plain()+questions), true)
	cmd.Stdout = out // and not in an error, for there are verifiers in it
	res, err := s.run.Run(ctx, cmd)
	a, bad := readAnswers(out.String())
	switch {
	case a.Server == nil:
		s.silent(all, ctx, rec, p.failed(err), res.Stderr)
		return nil
	case err != nil:
		rec.Gap("the rest of what its server tells", s.place, p.failed(err))
	}
	if bad != nil {
		rec.Gap("a part of what its server tells", s.place, bad)
	}
	for _, fault := range serverFaults(res.Stderr) {
		rec.Gap("a part of what its server tells", s.place, fault)
	}
	s.record(rec, a)
	return a.Settings
}

// silent notes why the server could not be asked. That all time was up says
// nothing about the server; that its own was does.
func (s *instance) silent(all, ctx context.Context, rec evidence.Recorder, err error, stderr string) {
	switch {
	case all.Err() != nil:
		rec.Gap("its server", s.place, context.Cause(all))
		return
	case ctx.Err() != nil:
		err = errors.New("it does not answer in time")
	case err == nil && strings.TrimSpace(stderr) != "":
		err = errors.New(lastLineOf(stderr))
	case err == nil:
		err = errors.New("psql gave no answer")
	}
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) && exit.Code >= 126 {
		rec.Gap("its server", s.place, err) // psql, not the server, is missing
		return
	}
	if gone := (*conn.Unreachable)(nil); errors.As(err, &gone) {
		rec.Gap("its server", s.place, err)
		return
	}
	rec.Fact(s.name, s.place, &evidence.Server{Error: err.Error()})
}

// readAnswers reads psql's rows, each ended by a zero byte.
func readAnswers(out string) (*answers, error) {
	a := &answers{}
	var errs []error
	for row := range strings.SplitSeq(out, "\x00") {
		key, object, ok := strings.Cut(strings.TrimSpace(row), " ")
		if !ok {
			continue
		}
		var err error
		switch key {
		case "server":
			err = json.Unmarshal([]byte(object), &a.Server)
		case "settings":
			err = json.Unmarshal([]byte(object), &a.Settings)
		case "archiver":
			err = json.Unmarshal([]byte(object), &a.Archiver)
		case "pending":
			err = json.Unmarshal([]byte(object), &a.Pending)
		case "replication":
			err = add(&a.Replication, object)
		case "slot":
			err = add(&a.Slots, object)
		case "role":
			if add(&a.Roles, object) != nil {
				err = errors.New("what it keeps of a role is of an unknown form") // no quotation of it
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	return a, errors.Join(errs...)
}

func add[T any](list *[]T, object string) error {
	var one T
	err := json.Unmarshal([]byte(object), &one)
	if err == nil {
		*list = append(*list, one)
	}
	return err
}

var errorLine = regexp.MustCompile(`(?m)^(?:psql:[^:]*:\d+: )?[^\s:：]+[:：]\s+[0-9A-Z]{5}: .*$`)

// serverFaults are the errors of single statements.
func serverFaults(stderr string) []error {
	var all []error
	for _, line := range errorLine.FindAllString(stderr, -1) {
		if f := psqlFault(line); f != nil {
			all = append(all, f)
		}
	}
	return all
}

func lastLineOf(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// transcript is what a command printed, also one that was given up and still prints.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (k *transcript) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(p)
}

func (k *transcript) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}

// whole is a number of seconds or bytes; none when there is none.
func whole(n *float64, none int64) int64 {
	if n == nil {
		return none
	}
	return int64(*n)
}

// stuckAfter is how long a WAL file may wait for the archiver of a busy server.
const stuckAfter = time.Minute
