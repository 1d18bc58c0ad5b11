package host

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed facts.hcl
var factsExample string

// Facts tells what a machine is and has, in one round trip.
type Facts struct {
	Paths []string `hcl:"paths,optional" doc:"Absolute paths whose file systems are measured; [\"/\"] when left out."`
	Users []string `hcl:"users,optional" doc:"Users whose numbers are wanted."`

	OS         string          `out:"os" doc:"Distribution, as in ID of /etc/os-release: centos, debian, kylin."`
	OSVersion  string          `out:"os_version" doc:"Its version, as in VERSION_ID: 7, 12, V10."`
	OSName     string          `out:"os_name" doc:"Its name for people, with the version."`
	Kernel     string          `out:"kernel" doc:"Kernel release."`
	Arch       string          `out:"arch" doc:"Machine, as uname says: x86_64, aarch64."`
	Hostname   string          `out:"hostname" doc:"Name of the machine, as it calls itself."`
	Address    string          `out:"address" doc:"IPv4 address from which it reaches other networks; empty without a route."`
	Addresses  []string        `out:"addresses" doc:"All its addresses but those of loopback and links."`
	CPUs       int             `out:"cpus" doc:"Processors online."`
	Memory     int64           `out:"memory_bytes" doc:"Memory in bytes."`
	MemoryGiB  float64         `out:"memory_gib" doc:"Memory in GiB."`
	Available  int64           `out:"memory_available_bytes" doc:"Memory that programs can still have, in bytes; 0 on kernels before 3.14."`
	Swap       int64           `out:"swap_bytes" doc:"Swap space in bytes; kubelet wants none."`
	Disks      map[string]Disk `out:"disks" doc:"File system of each path: device, mount, total_bytes, used_bytes, free_bytes (to ordinary users), total_gib, free_gib, exists."`
	Offset     float64         `out:"clock_offset" doc:"Seconds by which its clock is ahead of this machine's; negative when it is behind."`
	OffsetErr  float64         `out:"clock_error" doc:"Greatest error of clock_offset in seconds: half of the round trip."`
	Uptime     float64         `out:"uptime" doc:"Seconds since it was started."`
	Systemd    bool            `out:"systemd" doc:"Whether systemd manages it."`
	User       string          `out:"user" doc:"User that commands run as."`
	UID        int             `out:"uid" doc:"That user's number; 0 is root."`
	UIDs       map[string]int  `out:"uids" doc:"Numbers of the users asked for; who is missing there is missing here."`
	Docker     string          `out:"docker" doc:"Version of the docker command; empty without it."`
	Dockerd    string          `out:"dockerd" doc:"Version of the Docker engine that answers it; empty when none does."`
	Containerd string          `out:"containerd" doc:"Version of containerd; empty without it."`
	Runc       string          `out:"runc" doc:"Version of runc; empty without it."`
	Kubelet    string          `out:"kubelet" doc:"Version of kubelet; empty without it."`
}

// Disk is a file system, as facts export it.
type Disk struct {
	Device     string  `cty:"device"`
	Mount      string  `cty:"mount"`
	TotalBytes int64   `cty:"total_bytes"`
	UsedBytes  int64   `cty:"used_bytes"`
	FreeBytes  int64   `cty:"free_bytes"`
	TotalGiB   float64 `cty:"total_gib"`
	FreeGiB    float64 `cty:"free_gib"`
	Exists     bool    `cty:"exists"` // else the nearest folder above was measured
}

// Info describes host.facts.
func (*Facts) Info() module.Info {
	return module.Info{
		Name:    "host.facts",
		Summary: "Tell what a machine is and has, to expect it.",
		Doc: `Reads everything in one round trip with a POSIX shell script. Numbers are numbers, so ` + "`self.cpus >= 2`" + ` does what it says.
A path that does not exist yet is measured where it would come to be. Versions are as the programs print them, without "v".`,
		On:       places,
		Example:  factsExample,
		ReadOnly: true,
	}
}

// Validate checks what the tags cannot say.
func (f *Facts) Validate() error {
	for _, p := range f.Paths {
		if err := checkPath(p); err != nil {
			return module.At("paths", err)
		}
	}
	return nil
}

// factsScript prints a key and a value on each line. $1 is the number of paths
// that follow; users follow these. The clock is read at both ends, so that the
// time in between does not count. Slow programs run side by side.
const factsScript = `echo "clock $(date +%s.%N)"
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/usr/bin:/bin:/opt/bin
has() { command -v "$1" >/dev/null 2>&1; }
say() { printf '%s\n' "$1 $2"; }
patience=
timeout 1 true 2>/dev/null && patience='timeout 10'
has docker && say docker "$($patience docker version --format '{{.Client.Version}} {{with .Server}}{{.Version}}{{end}}' 2>/dev/null | head -n 1)" &
has containerd && say containerd "$(containerd --version 2>/dev/null | head -n 1)" &
has runc && say runc "$(runc --version 2>/dev/null | head -n 1)" &
has kubelet && say kubelet "$(kubelet --version 2>/dev/null | head -n 1)" &
if [ -r /etc/os-release ]; then
  while read -r l; do case $l in ID=*|VERSION_ID=*|PRETTY_NAME=*) say os "$l";; esac; done </etc/os-release
elif [ -r /etc/redhat-release ]; then say os "PRETTY_NAME=$(head -n 1 /etc/redhat-release)"; fi
say kernel "$(uname -r)"
say arch "$(uname -m)"
say hostname "$(uname -n)"
say cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c ^processor /proc/cpuinfo)"
while read -r k v unit; do
  case $k in MemTotal:|MemAvailable:|SwapTotal:) say memory "$k $v";; esac
done </proc/meminfo
read -r up rest </proc/uptime && say uptime "$up"
[ -d /run/systemd/system ] && say systemd yes
say uid "$(id -u)"
say user "$(id -un 2>/dev/null)"
if has ip; then
  say route "$(ip -4 route get 198.51.100.1 2>/dev/null | head -n 1)"
  ip -o address show scope global 2>/dev/null | while read -r n dev family address rest; do say address "$address"; done
else
  for a in $(hostname -I 2>/dev/null || hostname -i 2>/dev/null); do say address "$a"; done
fi
n=$1; shift
while [ "$n" -gt 0 ]; do
  d=$1; found=yes
  until [ -e "${d:-/}" ]; do d=${d%/*}; found=no; done
  say disk "$found $(df -Pk "${d:-/}" 2>/dev/null | tail -n 1)"
  n=$((n-1)); shift
done
for u; do id=$(id -u "$u" 2>/dev/null) && say users "$id $u"; done
wait
echo "clock $(date +%s.%N)"
`

