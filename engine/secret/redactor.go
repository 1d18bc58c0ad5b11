package secret

import (
	"encoding/base64"
	"encoding/hex"
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
	index *index // for Find; nil when it is to be made
}

// Add makes r hide v, in the forms in which tools commonly echo it: as it is,
// base64 (also as a part of what was encoded), hex, URL-escaped, quoted for SQL
// and shells, and as the inside of a JSON string, also of JSON in JSON.
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
	r.rep, r.index = replacer(r.known), nil
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
	quoted := inJSON(text)
	forms := []string{
		text,
		quoted,
		inJSON(quoted),
		strings.ReplaceAll(text, "'", `'\''`),
		strings.ReplaceAll(text, "'", "''"),
		url.QueryEscape(text),
		url.PathEscape(text),
		base64.StdEncoding.EncodeToString([]byte(text)),
		base64.RawStdEncoding.EncodeToString([]byte(text)),
		base64.URLEncoding.EncodeToString([]byte(text)),
		base64.RawURLEncoding.EncodeToString([]byte(text)),
	}
	if len(text) >= 2*shortest {
		forms = append(forms, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text))))
		forms = append(forms, insideBase64(text)...)
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

func inJSON(text string) string {
	quoted, _ := json.Marshal(text) // a string always marshals
	return string(quoted[1 : len(quoted)-1])
}

// insideBase64 gives what text turns into when it is encoded with something
// before and behind it, as passwords are in Basic credentials: the characters
// that depend on text alone.
func insideBase64(text string) []string {
	var forms []string
	for before := range 3 {
		whole := append(make([]byte, before), text...)
		from, to := (before*8+5)/6, len(whole)*8/6
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, encoding.EncodeToString(whole)[from:to])
		}
	}
	return forms
}
