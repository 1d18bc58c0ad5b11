package live_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/bundle"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// look diagnoses the broken site. When ANTDBCTL_RECORD is set it packs what is to
// be seen of it and diagnoses that, so that it can be kept.
func (l *lab) look() (file string, o outcome) {
	l.t.Helper()
	if os.Getenv("ANTDBCTL_RECORD") == "" {
		return "", l.diagnose()
	}
	dir, err := os.MkdirTemp("", "antdbctl-live-")
	require.NoError(l.t, err)
	l.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file = filepath.Join(dir, "site.bundle")
	args := slices.Concat([]string{"bundle", l.book, "-o", file, "--budget", "90s", "--var-file", filepath.Join(l.dir, "site.hcl")}, l.vars)
	out, err := exec.Command(l.program, args...).CombinedOutput()
	require.NoError(l.t, err, string(out))
	return file, l.run("diagnose", "--json", "--bundle", file)
}

// recorded is what was to be seen of one break, as a case of the corpus.
func (l *lab) recorded(b breakage, cluster, file string) []byte {
	l.t.Helper()
	site, err := bundle.Open(file)
	require.NoError(l.t, err)
	defer site.Close()

	var text bytes.Buffer
	fmt.Fprintf(&text, "want: %s\nnoise: busy\ntaken: %s\nnote: recorded of the lab: %s\n", b.want, site.Taken().UTC().Format(time.RFC3339), strings.ReplaceAll(b.name, "-", " "))
	fmt.Fprintln(&text, "-- facts --")
	for f, err := range site.Facts() {
		require.NoError(l.t, err)
		if l.mine(f.Place, cluster, f.Name) && !left(f, cluster) {
			data, err := f.MarshalData()
			require.NoError(l.t, err)
			line, err := json.Marshal(map[string]any{"kind": f.Kind, "name": f.Name, "place": f.Place, "data": json.RawMessage(data)})
			require.NoError(l.t, err)
			fmt.Fprintf(&text, "%s\n", line)
		}
	}
	if gaps := site.Gaps(); len(gaps) > 0 {
		fmt.Fprintln(&text, "-- gaps --")
		for _, g := range gaps {
			line, err := json.Marshal(g)
			require.NoError(l.t, err)
			fmt.Fprintf(&text, "%s\n", line)
		}
	}
	for log, err := range site.Logs() {
		require.NoError(l.t, err)
		if l.mine(log.Place, cluster, "") {
			fmt.Fprintf(&text, "-- log %s --\n%s", heading(log), l.end(log))
		}
	}
	return text.Bytes()
}

// mine says whether a place may be of the broken cluster: others may use the
// lab, too.
func (l *lab) mine(p evidence.Place, cluster, name string) bool {
	switch {
	case p.Cluster != "":
		return p.Cluster == cluster
	case p.Pod != "":
		return strings.HasPrefix(p.Pod, cluster) || p.Namespace == "pgo"
	case p.Namespace == namespace && name != "":
		return strings.Contains(name, cluster) || !strings.Contains(name, "-")
	}
	return true
}

// left are facts that a case can do without: they are many, and the same on
// every machine.
func left(f evidence.Fact, cluster string) bool {
	switch data := f.Data.(type) {
	case *evidence.Image:
		return !strings.Contains(data.Ref, "antdb-ha:dx")
	case *evidence.Volume:
		return data.Phase != "Available" && !strings.Contains(data.Claim, "/"+cluster)
	case *evidence.Node:
		data.Images = slices.DeleteFunc(data.Images, func(name string) bool { return strings.Contains(name, "modtest") || strings.HasPrefix(name, "sha256:") })
	case *evidence.Route, *evidence.Port, *evidence.Interface:
		return true
	}
	return false
}

func heading(log evidence.Log) string {
	words := []string{log.Kind}
	for _, w := range []struct{ key, value string }{{"node", log.Place.Node}, {"namespace", log.Place.Namespace}, {"cluster", log.Place.Cluster},
		{"pod", log.Place.Pod}, {"container", log.Place.Container}} {
		if w.value != "" {
			words = append(words, w.key+"="+w.value)
		}
	}
	if log.Previous {
		words = append(words, "previous")
	}
	return strings.Join(words, " ")
}

// end is the end of a log: enough to see what happened. The txtar format knows
// no escapes, so a line that begins like a section is indented.
func (l *lab) end(log evidence.Log) string {
	r, err := log.Open()
	require.NoError(l.t, err)
	defer r.Close()
	text, err := io.ReadAll(r)
	require.NoError(l.t, err)
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	keep := 60
	if log.Place.Pod == "" {
		keep = 15
	}
	lines = lines[max(0, len(lines)-keep):]
	for i, line := range lines {
		if strings.HasPrefix(line, "-- ") {
			lines[i] = " " + line
		}
	}
	return strings.ToValidUTF8(strings.Join(lines, "\n"), "?") + "\n"
}
