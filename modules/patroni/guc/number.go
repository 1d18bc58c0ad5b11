package guc

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The units that a value may carry, by family, as multiples of the smallest.
var (
	sizes = map[string]float64{"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
	times = map[string]float64{"us": 1, "ms": 1e3, "s": 1e6, "min": 6e7, "h": 3.6e9, "d": 8.64e10}
)

// number reads a number with or without a unit, and gives it in the setting's
// own unit, rounded to a whole one for an integer, as the server does.
func (s Setting) number(value string) (string, error) {
	text := strings.TrimSpace(value)
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	if strings.HasPrefix(strings.ToLower(text), "0x") {
		digits = text // a hexadecimal number carries no unit
	}
	unit := text[len(digits):]
	n, err := parse(strings.TrimSpace(digits))
	if err != nil {
		return "", fmt.Errorf("%s takes a number, not %q", s.Name, value)
	}
	if unit != "" {
		factor, err := s.factor(unit)
		if err != nil {
			return "", err
		}
		n *= factor
	}
	if s.Type == "integer" {
		n = math.RoundToEven(n)
	}
	if err := s.within(n, value); err != nil {
		return "", err
	}
	return strconv.FormatFloat(n, 'f', -1, 64), nil
}

func parse(digits string) (float64, error) {
	if n, err := strconv.ParseFloat(digits, 64); err == nil && !strings.ContainsAny(digits, "xXpP_") {
		return n, nil
	}
	n, err := strconv.ParseInt(digits, 0, 64)
	return float64(n), err
}

// factor is how many of the setting's own units one of unit is.
func (s Setting) factor(unit string) (float64, error) {
	count, base := 1.0, s.Unit
	if at := strings.IndexFunc(base, func(r rune) bool { return r < '0' || r > '9' }); at > 0 {
		count, _ = strconv.ParseFloat(base[:at], 64) // "8kB": a block
		base = base[at:]
	}
	for _, family := range []map[string]float64{sizes, times} {
		mine, ok := family[base]
		if !ok {
			continue
		}
		if theirs, ok := family[unit]; ok {
			return theirs / (mine * count), nil
		}
	}
	if s.Unit == "" {
		return 0, fmt.Errorf("%s is a bare number: it takes no unit %q", s.Name, unit)
	}
	return 0, fmt.Errorf("%s is measured in %s: it takes no unit %q (sizes: B, kB, MB, GB, TB; times: us, ms, s, min, h, d; case matters)", s.Name, s.Unit, unit)
}

func (s Setting) within(n float64, value string) error {
	low, errLow := strconv.ParseFloat(s.Min, 64)
	high, errHigh := strconv.ParseFloat(s.Max, 64)
	if errLow == nil && n < low || errHigh == nil && n > high {
		return fmt.Errorf("%s = %s is out of its range, %s to %s", s.Name, value, s.Show(s.Min), s.Show(s.Max))
	}
	return nil
}

// Show is a value of pg_settings as people write it: 16384 (of 8kB) is 128MB.
func (s Setting) Show(value string) string {
	if s.Unit == "" || s.Type != "integer" && s.Type != "real" {
		return value
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || n <= 0 { // 0 and -1 mean something of their own
		return value
	}
	for _, unit := range []string{"TB", "GB", "MB", "kB", "B", "d", "h", "min", "s", "ms", "us"} {
		factor, err := s.factor(unit)
		if err != nil {
			continue
		}
		if whole := n / factor; whole >= 1 && whole == math.Trunc(whole) {
			return strconv.FormatFloat(whole, 'f', -1, 64) + unit
		}
	}
	return value
}
