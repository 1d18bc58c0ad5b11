package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// readable is a text as it is, what has parts as JSON, and as an outline where
// that would be long.
func readable(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	if line := oneLine(value); len(line) <= 100 {
		return line
	}
	return strings.Join(outline(value), "\n")
}

func oneLine(value any) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSpace(out.String())
}

// outline lists parts one below the other, those of parts further in.
func outline(value any) []string {
	var lines []string
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			lines = append(lines, under(key, v[key])...)
		}
	case []any:
		for _, part := range v {
			if text, ok := part.(string); ok {
				lines = append(lines, strings.Split(text, "\n")...)
			} else {
				lines = append(lines, "- "+oneLine(part))
			}
		}
	default:
		return []string{oneLine(value)}
	}
	return lines
}

// under is a part with its name: beside it where it is short.
func under(name string, part any) []string {
	if text, ok := part.(string); ok && !strings.Contains(text, "\n") {
		return []string{name + ": " + text}
	}
	if line := oneLine(part); len(line) <= 60 && !strings.HasPrefix(line, "[") {
		return []string{name + ": " + line}
	}
	lines := []string{name + ":"}
	for _, line := range outline(part) {
		lines = append(lines, "  "+line)
	}
	return lines
}
