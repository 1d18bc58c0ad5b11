package host

import (
	"errors"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// engine takes what the script tells of kubelet and container runtime.
func (m *machine) engine(key, value string) {
	switch key {
	case "kubelet":
		m.runtime.Kubelet = value
		if value == "activating" { // systemd starts it again and again
			m.runtime.Kubelet = "failed"
		}
	case "runtime":
		m.runtime.Name = value
	case "version":
		m.runtime.Version = versionIn(value)
	case "complaint":
		m.complaint = value
	}
}

// daemons are the processes of the runtimes.
var daemons = map[string]string{"containerd": "containerd", "docker": "dockerd", "crio": "crio"}

func (m *machine) recordRuntime(rec evidence.Recorder, place evidence.Place) {
	m.runtime.Running = m.running[daemons[m.runtime.Name]]
	if m.runtime.Running || m.meantToRun() {
		if strings.Contains(strings.ToLower(m.complaint), "permission denied") {
			rec.Gap("whether "+m.runtime.Name+" answers", place, errors.New(m.complaint))
			m.complaint = ""
		}
		m.runtime.Error = m.complaint
		rec.Fact(m.runtime.Name, place, &m.runtime)
	}
	for _, image := range m.images.all() {
		rec.Fact(image.Ref, place, image)
	}
}

// meantToRun reports whether the machine ought to have a runtime: not one
// without a kubelet, and not one whose processes this user may not see.
func (m *machine) meantToRun() bool {
	hidden := slices.ContainsFunc(m.gaps, func(g evidence.Gap) bool { return g.What == "its processes" })
	return m.runtime.Name != "none" && m.runtime.Name != "" && m.runtime.Kubelet != "missing" && !hidden
}

// imageList is the images of a machine's runtimes.
type imageList struct {
	images []*evidence.Image
	ids    map[string]string // digest of the configuration by that of the manifest
	// manifests are the images, by index, whose ID is that of a manifest as yet.
	manifests []int
}

// add takes a line of the script. containerd names an image by its tags and by
// the digest of its configuration, all with one digest of the manifest.
func (l *imageList) add(key, line string) {
	f := strings.Fields(line)
	if l.ids == nil {
		l.ids = map[string]string{}
	}
	if key == "config" && len(f) == 2 { // DIGEST CONFIGURATION
		l.ids[f[0]] = f[1]
	}
	if len(f) < 3 {
		return
	}
	switch key {
	case "image": // RUNTIME NAME:TAG ID
		l.tagged(f[0], f[1], f[2])
	case "crictl": // RUNTIME IMAGE TAG ID SIZE, with a heading
		if len(f) > 3 && f[3] != "IMAGE" {
			l.tagged(f[0], f[1]+":"+f[2], f[3])
		}
	case "ctr": // NAMESPACE REF TYPE DIGEST …, with a heading
		if len(f) < 4 || f[1] == "REF" {
			return
		}
		if strings.HasPrefix(f[1], "sha256:") {
			l.ids[f[3]] = f[1]
			return
		}
		runtime := "containerd"
		if f[0] != "k8s.io" { // where the kubelet does not look
			runtime += ", namespace " + f[0]
		}
		if !strings.Contains(f[1], "@") {
			l.images = append(l.images, &evidence.Image{Ref: f[1], ID: f[3], Runtime: runtime})
			l.manifests = append(l.manifests, len(l.images)-1)
		}
	}
}

func (l *imageList) tagged(runtime, ref, id string) {
	if strings.Contains(ref, "<none>") {
		return
	}
	if !strings.HasPrefix(id, "sha256:") {
		id = "sha256:" + id
	}
	l.images = append(l.images, &evidence.Image{Ref: fullRef(ref), ID: id, Runtime: runtime})
}

// all are the images, by name. One of containerd's whose configuration is not
// told has no ID.
func (l *imageList) all() []*evidence.Image {
	for _, n := range l.manifests {
		l.images[n].ID = l.ids[l.images[n].ID]
	}
	slices.SortStableFunc(l.images, func(a, b *evidence.Image) int { return strings.Compare(a.Ref, b.Ref) })
	return l.images
}

// fullRef is a name with a tag as the kubelet keeps it.
func fullRef(ref string) string {
	domain, _, ok := strings.Cut(ref, "/")
	switch {
	case !ok:
		return "docker.io/library/" + ref
	case !strings.ContainsAny(domain, ".:") && domain != "localhost":
		return "docker.io/" + ref
	}
	return ref
}
