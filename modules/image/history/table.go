package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxText is more history than any image has.
const maxText = 16 << 20

// ReadText reads what `docker history --no-trunc` printed, the newest row
// first: as a table, alone or within other text, or as lines of JSON. The rows
// come oldest first.
func ReadText(r io.Reader) ([]Row, error) {
	var lines []string
	sc := bufio.NewScanner(io.LimitReader(r, maxText))
	sc.Buffer(nil, 4<<20)
	for sc.Scan() {
		lines = append(lines, strings.TrimRight(sc.Text(), "\r"))
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	rows, err := jsonRows(lines)
	if len(rows) == 0 && err == nil {
		rows, err = tableRows(lines)
	}
	if err != nil {
		return nil, err
	}
	slices.Reverse(rows)
	return rows, check(rows)
}

// ErrNoHistory says that a text is no history of an image.
var ErrNoHistory = errors.New("this is no output of `docker history --no-trunc`")

// check refuses text whose rows tell nothing.
func check(rows []Row) error {
	told := 0
	for i, row := range rows {
		if strings.HasSuffix(row.By, "…") || len(row.By) == 45 && strings.HasSuffix(row.By, "...") {
			return fmt.Errorf("row %d is cut (%s): print the history with --no-trunc", len(rows)-i, row.By)
		}
		if row.By != "" {
			told++
		}
	}
	if told == 0 {
		return ErrNoHistory
	}
	return nil
}

// jsonRows reads `docker history --no-trunc --format '{{json .}}'`.
func jsonRows(lines []string) (rows []Row, err error) {
	for n, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if !strings.HasPrefix(strings.TrimSpace(line), "{") {
			return nil, nil
		}
		var row struct{ CreatedBy, CreatedAt, Comment *string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			return nil, fmt.Errorf("line %d: %w: %w", n+1, ErrNoHistory, err)
		}
		if row.CreatedBy == nil {
			return nil, fmt.Errorf("line %d: %w: it has no CreatedBy", n+1, ErrNoHistory)
		}
		r := Row{By: *row.CreatedBy, Layer: -1}
		if row.Comment != nil {
			r.Comment = *row.Comment
		}
		if row.CreatedAt != nil {
			r.Created = *row.CreatedAt
		}
		rows = append(rows, r)
	}
	return rows, nil
}

var (
	header   = regexp.MustCompile(`^\W*(IMAGE|ID|SNAPSHOT)\s+CREATED\s+CREATED BY\s+SIZE(\s+COMMENT)?\s*$`)
	rowStart = regexp.MustCompile(`^\s*(<missing>|(?:sha256:)?[0-9a-f]{64}|[0-9a-f]{12})(?:\s+|$)`)
	age      = regexp.MustCompile(`^((?:Less than |About )?(?:an?|\d+) (?:second|minute|hour|day|week|month|year)s?(?: ago)?|N/A|\d{4}-\d\d-\d\dT\S+|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [+-]\d{4}(?: [A-Z]+)?)(?:\s+|$)`)
	rowEnd   = regexp.MustCompile(`^(.*?)(?:(?:^|\s{2,}|\t)` + sizeCell + `)(?:(?:\s{2,}|\t)(\S.*?))?\s*$`)
	bareEnd  = regexp.MustCompile(`^(.*?)\s{2,}\d+(?:\s{2,}(\S.*?))?\s*$`) // --human=false
	tightEnd = regexp.MustCompile(`^(.*)\s` + sizeCell + `()\s*$`)         // blanks lost by copying
)

const sizeCell = `\d+(?:\.\d+)?(?:e[+-]\d+)?\s?[kKMGTP]?i?B`

// tableRow is a row of the table while its lines come in.
type tableRow struct {
	Row
	parts []string // lines of the cell CREATED BY
	done  bool     // its size was seen
	exact bool     // times and sizes are numbers (--human=false)
}

// tableRows reads the table. Lines of a command of several lines begin with no
// image.
func tableRows(lines []string) ([]Row, error) {
	lines = unbroken(fromHeader(lines))
	var table []*tableRow
	for _, line := range lines {
		m := rowStart.FindStringSubmatch(line)
		if m == nil && len(table) > 0 && table[len(table)-1].done {
			if strings.TrimSpace(line) == "" {
				continue
			}
			break // text behind the table
		}
		switch {
		case m != nil:
			row := &tableRow{Row: Row{Layer: -1}}
			rest := line[len(m[0]):]
			row.Created, rest = createdCell(rest)
			row.exact = strings.Contains(row.Created, "T") && strings.Contains(row.Created, ":")
			row.take(rest)
			table = append(table, row)
		case len(table) > 0:
			table[len(table)-1].take(line)
		}
	}
	var rows []Row
	for i, row := range table {
		if !row.finish() {
			return nil, fmt.Errorf("%w: its row %d has no size at the end", ErrNoHistory, i+1)
		}
		row.By = strings.Join(row.parts, "\n")
		rows = append(rows, row.Row)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: no line begins with the ID of an image or <missing>", ErrNoHistory)
	}
	return rows, nil
}

// fromHeader leaves out what stands before the table.
func fromHeader(lines []string) []string {
	for i, line := range lines {
		if header.MatchString(line) {
			return lines[i+1:]
		}
	}
	return lines
}

// unbroken joins lines that a terminal broke: all that go on are as wide as the
// widest, while lines that an author broke have any width.
func unbroken(lines []string) []string {
	width := 0
	for _, line := range lines {
		width = max(width, utf8.RuneCountInString(line))
	}
	var joined []string
	open := false
	for i, line := range lines {
		if open {
			joined[len(joined)-1] += line
		} else {
			joined = append(joined, line)
		}
		full := utf8.RuneCountInString(line) == width && width >= minWidth
		last := i+1 == len(lines) || rowStart.MatchString(lines[i+1]) || strings.TrimSpace(lines[i+1]) == ""
		if open = full && !last && !rowEnd.MatchString(joined[len(joined)-1]); !open && !last && rowStart.MatchString(joined[len(joined)-1]) &&
			!rowEnd.MatchString(joined[len(joined)-1]) {
			return lines // a row goes on after a line that is not full
		}
	}
	return joined
}

// minWidth is less than any terminal has.
const minWidth = 40

// createdCell splits off the words for when: known ones, or those of another
// language up to a gap.
func createdCell(text string) (created, rest string) {
	if m := age.FindStringSubmatch(text); m != nil {
		return m[1], text[len(m[0]):]
	}
	if i := strings.IndexAny(text, "\t"); i >= 0 {
		return text[:i], strings.TrimLeft(text[i:], " \t")
	}
	created, rest, found := strings.Cut(text, "  ")
	if !found {
		return "", text
	}
	return created, strings.TrimLeft(rest, " ")
}

// take adds a line to the row.
func (r *tableRow) take(text string) {
	ends := []*regexp.Regexp{rowEnd}
	if r.exact {
		ends = append(ends, bareEnd)
	}
	for _, end := range ends {
		if m := end.FindStringSubmatch(text); m != nil {
			r.done, text, r.Comment = true, m[1], m[2]
			break
		}
	}
	r.parts = append(r.parts, text)
}

// finish looks once more for a size when the row's last line is known.
func (r *tableRow) finish() bool {
	last := len(r.parts) - 1
	if m := tightEnd.FindStringSubmatch(r.parts[last]); !r.done && m != nil {
		r.done, r.parts[last] = true, m[1]
	}
	return r.done
}
