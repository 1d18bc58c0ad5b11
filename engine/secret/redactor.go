package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// shortest is the length below which a secret is not searched for in text:
// replacing every "a" of a log would hide the log, not the secret.
const shortest = 4

// Redactor removes known secrets from text that is about to leave the process.
// The zero value knows none. It is safe for concurrent use.
type Redactor struct {
	mu    sync.RWMutex
	known map[string]bool
	rep   *strings.Replacer
}

// Add makes r hide v, in the forms in which tools commonly echo it: as it is,
// base64, URL-escaped, and as the inside of a JSON string.
func (r *Redactor) Add(v Value) {
	if len(v.text) < shortest {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known[v.text] {
		return
	}
	if r.known == nil {
		r.known = map[string]bool{}
	}
	r.known[v.text] = true
	r.rep = replacer(r.known)
}

// replacer prefers longer forms, so that no remainder of a secret survives a
// shorter one inside it.
func replacer(known map[string]bool) *strings.Replacer {
	var forms []string
	for text := range known {
		forms = append(forms, encodings(text)...)
	}
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	var pairs []string
	for _, f := range slices.Compact(forms) {
		pairs = append(pairs, f, Hidden)
	}
	return strings.NewReplacer(pairs...)
}

func encodings(text string) []string {
	quoted, _ := json.Marshal(text) // a string always marshals
	forms := []string{
		text,
		strings.TrimSuffix(strings.TrimPrefix(string(quoted), `"`), `"`),
		strings.ReplaceAll(text, "'", `'\''`),
		url.QueryEscape(text),
		url.PathEscape(text),
		base64.StdEncoding.EncodeToString([]byte(text)),
		base64.RawURLEncoding.EncodeToString([]byte(text)),
	}
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != text && len(line) >= 2*shortest {
			forms = append(forms, line)
		}
	}
	return forms
}

// Redact hides every known secret in s.
func (r *Redactor) Redact(s string) string {
	if r == nil {
		return s
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.rep == nil {
		return s
	}
	return r.rep.Replace(s)
}
