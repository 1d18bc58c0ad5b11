package history

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Base is the image that a Dockerfile starts from.
type Base struct {
	Name    string // empty: scratch, or not known
	Rows    int    // how many of the first rows are its own
	Sure    Certainty
	Reasons []string // in order of weight
}

// Certainty says how well a base is known.
type Certainty int

const (
	None    Certainty = iota // not known
	Likely                   // signs speak for it
	Stated                   // the history or a label names it, or the user does
	Certain                  // its layers are this image's first layers
)

func (c Certainty) String() string { return [...]string{"unknown", "likely", "stated", "certain"}[c] }

// osName are bases by what their rows say. The first group is the version.
var osRows = []struct {
	row  *regexp.Regexp
	name string
	from string
}{
	{regexp.MustCompile(`^# debian\.sh .*'out/' '([a-z]+)'|^# debian\.sh .* out/ '([a-z]+)'`), "debian:", "its first row was printed by Debian's image builder"},
	{regexp.MustCompile(`ADD alpine-minirootfs-([0-9.]+)-`), "alpine:", "its first row adds Alpine's root file system of that version"},
	{regexp.MustCompile(`^BusyBox ([0-9.]+)`), "busybox:", "its first row says so"},
}

var stage = regexp.MustCompile(`^FROM ([^\s]*[^0-9a-f\s][^\s]*|[0-9a-f]{0,11})$`)

// GuessBase finds the base in what the rows say. Without a name it may still
// know where the base's rows end.
func GuessBase(steps []Step) Base {
	if b, ok := statedBase(steps); ok {
		return b
	}
	b := boundary(steps)
	if b.Rows == 0 {
		return b
	}
	if name := labelled(steps); name != "" {
		b.Name, b.Sure, b.Reasons = name, Stated, append([]string{"the label " + baseLabel + " names it"}, b.Reasons...)
		return b
	}
	name, reason := nameOf(steps[:b.Rows])
	if name == "" {
		return b
	}
	b.Name, b.Sure = name, Likely
	b.Reasons = append([]string{reason}, b.Reasons...)
	return b
}

// baseLabel is where builders may note the base, by the OCI image specification.
const baseLabel = "org.opencontainers.image.base.name"

// labelled is what the label says; the newest counts.
func labelled(steps []Step) string {
	for _, s := range slices.Backward(steps) {
		if s.Verb != "LABEL" {
			continue
		}
		for _, p := range s.Pairs {
			if p.Name == baseLabel {
				return p.Value
			}
		}
	}
	return ""
}

// statedBase looks for the comment that buildah leaves on the first row above
// the base.
func statedBase(steps []Step) (Base, bool) {
	for i, s := range steps {
		m := stage.FindStringSubmatch(s.Row.Comment)
		if m == nil {
			continue
		}
		if m[1] == "scratch" {
			return Base{Sure: Stated, Reasons: []string{"buildah noted it in the history"}}, true
		}
		return Base{Name: m[1], Rows: i, Sure: Stated,
			Reasons: []string{fmt.Sprintf("buildah noted %q with the first row above it", s.Row.Comment)}}, true
	}
	return Base{}, false
}

// maxBaseRows is how many rows images of operating systems have at most.
const maxBaseRows = 8

// boundary finds the end of the base's rows: a base is one file system added to
// nothing, settings, and a CMD.
func boundary(steps []Step) Base {
	b := Base{}
	if len(steps) < 2 || !rootRow(steps) {
		return b
	}
	for i, s := range steps[:min(len(steps)-1, maxBaseRows)] {
		if s.Verb == "RUN" {
			break
		}
		if s.Verb == "CMD" || s.Verb == "ENTRYPOINT" && steps[i+1].Verb != "CMD" {
			b.Rows = i + 1
			b.Reasons = append(b.Reasons, fmt.Sprintf("a %s among the first rows ends the base", s.Verb))
			break
		}
	}
	for i := 1; i < len(steps) && b.Rows == 0; i++ {
		if old, young := day(steps[i-1].Row.Created), day(steps[i].Row.Created); old != young && old != "" && strings.Contains(old, " ") {
			b.Rows = i
		}
		if d, e := steps[i-1].Dialect, steps[i].Dialect; d != e && d != Unknown && e != Unknown {
			b.Rows = i
		}
	}
	if b.Rows == 0 {
		return b
	}
	below, above := steps[b.Rows-1], steps[b.Rows]
	if below.Dialect != above.Dialect && below.Dialect != Unknown && above.Dialect != Unknown {
		b.Reasons = append(b.Reasons, fmt.Sprintf("the rows up to there were written by %s, those above by %s", below.Dialect, above.Dialect))
	}
	if old, young := day(below.Row.Created), day(above.Row.Created); old != young && old != "" {
		b.Reasons = append(b.Reasons, fmt.Sprintf("the rows up to there date from %s, those above from %s", old, young))
	}
	return b
}

