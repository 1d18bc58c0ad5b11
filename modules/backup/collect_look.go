package backup

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

var (
	//go:embed collect.sh
	collectScript string
	//go:embed collect_log.sh
	collectLogScript string
)

// stanzaOther is pgBackRest's own code for a state that has none.
const stanzaOther = 99

// look asks one repository.
func (c *Collect) look(ctx context.Context, r *repository, rec evidence.Recorder) {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	cmd := conn.Script(shell.Lean(collectScript), c.Stanza)
	cmd.User = r.user
	res, err := r.run.Run(ctx, cmd)
	exit := (*conn.ExitError)(nil)
	switch {
	case ctx.Err() != nil:
		rec.Gap("its backup repository", r.place, errors.New("it does not answer in time"))
		return
	case errors.As(err, &exit) && exit.Code == 127:
		rec.Gap("its backup repository", r.place, errors.New("there is no pgbackrest"))
		return
	case errors.As(err, &exit):
		cause, _ := verdict(exit.Stdout + "\n" + exit.Stderr)
		rec.Fact(c.Stanza, r.place, &evidence.Stanza{Code: stanzaOther, Message: cmp.Or(cause, lastLine(exit.Stderr), err.Error()), LastAge: -1, Locked: held(exit.Stdout)})
		return
	case err != nil:
		rec.Gap("its backup repository", r.place, err)
		return
	}
	fact, err := c.readStanza(res.Stdout)
	if err != nil {
		rec.Gap("its backup repository", r.place, err)
		return
	}
	rec.Fact(c.Stanza, r.place, fact)
}

// readStanza reads the script's answer.
func (c *Collect) readStanza(text string) (*evidence.Stanza, error) {
	var now time.Time
	var s *stanza
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "clock":
			seconds, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("the clock there says %.40q", value)
			}
			now = time.Unix(seconds, 0)
		case "info":
			var err error
			if s, err = readInfo(value, c.Stanza); err != nil {
				return nil, err
			}
		}
	}
	if s == nil {
		return nil, fmt.Errorf("unexpected answer %.100q", text)
	}
	fact := &evidence.Stanza{Code: int64(s.Status.Code), Message: s.Status.Message, LastAge: -1, Locked: s.Status.Lock.Backup.Held || held(text)}
	for _, b := range s.Backups {
		if !b.Failed {
			fact.Backups++
		}
	}
	if last := s.newest("incr"); last != nil {
		fact.LastAge = max(0, int64(last.age(now)/time.Second))
	}
	return fact, nil
}

// held reports whether a backup's lock is held, by the script's answer.
func held(text string) bool {
	for line := range strings.Lines(text) {
		key, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key == "held" && strings.Contains(file, "-backup") {
			return true
		}
	}
	return false
}

// logs streams the ends of pgBackRest's newest log files, as one log.
func (c *Collect) logs(ctx context.Context, r *repository, rec evidence.Recorder) {
	err := evidence.Stream(rec, evidence.Log{Kind: evidence.JobLog, Name: "pgBackRest's log files", Place: r.place}, func(w io.Writer) error {
		cmd := conn.Script(shell.Lean(collectLogScript), strconv.Itoa(c.LogBytes))
		cmd.User, cmd.Stdout = r.user, w
		_, err := r.run.Run(ctx, cmd)
		return err
	})
	if err != nil {
		rec.Gap("pgBackRest's log files", r.place, err)
	}
}
