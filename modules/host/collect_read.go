package host

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// machine is what the script of host.collect told.
type machine struct {
	place    evidence.Place
	hostname string
	override string // hostname-override of the kubelet
	uid      string
	whole    bool // the answer has its end

	clock   evidence.Clock
	memory  map[string]int64 // of /proc/meminfo
	sem     string
	shmmax  string
	mounts  map[string]mount
	disks   map[string]*evidence.Disk // by where they are mounted
	devices map[string]bool           // that those lie on
	folders []*evidence.Folder

	interfaces []*networkInterface
	routes     []*evidence.Route
	ports      []*evidence.Port
	gateway    string // interface that the default route leads through

	runtime   evidence.Runtime
	complaint string // of the runtime
	running   map[string]bool
	images    imageList

	pems        map[string]*strings.Builder // by file
	kubeconfigs map[string]string           // client certificate by file, in base64
	reading     string                      // file whose certificate comes

	gaps []evidence.Gap
}

type mount struct{ fs, options string }

// readMachine reads the script's answer. begin is when it was sent off, first
// when the answer began.
func readMachine(text string, begin, first time.Time) *machine {
	m := &machine{memory: map[string]int64{}, mounts: map[string]mount{}, disks: map[string]*evidence.Disk{}, devices: map[string]bool{},
		running: map[string]bool{},
		pems:    map[string]*strings.Builder{}, kubeconfigs: map[string]string{}}
	m.runtime.Kubelet = "unknown"
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch key {
		case "clock":
			r := parseClock(value)
			m.clock.Offset, m.clock.Error = offset(begin, first, r, r)
		case "gap":
			what, reason, _ := strings.Cut(value, ": ")
			m.gaps = append(m.gaps, evidence.Gap{What: what, Reason: reason})
		default:
			m.take(key, strings.TrimSpace(value))
		}
	}
	return m
}

// take takes one line of the answer.
func (m *machine) take(key, value string) {
	switch key {
	case "host":
		m.hostname = value
	case "override":
		m.override = value
	case "uid":
		m.uid = value
	case "over":
		m.whole = true
	case "process":
		m.running[value] = true
	case "memory":
		name, number, _ := strings.Cut(value, ": ")
		m.memory[name], _ = strconv.ParseInt(number, 10, 64)
	case "sem":
		m.sem = strings.Join(strings.Fields(value), " ")
	case "shmmax":
		m.shmmax = value
	case "synced":
		m.clock.Synced = value == "yes"
	case "mount":
		m.mount(value)
	case "disk":
		m.disk(value)
	case "inodes":
		m.inodes(value)
	case "folder", "mode", "entry":
		m.folder(key, value)
	case "kubelet", "runtime", "version", "complaint":
		m.engine(key, value)
	case "image", "ctr", "crictl", "config":
		m.images.add(key, value)
	case "interface", "address", "route", "port":
		m.network(key, value)
	case "pem", "-", "kubeconfig":
		m.certificate(key, value)
	}
}

// node is what Kubernetes calls the machine: as given, as the kubelet was told,
// or the host's name in lower case, as the kubelet takes it.
func (m *machine) node(given string) string {
	return cmp.Or(given, m.override, strings.ToLower(m.hostname))
}