// day is the part of a time that tells builds apart; empty for one that does
// not.
func day(created string) string {
	d, _, found := strings.Cut(created, "T")
	if found && len(d) == len("2006-01-02") {
		return d
	}
	for _, unit := range []string{"day", "week", "month", "year"} {
		if strings.Contains(created, unit) {
			return created
		}
	}
	return ""
}

// rootRow reports whether the image begins with a whole file system.
func rootRow(steps []Step) bool {
	for _, s := range steps[:min(len(steps), maxBaseRows)] {
		switch {
		case s.Copy != nil:
			return s.Copy.Dest == "/"
		case s.Verb == "":
			return true
		case s.Verb == "RUN":
			return false
		}
	}
	return false
}

// nameOf names a base by its rows.
func nameOf(steps []Step) (name, reason string) {
	labels := map[string]string{}
	for _, s := range steps {
		for _, o := range osRows {
			if m := o.row.FindStringSubmatch(s.Row.By); m != nil {
				return o.name + strings.Join(m[1:], ""), o.from
			}
		}
		if s.Verb == "LABEL" {
			for _, p := range s.Pairs {
				labels[p.Name] = p.Value
			}
		}
	}
	return nameByLabels(labels)
}

// nameByLabels names a base by the labels that it has.
func nameByLabels(labels map[string]string) (name, reason string) {
	if ref, version := labels["org.opencontainers.image.ref.name"], labels["org.opencontainers.image.version"]; ref == "ubuntu" && version != "" {
		return "ubuntu:" + version, "the labels org.opencontainers.image.ref.name and .version say so"
	}
	if labels["org.label-schema.name"] == "CentOS Base Image" {
		date := labels["org.label-schema.build-date"]
		if release := centos7(date); release != "" {
			return "centos:" + release, fmt.Sprintf("the label org.label-schema.name says CentOS Base Image, and %s was the release of 7 at its build date %s", release, date)
		}
	}
	return "", ""
}

// centos7 is the release of CentOS 7 that was current on a day (YYYYMMDD).
func centos7(date string) string {
	if len(date) != len("20060102") {
		return ""
	}
	release := ""
	for _, r := range []struct{ since, name string }{
		{"20181203", "7.6.1810"}, {"20190917", "7.7.1908"}, {"20200427", "7.8.2003"}, {"20201112", "7.9.2009"},
	} {
		if date >= r.since {
			release = r.name
		}
	}
	return release
}

// NameByRelease names a base by its /etc/os-release, and by the release file of
// its own that says more.
func NameByRelease(osRelease, detail string) (name, reason string) {
	fields := map[string]string{}
	for line := range strings.Lines(osRelease) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		fields[k] = strings.Trim(v, `"'`)
	}
	id, version := fields["ID"], fields["VERSION_ID"]
	switch id {
	case "":
		return "", ""
	case "centos":
		if m := fullRelease.FindString(detail); m != "" {
			version = m
		}
	case "debian":
		if c := fields["VERSION_CODENAME"]; c != "" {
			version = c
		}
	case "ol":
		id = "oraclelinux"
	case "rhel":
		major, _, _ := strings.Cut(version, ".")
		return "registry.access.redhat.com/ubi" + major + ":" + version, "its /etc/os-release says Red Hat Enterprise Linux " + version
	case "rocky":
		id = "rockylinux"
	}
	if version == "" {
		version = "latest"
	}
	return id + ":" + version, fmt.Sprintf("the /etc/os-release of its first layer says ID=%s VERSION_ID=%s", fields["ID"], fields["VERSION_ID"])
}

var fullRelease = regexp.MustCompile(`\d+\.\d+\.\d+`)

// Builder is the dialect of the newest rows.
func Builder(steps []Step) Dialect {
	for _, s := range slices.Backward(steps) {
		if s.Dialect != Unknown {
			return s.Dialect
		}
	}
	return Unknown
}
