package bundle

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strings"
	"sync"

	"github.com/adbsql/antdbctl/engine/diagnosis/scan"
)

// rule knows one way in which text carries a secret that nobody has named.
type rule struct {
	kind     string
	triggers []string // one of which must be there, in any case (as written, when it is of three bytes)
	// re is matched against the line of a trigger and, with lines, those after
	// it. What its groups hold is hidden, or all of it without groups.
	re    *regexp.Regexp
	lines int
	keep  func(hidden []byte) bool // of what a group holds: it is no secret
}

// secretName ends the names of what is secret.
const secretName = `(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|credentials?)`

var nameTriggers = []string{"password", "passwd", "passphrase", "pwd=", "pwd:", `pwd"`, `pwd'`, "secret", "token", "apikey", "api_key", "api-key", "accesskey", "access_key",
	"access-key", "secretkey", "privatekey", "private_key", "private-key", "credential"}

// value is a quoted or plain value, quotation marks not hidden.
const value = `(?:\\"((?:[^"\\]|\\[^"])*)\\"|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.|'')*)'|([^\s,;&"'\\]+))`

var rules = []rule{
	{kind: "url", triggers: []string{"://"}, re: regexp.MustCompile(`://[^\s/:@"']*:([^\s/"']+)@`)},
	{kind: "assignment", triggers: nameTriggers, re: regexp.MustCompile(`(?i)[\w.-]*` + secretName + `\\?["']?\s?=>?\s?` + value), keep: harmless},
	{kind: "json", triggers: nameTriggers, re: regexp.MustCompile(`(?i)` + secretName + `\\*["']\s*:\s*(?:\\*"((?:[^"\\]|\\[^"])*)|'((?:[^'\\]|\\.)*)|([^\s"'{\[,}\\]+))`), keep: harmless},
	{kind: "yaml", triggers: nameTriggers, re: regexp.MustCompile(`(?im)^(?:\S+ std(?:out|err) [FP] )?[\s<>*-]*["']?[\w.-]*` + secretName + `["']?:[ \t]+["']?([^\s"']+)["']?[ \t\r]*$`), keep: harmless},
	{kind: "map", triggers: nameTriggers, re: regexp.MustCompile(`(?i)\b[\w.-]*` + secretName + `:([^\s:,;"'})\]/]+)`), keep: harmless},
	{kind: "env", triggers: nameTriggers, lines: 2, re: regexp.MustCompile(`(?i)\bname\\*["']?:\s*\\*["']?[\w.-]*` + secretName + `\\*["']?\s*,?\s*\\*["']?value\\*["']?:\s*` + value), keep: harmless},
	{kind: "env", triggers: nameTriggers, re: regexp.MustCompile(`(?i)"value\\*":\s*\\*"([^"\\]+)\\*"\s*,\s*\\*"name\\*":\s*\\*"[\w.-]*` + secretName + `\\*"`), keep: harmless},
	{kind: "option", triggers: nameTriggers, re: regexp.MustCompile(`(?i)--[\w-]*` + secretName + `[ =]` + value), keep: option},
	{kind: "sql", triggers: []string{"password"}, lines: 1, re: regexp.MustCompile(`(?i)\bpassword\s+(?:E|U&)?'((?:[^']|'')*)(?:'|$)`)},
	{kind: "chinese", triggers: []string{"密码", "口令"}, re: regexp.MustCompile(`(?:密码|口令)\s*[=:：为]\s*["'“]?([^\s"'”，。,]+)`), keep: inChinese},
	{kind: "header", triggers: []string{"authorization"}, re: regexp.MustCompile(`(?i)authorization\\*["']?\s*[:=]\s*\[?\\*["']?(?:basic|bearer|digest|negotiate|token)\s+([^\s"',\]\\]+)`)},
	{kind: "header", triggers: []string{"authorization"}, re: regexp.MustCompile(`(?i)authorization\\*["']?\s*[:=]\s*\[?\\*["']?([^\s"',\]\\]+)`), keep: isWord},
	{kind: "header", triggers: []string{"bearer"}, re: regexp.MustCompile(`(?i)\bbearer\s+([A-Za-z0-9._~+/=-]{12,})`), keep: isWord},
	{kind: "header", triggers: []string{"basic "}, re: regexp.MustCompile(`(?i)\bbasic\s+([A-Za-z0-9+/=_-]{6,})`), keep: noCredentials},
	{kind: "header", triggers: []string{"cookie:"}, re: regexp.MustCompile(`(?i)\b(?:set-)?cookie:\s*([^\r\n]+)`)},
	{kind: "option", triggers: []string{"curl"}, re: regexp.MustCompile(`\bcurl\b[^\n]*?\s(?:-u|--user)[ =]?["']?[^\s:"']+:([^\s"']+)`)},
	{kind: "jwt", triggers: []string{"eyJ"}, re: regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?`)},
	{kind: "verifier", triggers: []string{"scram-sha-"}, re: regexp.MustCompile(`(?i)SCRAM-SHA-\d+\$\d+:([A-Za-z0-9+/=$:]+)`)},
	{kind: "verifier", triggers: []string{"md5"}, re: regexp.MustCompile(`(?i)\bmd5[0-9a-f]{32}\b`)},
	{kind: "cloud key", triggers: []string{"akia", "asia"}, re: regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{kind: "age key", triggers: []string{"age-secret-key-"}, re: regexp.MustCompile(`(?i)AGE-SECRET-KEY-1[0-9A-Z]{8,}`)},
	{kind: "private key", triggers: []string{"ls0tls1crudjti"}, re: regexp.MustCompile(`LS0tLS1CRUdJTi[A-Za-z0-9+/=_-]+`), keep: noPrivateKey},
	{kind: "passfile", triggers: []string{":5432:", ":*:"}, re: regexp.MustCompile(`(?m)(?:^|\s)[\w.*-]+:(?:5432|\*):[\w*-]+:[\w*-]+:([^\s]+)`)},
	{kind: "secret", triggers: []string{`:"secret"`, `: "secret"`, `:\"secret\"`}, re: regexp.MustCompile(`\\?"(?:data|stringData)\\?":\s*\{([^{}]+)\}`)},
}

// triggers of all rules, and of what is found by code.
const (
	privateKey = "PRIVATE KEY-----"
	secretKind = "kind: Secret"
)

// prepared is the rules made ready to be looked for.
type prepared struct {
	literals *scan.Literals
	users    [][]int // by literal: rules; those found by code are negative
}

const (
	keyRule    = -1
	secretRule = -2
)

var ready = sync.OnceValue(func() prepared {
	var p prepared
	var literals []scan.Literal
	known := map[string]int{}
	add := func(trigger string, user int) {
		at, ok := known[trigger]
		if !ok {
			at = len(literals)
			known[trigger] = at
			literals = append(literals, scan.Literal{Text: trigger, Fold: len(trigger) > 3})
			p.users = append(p.users, nil)
		}
		p.users[at] = append(p.users[at], user)
	}
	for n, r := range rules {
		for _, trigger := range r.triggers {
			add(trigger, n)
		}
	}
	add(privateKey, keyRule)
	add(secretKind, secretRule)
	p.literals = scan.NewLiterals(literals)
	return p
})

// harmless knows values that tell no secret: switches, paths, and what has been
// hidden already.
func harmless(v []byte) bool {
	switch s := strings.ToLower(strings.Trim(string(v), `"'{}[]()`)); s {
	case "", "true", "false", "null", "nil", "none", "<nil>", "yes", "no", "on", "off", "md5", "scram-sha-256", "|", "|-", ">", "*", "secret", "<redacted>", "redacted":
		return true
	default:
		return len(s) == 1 || s[0] == '/' || strings.Trim(s, "*x") == "" || s[0] == '$' || strings.HasPrefix(s, "(secret")
	}
}

func option(v []byte) bool { return harmless(v) || v[0] == '-' }

// inChinese knows the words that follow "password" in messages.
func inChinese(v []byte) bool { return harmless(v) || v[0] >= 0x80 }

// isWord knows what is no token, since it has neither digit nor mark.
func isWord(v []byte) bool { return !bytes.ContainsAny(v, "0123456789._~+/=-") }

// noCredentials knows what does not decode to user:password.
func noCredentials(v []byte) bool {
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(string(v), "="))
	return err != nil || !bytes.ContainsRune(text, ':')
}

// noPrivateKey knows encoded certificates, which are public.
func noPrivateKey(v []byte) bool {
	head := v[:min(len(v), 64)/4*4]
	text, err := base64.StdEncoding.DecodeString(string(head))
	return err == nil && !bytes.Contains(text, []byte("PRIVATE"))
}
