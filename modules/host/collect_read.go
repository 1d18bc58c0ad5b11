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

	clock  evidence.Clock
	memory map[string]int64 // of /proc/meminfo
	sem    string
	shmmax string
	mounts map[string]mount
	asked  []asked                   // whose disks were to be measured, in order
	df     []Disk                    // the answers
	disks  map[string]*evidence.Disk // by where they are mounted
	// inodesUsed are percents by where the file system is mounted.
	inodesUsed map[string]int64
	folders    []*evidence.Folder

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

// asked is a path that matters, and for what; "-" for nothing in particular.
type asked struct{ holds, path string }

// readMachine reads the script's answer. begin is when it was sent off, first
// when the answer began.
func readMachine(text string, begin, first time.Time) *machine {
	m := &machine{memory: map[string]int64{}, mounts: map[string]mount{}, disks: map[string]*evidence.Disk{}, inodesUsed: map[string]int64{}, running: map[string]bool{},
		pems: map[string]*strings.Builder{}, kubeconfigs: map[string]string{}}
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
	m.attribute()
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
	case "on":
		holds, path, _ := strings.Cut(value, " ")
		m.asked = append(m.asked, asked{holds, path})
	case "disk":
		m.disk(value)
	case "inodes":
		m.inodes(value)
	case "folder", "exists", "mode", "entry":
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

// disk reads a line of `df -Pk`.
func (m *machine) disk(line string) {
	if d, ok := parseDf(line); ok {
		m.df = append(m.df, d)
	}
}

// attribute says what each file system holds. df answers in the order in which
// it was asked, unless it had to leave something out; what is mounted where
// tells then.
func (m *machine) attribute() {
	devices := map[string]bool{}
	for n, a := range m.asked {
		var d Disk
		if len(m.df) == len(m.asked) {
			d = m.df[n]
		} else if at := slices.IndexFunc(m.df, func(d Disk) bool { return d.Mount == m.mountPoint(a.path) }); at >= 0 {
			d = m.df[at]
		}
		if d.Mount == "" || a.holds == "-" && devices[d.Device] && m.disks[d.Mount] == nil {
			continue // not measured; or a part of a file system that is there already, bound to another place
		}
		devices[d.Device] = true
		f := m.disks[d.Mount]
		if f == nil {
			f = &evidence.Disk{Path: d.Mount, Size: d.TotalBytes, Free: d.FreeBytes, Percent: percent(d.UsedBytes, d.UsedBytes+d.FreeBytes), Inodes: m.inodesUsed[d.Mount]}
			m.disks[d.Mount] = f
		}
		if a.holds != "-" && !slices.Contains(f.Holds, a.holds) {
			f.Holds = append(f.Holds, a.holds)
		}
	}
}

// percent rounds up, as df does.
func percent(used, of int64) int64 {
	if of <= 0 {
		return 0
	}
	return (used*100 + of - 1) / of
}

// inodes reads a line of `df -Pi`. Some file systems do not count theirs, and
// show "-" or zeros.
func (m *machine) inodes(line string) {
	if d, ok := parseDf(line); ok {
		m.inodesUsed[d.Mount] = percent(d.UsedBytes, d.TotalBytes)
	}
}

func (m *machine) folder(key, value string) {
	if key == "mode" {
		m.mode(value)
		return
	}
	if key == "folder" {
		m.folders = append(m.folders, &evidence.Folder{Path: value, UID: -1, GID: -1})
		return
	}
	if len(m.folders) == 0 {
		return
	}
	f := m.folders[len(m.folders)-1]
	if key == "exists" {
		f.Exists = true
		return
	}
	f.Has = append(f.Has, value)
}

// mode reads "drwxr-x--- 2 26 26 4096 Nov 23 05:52 /data/antdb/", as `ls -ldn`
// prints it.
func (m *machine) mode(line string) {
	fields := strings.Fields(line)
	for _, f := range m.folders {
		if len(fields) > 4 && strings.HasSuffix(line, " "+f.Path+"/") {
			f.Mode = octal(fields[0])
			f.UID, _ = strconv.ParseInt(fields[2], 10, 64)
			f.GID, _ = strconv.ParseInt(fields[3], 10, 64)
		}
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

// mountPoint is where the file system is mounted that a path lies on.
func (m *machine) mountPoint(path string) string {
	best := ""
	for at := range m.mounts {
		inside := path == at || strings.HasPrefix(path, strings.TrimSuffix(at, "/")+"/")
		if inside && len(at) > len(best) {
			best = at
		}
	}
	return best
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
		mounted := m.mounts[m.mountPoint(at)]
		d.Type, d.Options = mounted.fs, mounted.options
		rec.Fact(at, place, d)
	}
	if m.memory["MemTotal"] > 0 {
		rec.Fact(place.Node, place, m.memoryFact())
	}
	rec.Fact(place.Node, place, &m.clock)
	for _, f := range m.folders {
		if f.Exists || !hidden["the folder "+f.Path] {
			f.FS = m.mounts[m.mountPoint(f.Path)].fs
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
