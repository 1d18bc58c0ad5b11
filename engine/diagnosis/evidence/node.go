package evidence

// Facts about machines, images and runs. Their Place has the node.

// Reach says whether a machine can be logged in to.
type Reach struct {
	Reachable bool   `cty:"reachable"`
	Error     string `cty:"error"`
}

// Disk is a file system of a machine.
type Disk struct {
	Path    string   `cty:"path"`  // where it is mounted
	Holds   []string `cty:"holds"` // "images", "kubelet", "volumes", "etcd", "log": what matters and lies on it
	Type    string   `cty:"type"`
	Size    int64    `cty:"size"`
	Free    int64    `cty:"free"`
	Percent int64    `cty:"percent"` // used
	Inodes  int64    `cty:"inodes"`  // percent used
	Options string   `cty:"options"` // ro, …
}

// Memory is a machine's memory.
type Memory struct {
	Total     int64  `cty:"total"`
	Available int64  `cty:"available"`
	HugePages int64  `cty:"huge_pages"` // number configured
	HugeFree  int64  `cty:"huge_free"`
	Sem       string `cty:"sem"` // kernel.sem
	ShmMax    string `cty:"shmmax"`
}

// Clock is how far a machine's clock is from this machine's, and from those of
// the other machines.
type Clock struct {
	Offset  float64 `cty:"offset"`  // seconds; positive when it is ahead
	Error   float64 `cty:"error"`   // how far the offset may be wrong: half the round trip
	Outlier bool    `cty:"outlier"` // its clock, not ours, is off: most others agree with each other
	Synced  bool    `cty:"synced"`  // a time service says so
}

// Runtime is a machine's container runtime.
type Runtime struct {
	Name    string `cty:"name"` // containerd, docker, crio
	Version string `cty:"version"`
	Running bool   `cty:"running"`
	Kubelet string `cty:"kubelet"` // active, inactive, failed, missing, unknown
	Error   string `cty:"error"`
}

// Image is an image in a machine's runtime.
type Image struct {
	Ref     string `cty:"ref"` // full name and tag
	ID      string `cty:"id"`  // of its configuration
	Runtime string `cty:"runtime"`
}

// Folder is a folder of a machine that a volume is made of.
type Folder struct {
	Path   string   `cty:"path"`
	Exists bool     `cty:"exists"`
	UID    int64    `cty:"uid"`
	GID    int64    `cty:"gid"`
	Mode   string   `cty:"mode"` // "755"
	Has    []string `cty:"has"`  // the first names in it
	FS     string   `cty:"fs"`   // type of its file system
}

// Interface is a network interface of a machine.
type Interface struct {
	MTU     int64  `cty:"mtu"`
	Kind    string `cty:"kind"` // physical, overlay, bridge, veth, loopback
	Up      bool   `cty:"up"`
	Address string `cty:"address"`
}

// Route is a route of a machine (IPv4).
type Route struct {
	Destination string `cty:"destination"` // "default", or as 10.244.1.0/24
	Gateway     string `cty:"gateway"`     // "" when the network is the interface's own
	Interface   string `cty:"interface"`
}

// Port is a TCP port that something on a machine listens on.
type Port struct {
	Address string `cty:"address"` // 0.0.0.0 and :: mean all
	Port    int64  `cty:"port"`
}

// Certificate is one that the site relies on.
type Certificate struct {
	Where   string `cty:"where"` // file, Secret or address
	Subject string `cty:"subject"`
	Left    int64  `cty:"left"`   // seconds until it expires, negative when it has
	Starts  int64  `cty:"starts"` // seconds until it begins, negative when it has
}

// ImageCheck is one of the checks of an image's content. Its name is the
// image's.
type ImageCheck struct {
	ID       string `cty:"id"` // B6.6
	Title    string `cty:"title"`
	Verdict  string `cty:"verdict"` // good, warn, bad, unknown
	Evidence string `cty:"evidence"`
	Layer    int64  `cty:"layer"`   // number, from 1; 0 unknown
	Command  string `cty:"command"` // of the layer at fault
	Remedy   string `cty:"remedy"`
}

// StepResult is how an instance of a step ended in the last run.
type StepResult struct {
	Module  string `cty:"module"`
	Target  string `cty:"target"`
	Status  string `cty:"status"` // changed, unchanged, failed, skipped, cancelled
	Summary string `cty:"summary"`
	Error   string `cty:"error"` // its diagnostics, in full
	Age     int64  `cty:"age"`
}
