package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// askInfo prints the clock of the place, by which the ages of backups count,
// and then what pgBackRest knows.
const askInfo = `date +%s && pgbackrest --stanza="$1" --log-level-console=off --output=json info`

// info asks pgBackRest about the stanza. It gives the time of the place, too.
func (p *place) info(ctx context.Context) (*stanza, time.Time, error) {
	cmd := conn.Look(askInfo, p.stanza)
	cmd.User = p.user
	res, err := p.repo.Run(ctx, cmd)
	if err != nil {
		return nil, time.Time{}, p.failed(ctx, "info", err)
	}
	clock, answer, _ := strings.Cut(res.Stdout, "\n")
	seconds, err := strconv.ParseInt(strings.TrimSpace(clock), 10, 64)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("the clock there says %.40q", clock)
	}
	s, err := readInfo(answer, p.stanza)
	return s, time.Unix(seconds, 0), err
}

// said is a line of pgBackRest: "P00  ERROR: [050]: unable to acquire lock …".
var said = regexp.MustCompile(`(?:ERROR|WARN): (?:\[(\d{3})\]: )?(.*)`)

// Errors of pgBackRest that modules decide by; it ends with them as its status.
const (
	errLocked  = 50
	errMissing = 55
)

// remedies say what to do about pgBackRest's errors, by its numbers.
var remedies = map[int]string{
	28:  "the repository was made for another database: empty it (keep_backups = false when the cluster was destroyed), then make the stanza again",
	32:  "give the stanza's settings: pgbackrest.conf or PGBACKREST_ variables are missing where it runs",
	37:  "give the stanza's settings: pgbackrest.conf or PGBACKREST_ variables are missing where it runs",
	39:  "something writes into the connection between database and repository, often a banner of a shell there",
	44:  "the repository belongs to another database: it was kept from an older cluster of that name; empty it, then make the stanza again",
	46:  "this pgBackRest does not know the server's version: bring a newer one in the images",
	49:  "the other side cannot be reached: look at its sshd (port 2022), its name, and network policies",
	50:  "another pgBackRest works on this stanza: wait for it, or end it when it hangs",
	51:  "the repository belongs to another database: empty it, then make the stanza again",
	55:  "the stanza is not there, or a file of the database is not: make the stanza (Job stanza-create), and compare the clocks of pods and nodes",
	56:  "pgBackRest finds no primary: look at the network between repository and database (sshd on port 2022), and at pg_hba.conf's local lines",
	58:  "the path of the database is not the one that its server uses: compare PGBACKREST_PG1_PATH with SHOW data_directory",
	62:  "backups were stopped: pgbackrest start",
	82:  "WAL does not arrive in the archive: backup.check tells why",
	87:  "switch archive_mode on (patroni.config), and restart the server",
	103: "the repository cannot be used: look at its volume and at who owns it",
	125: "the process on the other side ended: look at its log, and at the ssh keys of the two pods",
}

// failed explains a pgbackrest command that did not work.
func (p *place) failed(ctx context.Context, command string, err error) error {
	exit := (*conn.ExitError)(nil)
	if !errors.As(err, &exit) {
		return err
	}
	if exit.Code == 127 {
		return module.Explain(fmt.Errorf("there is no pgbackrest in %s", p.where()), "let the step work where pgBackRest is: the database or repository container")
	}
	text := exit.Stdout + "\n" + exit.Stderr
	cause, remedy, evidence := p.diagnose(ctx, text)
	return module.Explain(fmt.Errorf("pgbackrest %s of stanza %s: %s", command, p.stanza, cmp.Or(cause, lastLine(text))), remedy, evidence...)
}

// unwritten is a file that pgBackRest could not write, by its messages.
var unwritten = regexp.MustCompile(`unable to (?:write|open file|create path|sync file|close file) '([^']+)'`)

// room prints the file system of a path, or of its nearest folder that is there.
const room = `f=$1; while [ ! -e "$f" ] && [ "$f" != / ]; do f=$(dirname "$f"); done; df -Pk "$f" | tail -n 1; ls -ld "$f"; id`

// diagnose finds the error that pgBackRest ended with, and what to do about it.
// That the disk is full is not always in its words, so it is looked up.
func (p *place) diagnose(ctx context.Context, text string) (cause, remedy string, evidence []string) {
	cause, remedy = verdict(text)
	evidence = telling(text)
	file := unwritten.FindStringSubmatch(text)
	if file == nil {
		return cause, remedy, evidence
	}
	look := conn.Look(room, file[1])
	look.User = p.user
	res, err := p.repo.Run(ctx, look)
	if err != nil {
		return cause, remedy, evidence // evidence may be missing
	}
	lines := strings.Split(strings.TrimSpace(res.Stdout), "\n")
	if disk := strings.Fields(lines[0]); len(disk) == 6 && (disk[4] == "100%" || disk[3] == "0") {
		return fmt.Sprintf("the disk at %s is full: %s", disk[5], cause), remedyFull, append(evidence, lines[0])
	}
	return cause, cmp.Or(remedy, "look at who may write there: the folder's owner and mode, and who pgBackRest runs as, stand below"), append(evidence, lines...)
}

const remedyFull = "the repository's volume is full: enlarge it, or keep fewer backups (repo1-retention-full) and run pgbackrest expire"

// verdict finds the error that pgBackRest ended with, and what to do about it.
func verdict(text string) (cause, remedy string) {
	if strings.Contains(text, "No space left on device") {
		return "No space left on device", remedyFull
	}
	for _, m := range said.FindAllStringSubmatch(text, -1) {
		if m[1] == "" {
			continue
		}
		number, _ := strconv.Atoi(m[1])
		cause, remedy = strings.TrimSpace(fmt.Sprintf("[%s] %s", m[1], m[2])), remedies[number]
	}
	return cause, remedy
}

// telling picks the lines that carry the cause.
func telling(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		for _, mark := range []string{"ERROR:", "WARN:", "FATAL:", "HINT:", "No space left", "ermission denied", "does not have a host assigned", "not found"} {
			if strings.Contains(line, mark) {
				lines = append(lines, line)
				break
			}
		}
	}
	return lines[max(0, len(lines)-12):]
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
