package sql

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

var (
	//go:embed collect_data.sh
	dataScript string
	//go:embed collect_log.sh
	logScript string
)

// data tells of the data directory, also of one whose server is down. It gives
// the directory's path.
func (c *Collect) data(ctx context.Context, s *instance, rec evidence.Recorder) string {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	out := &transcript{}
	cmd := conn.Script(shell.Lean(dataScript))
	cmd.Stdout, cmd.User = out, s.osUser
	_, err := s.run.Run(ctx, cmd)
	f, isWhole := readData(out.String())
	switch {
	case f.Path == "" && err == nil:
		err = fmt.Errorf("unexpected answer %.100q", out.String())
	case err == nil && !isWhole:
		err = errors.New("the answer is not whole")
	}
	if err != nil {
		rec.Gap("its data directory", s.place, said(err))
	}
	if f.Path != "" {
		rec.Fact(f.Path, s.place, f)
	}
	return f.Path
}

// said is what a script that failed had to say.
func said(err error) error {
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) && strings.TrimSpace(exit.Stderr) != "" {
		return errors.New(lastLineOf(exit.Stderr))
	}
	return err
}

// readData reads the script's answer; isWhole says that it came to its end.
func readData(text string) (f *evidence.DataFolder, isWhole bool) {
	f = &evidence.DataFolder{UID: -1, Free: -1, Shm: -1, WAL: -1}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "path":
			f.Path = value
		case "major":
			f.Major = value
		case "mode": // "drwx------ 19 26 26 4096 …"
			if fields := strings.Fields(value); len(fields) > 3 {
				f.Mode = permissions(fields[0])
				f.UID, _ = strconv.ParseInt(fields[2], 10, 64)
			}
		case "disk":
			if free, used, ok := readSpace(value); ok {
				f.Free = free
				if free+used > 0 {
					f.Percent = (used*100 + free + used - 1) / (free + used)
				}
			}
		case "shm":
			if free, _, ok := readSpace(value); ok {
				f.Shm = free
			}
		case "wal":
			kib, _, _ := strings.Cut(value, "\t")
			if n, err := strconv.ParseInt(strings.TrimSpace(kib), 10, 64); err == nil {
				f.WAL = n << 10
			}
		case "copy":
			f.Copies = append(f.Copies, value)
		case "guard":
			f.Guards = append(f.Guards, value)
		case "over":
			isWhole = true
		}
	}
	return f, isWhole
}

// readSpace reads a line of `df -Pk`. Names in it may have blanks, so the
// percentage is the anchor.
func readSpace(line string) (free, used int64, ok bool) {
	f := strings.Fields(line)
	for i := 3; i < len(f); i++ {
		if !strings.HasSuffix(f[i], "%") {
			continue
		}
		u, err1 := strconv.ParseInt(f[i-2], 10, 64)
		a, err2 := strconv.ParseInt(f[i-1], 10, 64)
		if err1 == nil && err2 == nil {
			return a << 10, u << 10, true
		}
	}
	return 0, 0, false
}

// permissions are those of a mode as ls writes it ("drwx------"), in octal.
func permissions(written string) string {
	if len(written) < 10 {
		return ""
	}
	bits := int64(0)
	for i, c := range written[1:10] {
		if strings.ContainsRune("rwxst", c) {
			bits |= 1 << (8 - i)
		}
		if strings.ContainsRune("sStT", c) {
			bits |= 0o4000 >> (i / 3)
		}
	}
	return strconv.FormatInt(bits, 8)
}

// serverLog streams the end of the file that the server logs into. Most servers
// of the operator have one; others log into the container's log.
func (c *Collect) serverLog(ctx context.Context, s *instance, rec evidence.Recorder, data, folder string) {
	if data == "" {
		return
	}
	err := evidence.Stream(rec, evidence.Log{Kind: evidence.ServerLog, Name: "log file of the server", Place: s.place}, func(w io.Writer) error {
		cmd := conn.Script(shell.Lean(logScript), data, folder, strconv.Itoa(c.LogBytes))
		cmd.Stdout, cmd.User = w, s.osUser
		_, err := s.run.Run(ctx, cmd)
		return err
	})
	if err != nil {
		rec.Gap("the log file of its server", s.place, said(err))
	}
}
