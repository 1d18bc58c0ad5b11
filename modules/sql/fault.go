package sql

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/adbsql/antdbctl/engine/module"
)

// The conditions that modules decide by.
const (
	noPrivilege  = "42501"
	notGranted   = "01007" // a warning: the grant did nothing
	dependents   = "2BP01"
	objectInUse  = "55006"
	badPassword  = "28P01"
	badLogin     = "28000"
	noDatabase   = "3D000"
	noObject     = "42704"
	readOnlyTurn = "25006"
	tooMany      = "53300"
	notNow       = "57P03"
	notReady     = "55000" // object_not_in_prerequisite_state
)

// Fault is what the server said no to.
type Fault struct {
	State   string // SQLSTATE
	Message string
	Detail  string
	Hint    string
	Mark    string // the line of the statement and a caret under the position
}

func (f *Fault) Error() string {
	text := f.Message
	if f.State != "" {
		text += " (SQLSTATE " + f.State + ")"
	}
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	return text
}

func faultOf(err error) *Fault {
	f := (*Fault)(nil)
	errors.As(err, &f)
	return f
}

func stateOf(err error) string {
	if f := faultOf(err); f != nil {
		return f.State
	}
	return ""
}

// explain dresses a fault in the statement that argument arg holds.
func explain(arg string, err error) error {
	f := faultOf(err)
	if f == nil || errors.As(err, new(*module.ArgError)) {
		return err
	}
	if errors.As(err, new(*module.Explained)) { // by somebody who knows more
		return module.At(arg, err)
	}
	remedy := f.Hint
	if f.State == readOnlyTurn && arg == "sql" && remedy == "" {
		remedy = "sql.query only reads; make changes with sql.role, sql.database, sql.grant, sql.extension or container.exec"
	}
	if f.State == noObject && arg == "in_roles" && remedy == "" {
		remedy = "make that role first, by a sql.role step that in_roles refers to (step.NAME.role)"
	}
	var evidence []string
	if f.Mark != "" {
		evidence = append(evidence, strings.Split(f.Mark, "\n")...)
	}
	return module.At(arg, module.Explain(err, remedy, evidence...))
}

// names reports whether the message speaks of a thing by its name.
func (f *Fault) names(thing string) bool {
	at := strings.Index(f.Message, thing)
	if thing == "" || at < 0 {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(f.Message[:at])
	after, _ := utf8.DecodeRuneInString(f.Message[at+len(thing):])
	return !strings.ContainsRune("_", before) && !unicode.IsLetter(before) && !unicode.IsLetter(after)
}

// psql's report of an error at VERBOSITY verbose. The severity comes in the
// server's language, so only its shape counts.
var verboseError = regexp.MustCompile(`(?m)^(?:psql:[^:]*:\d+: )?[^\s:：]+[:：]\s+([0-9A-Z]{5}): (.*)$`)

// psqlFault reads an error out of psql's stderr; nil when there is none.
func psqlFault(stderr string) *Fault {
	at := verboseError.FindStringSubmatchIndex(stderr)
	if at == nil {
		return nil
	}
	f := &Fault{State: stderr[at[2]:at[3]], Message: strings.TrimRight(stderr[at[4]:at[5]], "\r")}
	lines := strings.Split(strings.Trim(stderr[at[1]:], "\n"), "\n")
	for i, line := range lines {
		label, text, _ := strings.Cut(line, ":  ")
		switch {
		case label == "DETAIL":
			f.Detail = text
		case label == "HINT":
			f.Hint = text
		case i+1 < len(lines) && strings.TrimSpace(lines[i+1]) == "^":
			f.Mark = line + "\n" + lines[i+1]
		}
	}
	return f
}

// psqlShortfall reads a warning that a grant did nothing out of psql's stderr:
// the server does not fail then, if the grantor has any privilege on the thing.
func psqlShortfall(stderr string) error {
	for _, at := range verboseError.FindAllStringSubmatchIndex(stderr, -1) {
		if stderr[at[2]:at[3]] == notGranted {
			return psqlFault(stderr[at[0]:])
		}
	}
	return nil
}

// wireFault is err with the server's answer as a Fault, where there is one.
// head is what was sent before the statement.
func wireFault(err error, head, statement string) error {
	pg := (*pgconn.PgError)(nil)
	if !errors.As(err, &pg) {
		return err
	}
	position := int(pg.Position) - utf8.RuneCountInString(head)
	return &Fault{State: pg.Code, Message: pg.Message, Detail: pg.Detail, Hint: pg.Hint, Mark: mark(statement, position)}
}

// mark shows where in a statement position (in characters, from 1) is.
func mark(statement string, position int) string {
	if position < 1 || position > utf8.RuneCountInString(statement)+1 {
		return ""
	}
	before := string([]rune(statement)[:position-1])
	line := strings.Count(before, "\n") + 1
	start := strings.LastIndexByte(before, '\n') + 1
	head := fmt.Sprintf("LINE %d: ", line)
	text, _, _ := strings.Cut(statement[start:], "\n")
	indent := strings.Repeat(" ", len(head)+utf8.RuneCountInString(before[start:]))
	return head + text + "\n" + indent + "^"
}
