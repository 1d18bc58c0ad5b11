// Package debian knows the Debian below the lab: its apt sources, the packages the lab needs,
// and how to make a root file system out of packages.
package debian

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Release is the Debian release of every image of the lab, whatever the host runs.
const Release = "bookworm"

// stanza is one apt source: the keys of deb822 in lower case.
type stanza map[string]string

// Sources reads the host's Debian mirrors below dir (/etc/apt) and returns them in deb822 form for Release.
// Third-party sources are left out: what an image of the lab holds must not depend on them.
func Sources(dir, hostCodename string) (string, error) {
	var found []stanza
	oneLine, _ := filepath.Glob(filepath.Join(dir, "sources.list.d", "*.list"))
	for _, file := range append([]string{filepath.Join(dir, "sources.list")}, oneLine...) {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // neither form is obligatory
		}
		found = append(found, parseOneLine(string(content))...)
	}
	deb822, _ := filepath.Glob(filepath.Join(dir, "sources.list.d", "*.sources"))
	for _, file := range deb822 {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read apt source: %w", err)
		}
		found = append(found, parseDeb822(string(content))...)
	}
	var out strings.Builder
	for _, s := range found {
		if suites := debianSuites(s, hostCodename); len(suites) > 0 {
			s.write(&out, suites)
		}
	}
	if out.Len() == 0 {
		return "", fmt.Errorf("no apt source below %s has suite %q with component main", dir, hostCodename)
	}
	return out.String(), nil
}

// debianSuites are the suites of s that belong to the release itself, renamed to Release; none when s is not Debian's.
func debianSuites(s stanza, codename string) []string {
	if !slices.Contains(strings.Fields(s["types"]), "deb") || !slices.Contains(strings.Fields(s["components"]), "main") || s["enabled"] == "no" {
		return nil
	}
	var suites []string
	for _, suite := range strings.Fields(s["suites"]) {
		rest, ok := strings.CutPrefix(suite, codename)
		if ok && (rest == "" || rest == "-updates" || rest == "-security") {
			suites = append(suites, Release+rest)
		}
	}
	return suites
}

func (s stanza) write(out *strings.Builder, suites []string) {
	fmt.Fprintf(out, "Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n", s["uris"], strings.Join(suites, " "))
	if key := s["signed-by"]; key != "" {
		fmt.Fprintf(out, "Signed-By: %s\n", key)
	}
	out.WriteString("\n")
}

func parseDeb822(text string) []stanza {
	var all []stanza
	current, last := stanza{}, ""
	flush := func() {
		if len(current) > 0 {
			all = append(all, current)
		}
		current, last = stanza{}, ""
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.TrimSpace(line) == "":
			flush()
		case strings.HasPrefix(line, "#"):
		case line[0] == ' ' || line[0] == '\t': // goes on with the last value, e.g. a key inlined in Signed-By
			current[last] += "\n" + line
		default:
			key, value, _ := strings.Cut(line, ":")
			last = strings.ToLower(strings.TrimSpace(key))
			current[last] = strings.TrimSpace(value)
		}
	}
	flush()
	return all
}

func parseOneLine(text string) []stanza {
	var all []stanza
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		s := stanza{}
		if before, rest, ok := strings.Cut(line, "["); ok {
			options, after, _ := strings.Cut(rest, "]")
			for _, option := range strings.Fields(options) {
				if key, value, ok := strings.Cut(option, "="); ok {
					s[key] = value
				}
			}
			line = before + " " + after
		}
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		s["types"], s["uris"], s["suites"], s["components"] = fields[0], fields[1], fields[2], strings.Join(fields[3:], " ")
		all = append(all, s)
	}
	return all
}