// Check reads the facts. It never wants a change.
func (f *Facts) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	if len(f.Paths) == 0 {
		f.Paths = []string{"/"}
	}
	args := append([]string{strconv.Itoa(len(f.Paths))}, f.Paths...)
	begin := time.Now()
	res, err := env.Run(ctx, conn.Look(factsScript, append(args, f.Users...)...))
	end := time.Now()
	if err != nil {
		return module.NoChange, fmt.Errorf("read the facts: %w", err)
	}
	f.Disks, f.UIDs, f.Addresses = map[string]Disk{}, map[string]int{}, nil
	var clocks []reading
	measured := 0
	for line := range strings.Lines(res.Stdout) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch key {
		case "clock":
			clocks = append(clocks, parseClock(value))
		case "disk":
			if measured < len(f.Paths) {
				f.disk(f.Paths[measured], value)
			}
			measured++
		default:
			f.set(key, value)
		}
	}
	if len(clocks) != 2 {
		return module.NoChange, fmt.Errorf("read the facts: the answer of %s is not whole", env.Target)
	}
	f.Offset, f.OffsetErr = offset(begin, end, clocks[0], clocks[1])
	if f.Address == "" && len(f.Addresses) > 0 {
		f.Address = f.Addresses[0]
	}
	return module.NoChange, nil
}

// Apply is never called.
func (*Facts) Apply(context.Context, *module.Env) error { return nil }

// set takes one line of the script's answer.
func (f *Facts) set(key, value string) {
	fields := map[string]*string{"kernel": &f.Kernel, "arch": &f.Arch, "hostname": &f.Hostname, "user": &f.User}
	if field, ok := fields[key]; ok {
		*field = value
		return
	}
	switch key {
	case "os":
		f.release(value)
	case "cpus":
		f.CPUs, _ = strconv.Atoi(value)
	case "uid":
		f.UID, _ = strconv.Atoi(value)
	case "memory":
		f.memory(value)
	case "uptime":
		f.Uptime, _ = strconv.ParseFloat(value, 64)
	case "systemd":
		f.Systemd = true
	case "route":
		if _, src, ok := strings.Cut(value, " src "); ok {
			f.Address, _, _ = strings.Cut(src, " ")
		}
	case "address":
		address, _, _ := strings.Cut(value, "/")
		f.Addresses = append(f.Addresses, address)
	case "users":
		id, name, _ := strings.Cut(value, " ")
		if n, err := strconv.Atoi(id); err == nil {
			f.UIDs[name] = n
		}
	case "docker":
		f.Docker, f.Dockerd, _ = strings.Cut(value, " ")
	case "containerd":
		f.Containerd = versionIn(value)
	case "runc":
		f.Runc = versionIn(value)
	case "kubelet":
		f.Kubelet = versionIn(value)
	}
}

func (f *Facts) release(line string) {
	key, value, _ := strings.Cut(line, "=")
	value = strings.Trim(value, `"'`)
	switch key {
	case "ID":
		f.OS = value
	case "VERSION_ID":
		f.OSVersion = value
	case "PRETTY_NAME":
		f.OSName = value
	}
}

func (f *Facts) memory(line string) {
	key, value, _ := strings.Cut(line, ": ")
	kib, _ := strconv.ParseInt(value, 10, 64)
	switch key {
	case "MemTotal":
		f.Memory, f.MemoryGiB = kib*1024, gib(kib*1024)
	case "MemAvailable":
		f.Available = kib * 1024
	case "SwapTotal":
		f.Swap = kib * 1024
	}
}

func (f *Facts) disk(p, line string) {
	found, df, _ := strings.Cut(line, " ")
	if d, ok := parseDf(df); ok {
		d.Exists = found == "yes"
		f.Disks[p] = d
	}
}

// versionIn finds the version in what a program prints, which is the first
// word that begins with a digit, or with v and a digit.
func versionIn(text string) string {
	for _, word := range strings.Fields(text) {
		word = strings.TrimSuffix(strings.TrimPrefix(word, "v"), ",")
		if word != "" && word[0] >= '0' && word[0] <= '9' {
			return word
		}
	}
	return ""
}

func gib(bytes int64) float64 { return round(float64(bytes)/(1<<30), 2) }

func round(x float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(x*scale) / scale
}
