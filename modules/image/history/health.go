package history

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// healthcheck turns Docker's print of its health check structure into the
// instruction. Three ways of printing are about: quoted (to 24 and 26 to 28),
// bare (25) and with field names (29). ok is false for what is none of these.
func healthcheck(text string) (instruction string, guessed, ok bool) {
	body := strings.TrimPrefix(strings.TrimSpace(text), "&")
	if !strings.HasPrefix(body, "{") || !strings.HasSuffix(body, "}") {
		return "", false, false
	}
	body = body[1 : len(body)-1]
	body = fieldNames.ReplaceAllString(body, "$1")
	end := testEnd(body)
	if end < 0 {
		return "", false, false
	}
	test, guessed, ok := parseList(body[:end])
	if !ok {
		return "", false, false
	}
	if guessed { // unquoted: only the first word's end is sure
		test = []string{test[0], strings.Join(test[1:], " ")}
		guessed = test[0] != "CMD-SHELL"
	}
	h := v1.HealthConfig{Test: test}
	fields := strings.Fields(body[end:])
	if len(fields) < 3 {
		return "", false, false
	}
	var spans []time.Duration
	for _, f := range fields[:len(fields)-1] {
		d, err := time.ParseDuration(strings.Trim(f, `"`))
		if err != nil {
			return "", false, false
		}
		spans = append(spans, d)
	}
	h.Interval, h.Timeout = spans[0], spans[1]
	if len(spans) > 2 {
		h.StartPeriod = spans[2]
	}
	if h.Retries, ok = retries(fields[len(fields)-1]); !ok {
		return "", false, false
	}
	text = HealthcheckOf(h)
	if len(spans) > 3 && spans[3] != 0 {
		text = "--start-interval=" + spans[3].String() + " " + text
	}
	return text, guessed, true
}

var fieldNames = regexp.MustCompile(`(^|[\] ])(?:Test|Interval|Timeout|StartPeriod|StartInterval|Retries):`)

// testEnd is where the list that a health check begins with ends.
func testEnd(body string) int {
	for i := len(body) - 1; i >= 0; i-- {
		if body[i] == ']' {
			return i + 1
		}
	}
	return -1
}

// retries reads a number that may be printed as a character: '\x03'.
func retries(text string) (int, bool) {
	if n, err := strconv.Atoi(text); err == nil {
		return n, true
	}
	inner, ok := strings.CutPrefix(text, "'")
	if !ok {
		return 0, false
	}
	r, _, _, err := strconv.UnquoteChar(inner, '\'')
	return int(r), err == nil
}

// HealthcheckOf is the instruction for the health check of an image.
func HealthcheckOf(h v1.HealthConfig) string {
	if len(h.Test) > 0 && h.Test[0] == "NONE" {
		return "NONE"
	}
	var words []string
	for _, f := range []struct {
		flag string
		span time.Duration
	}{{"--interval=", h.Interval}, {"--timeout=", h.Timeout}, {"--start-period=", h.StartPeriod}} {
		if f.span != 0 {
			words = append(words, f.flag+f.span.String())
		}
	}
	if h.Retries != 0 {
		words = append(words, "--retries="+strconv.Itoa(h.Retries))
	}
	switch {
	case len(h.Test) == 2 && h.Test[0] == "CMD-SHELL":
		words = append(words, "CMD "+h.Test[1])
	case len(h.Test) > 1:
		words = append(words, "CMD "+jsonList(h.Test[1:]))
	}
	return strings.Join(words, " ")
}
