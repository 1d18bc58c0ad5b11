package report

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/module"
)

// style colours text, or leaves it as it is. Every line makes sense without.
type style struct{ on bool }

func (s style) paint(color, text string) string {
	if !s.on || text == "" {
		return text
	}
	return lipgloss.NewStyle().Foreground(lipgloss.Color(color)).Render(text)
}

func (s style) good(text string) string { return s.paint("2", text) }
func (s style) bad(text string) string  { return s.paint("1", text) }
func (s style) warn(text string) string { return s.paint("3", text) }
func (s style) dim(text string) string  { return s.paint("8", text) }

func (s style) action(a module.Action, status event.Status) string {
	switch {
	case status == event.Deferred:
		return s.dim("?")
	case a == module.Create:
		return s.good(a.Symbol())
	case a == module.Delete, a == module.Replace:
		return s.bad(a.Symbol())
	}
	return s.warn(a.Symbol())
}

// size says a size in powers of 1024.
func size(n int64) string {
	const units = "KMGTP"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, u := float64(n)/1024, 0
	for v >= 1024 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[u])
}

func amount(n int64, unit string) string {
	if unit == "B" {
		return size(n)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", n, unit))
}

// fraction is "3 of 10 steps", "1.5 MiB of 2.0 GiB", "1.5 of 2.0 GiB".
func fraction(done, total int64, unit string) string {
	if unit == "B" {
		part, whole := size(done), size(total)
		number, power, _ := strings.Cut(part, " ")
		if strings.HasSuffix(whole, " "+power) {
			part = number
		}
		return part + " of " + whole
	}
	return fmt.Sprintf("%d of %s", done, amount(total, unit))
}

func seconds(s float64) string {
	if s >= 90 {
		return time.Duration(s * float64(time.Second)).Round(time.Second).String()
	}
	if s >= 10 {
		return fmt.Sprintf("%.1f s", s)
	}
	return fmt.Sprintf("%.2f s", s)
}

// plural is "1 step", "2 steps".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// visible makes what was read somewhere safe for a terminal and shows what one
// would not see: control characters become their pictures, as ␍ for a carriage
// return. Tabs and line ends stay.
func visible(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t':
			return c
		case c < ' ':
			return '␀' + c
		case c == 0x7f:
			return '␡'
		case c > 0x7f && c < 0xa0:
			return '\ufffd'
		}
		return c
	}, text)
}