// spaces undoes what /proc/mounts does to blanks in names.
var spaces = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`)

func (m *machine) mount(line string) {
	fs, rest, _ := strings.Cut(line, " ")
	options, at, ok := strings.Cut(rest, " ")
	if ok {
		m.mounts[spaces.Replace(at)] = mount{fs, options}
	}
}

// disk reads "HOLDS " and a line of `df -Pk`.
func (m *machine) disk(line string) {
	holds, df, _ := strings.Cut(line, " ")
	parsed, ok := parseDf(df)
	if !ok {
		return
	}
	d := m.disks[parsed.Mount]
	if d == nil && holds == "-" && m.devices[parsed.Device] {
		return // a part of a file system that is there already, bound to another place
	}
	m.devices[parsed.Device] = true
	if d == nil {
		d = &evidence.Disk{Path: parsed.Mount, Size: parsed.TotalBytes, Free: parsed.FreeBytes}
		if usable := parsed.UsedBytes + parsed.FreeBytes; usable > 0 {
			d.Percent = (parsed.UsedBytes*100 + usable - 1) / usable // as df rounds
		}
		m.disks[parsed.Mount] = d
	}
	if holds != "-" && !slices.Contains(d.Holds, holds) {
		d.Holds = append(d.Holds, holds)
	}
}

// inodes reads "HOLDS " and a line of `df -Pi`. Some file systems do not count
// theirs, and show "-" or zeros.
func (m *machine) inodes(line string) {
	_, df, _ := strings.Cut(line, " ")
	if parsed, ok := parseDf(df); ok && parsed.TotalBytes > 0 {
		if d := m.disks[parsed.Mount]; d != nil {
			d.Inodes = (parsed.UsedBytes*100 + parsed.TotalBytes - 1) / parsed.TotalBytes
		}
	}
}

func (m *machine) folder(key, value string) {
	if key == "folder" {
		m.folders = append(m.folders, &evidence.Folder{Path: value, UID: -1, GID: -1})
		return
	}
	if len(m.folders) == 0 {
		return
	}
	f := m.folders[len(m.folders)-1]
	if key == "entry" {
		f.Has = append(f.Has, value)
		return
	}
	f.Exists = true
	// "drwxr-x--- 2 26 26 4096 …", as `ls -ldn` prints it
	if fields := strings.Fields(value); len(fields) > 4 {
		f.Mode = octal(fields[0])
		f.UID, _ = strconv.ParseInt(fields[2], 10, 64)
		f.GID, _ = strconv.ParseInt(fields[3], 10, 64)
	}
}

// octal is a mode as ls writes it ("drwxr-x--t"), in octal.
func octal(written string) string {
	if len(written) < 10 {
		return ""
	}
	bits := int64(0)
	for i, c := range written[1:10] {
		if strings.ContainsRune("rwxst", c) {
			bits |= 1 << (8 - i)
		}
		if strings.ContainsRune("sStT", c) {
			bits |= 0o4000 >> (i / 3)
		}
	}
	return strconv.FormatInt(bits, 8)
}

// mountOf is the file system that a path lies on.
func (m *machine) mountOf(path string) mount {
	best := ""
	for at := range m.mounts {
		inside := path == at || strings.HasPrefix(path, strings.TrimSuffix(at, "/")+"/")
		if inside && len(at) > len(best) {
			best = at
		}
	}
	return m.mounts[best]
}

// record keeps the facts.
func (m *machine) record(rec evidence.Recorder, place evidence.Place) {
	hidden := map[string]bool{}
	for _, gap := range m.gaps {
		rec.Gap(gap.What, place, errors.New(gap.Reason))
		hidden[gap.What] = true
	}
	for _, at := range slices.Sorted(maps.Keys(m.disks)) {
		d := m.disks[at]
		mounted := m.mountOf(at)
		d.Type, d.Options = mounted.fs, mounted.options
		rec.Fact(at, place, d)
	}
	if m.memory["MemTotal"] > 0 {
		rec.Fact(place.Node, place, m.memoryFact())
	}
	rec.Fact(place.Node, place, &m.clock)
	for _, f := range m.folders {
		if f.Exists || !hidden["the folder "+f.Path] {
			f.FS = m.mountOf(f.Path).fs
			rec.Fact(f.Path, place, f)
		}
	}
	m.recordRuntime(rec, place)
	m.recordNetwork(rec, place)
	m.recordCertificates(rec, place)
}

// memoryFact reads /proc/meminfo, which counts in KiB.
func (m *machine) memoryFact() *evidence.Memory {
	available, ok := m.memory["MemAvailable"]
	if !ok { // kernels before 3.14
		available = m.memory["MemFree"] + m.memory["Buffers"] + m.memory["Cached"]
	}
	return &evidence.Memory{Total: m.memory["MemTotal"] << 10, Available: available << 10,
		HugePages: m.memory["HugePages_Total"], HugeFree: m.memory["HugePages_Free"], Sem: m.sem, ShmMax: m.shmmax}
}
