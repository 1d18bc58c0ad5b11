package history

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// parseList reads a list in any of the ways in which builders print one: JSON,
// Go's %q of a slice (no commas) or Go's %v (no quotes either). It says whether
// the ends of its items had to be guessed. ok is false for what is no list.
func parseList(text string) (items []string, guessed, ok bool) {
	text = strings.TrimSpace(text)
	if json.Unmarshal([]byte(text), &items) == nil && items != nil {
		return items, false, true
	}
	inner, ok := strings.CutPrefix(text, "[")
	if !ok {
		return nil, false, false
	}
	if inner, ok = strings.CutSuffix(inner, "]"); !ok {
		return nil, false, false
	}
	if items, ok = quotedItems(inner); ok {
		return items, false, true
	}
	items = strings.Split(inner, " ")
	return items, len(items) > 1, true
}

// quotedItems reads strings in Go's quotes with blanks between.
func quotedItems(text string) (items []string, ok bool) {
	items = []string{}
	for text = strings.TrimLeft(text, " "); text != ""; text = strings.TrimLeft(text, " ") {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil || quoted[0] == '\'' {
			return nil, false
		}
		item, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, false
		}
		items, text = append(items, item), text[len(quoted):]
	}
	return items, true
}

// jsonList writes a list as Dockerfiles have it.
func jsonList(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = jsonString(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func jsonString(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(s) != nil {
		return strconv.Quote(s) // never: strings encode
	}
	// two of these together would begin a here-document, even in quotes
	text := strings.TrimSuffix(b.String(), "\n")
	for strings.Contains(text, "<<") {
		text = strings.ReplaceAll(text, "<<", `\u003c<`)
	}
	return text
}

// joinPaths puts the items of a %v list together again that can be no path of
// their own: those that do not begin with a slash.
func joinPaths(items []string) []string {
	var paths []string
	for _, item := range items {
		if len(paths) > 0 && !strings.HasPrefix(item, "/") {
			paths[len(paths)-1] += " " + item
			continue
		}
		paths = append(paths, item)
	}
	return paths
}
