package host

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// networkInterface is an interface in the making.
type networkInterface struct {
	name string
	evidence.Interface
}

// network takes what the script tells of the network.
func (m *machine) network(key, value string) {
	f := strings.Fields(value)
	switch key {
	case "interface":
		m.addInterface(f)
	case "address":
		m.addAddress(f)
	case "route":
		m.addRoute(f)
	case "port":
		if port := readPort(value); port != nil {
			m.ports = append(m.ports, port)
		}
	}
}

// Types of link, as /sys/class/net/*/type has them (ARPHRD_*).
const (
	loopbackLink = "772"
	ipipLink     = "768"
	sitLink      = "776"
	greLink      = "778"
)

// addInterface reads NAME MTU OPERSTATE FLAGS TYPE IFINDEX IFLINK PART DEVTYPE.
func (m *machine) addInterface(f []string) {
	if len(f) < 9 {
		return
	}
	i := &networkInterface{name: f[0]}
	i.MTU, _ = strconv.ParseInt(f[1], 10, 64)
	flags, _ := strconv.ParseInt(strings.TrimPrefix(f[3], "0x"), 16, 64)
	i.Up = flags&1 != 0 && f[2] != "down" // IFF_UP; tunnels have the state "unknown"
	link, kind := f[4], f[8]
	switch {
	case link == loopbackLink:
		i.Kind = "loopback"
	case link == ipipLink, link == sitLink, link == greLink, slices.Contains([]string{"vxlan", "geneve", "wireguard", "gre", "ipip"}, kind), strings.HasPrefix(f[0], "flannel"):
		i.Kind = "overlay"
	case f[7] == "bridge", kind == "bridge":
		i.Kind = "bridge"
	case f[7] == "device", kind == "bond", kind == "vlan":
		i.Kind = "physical"
	case strings.HasPrefix(f[0], "veth"), strings.HasPrefix(f[0], "cali"), strings.HasPrefix(f[0], "lxc"):
		i.Kind = "veth"
	case strings.HasPrefix(f[0], "eth"), strings.HasPrefix(f[0], "en"): // of a machine that is a container
		i.Kind = "physical"
	case f[5] != f[6]:
		i.Kind = "veth"
	default: // dummy, tun
		i.Kind = "other"
	}
	m.interfaces = append(m.interfaces, i)
}

// addAddress reads a line of `ip -o address`: "2: eth0 inet 10.0.0.11/24 …".
// The first is the interface's; IPv4 comes first.
func (m *machine) addAddress(f []string) {
	if len(f) < 4 || f[2] != "inet" && f[2] != "inet6" {
		return
	}
	for _, i := range m.interfaces {
		if i.name == strings.TrimSuffix(f[1], ":") && i.Address == "" {
			i.Address, _, _ = strings.Cut(f[3], "/")
		}
	}
}

// addRoute reads a line of /proc/net/route: Iface Destination Gateway Flags
// RefCnt Use Metric Mask MTU …, addresses in hex as the kernel keeps them.
func (m *machine) addRoute(f []string) {
	if len(f) < 9 || f[0] == "Iface" {
		return
	}
	destination, ok1 := kernelAddress(f[1])
	gateway, ok2 := kernelAddress(f[2])
	mask, ok3 := kernelAddress(f[7])
	if !ok1 || !ok2 || !ok3 {
		return
	}
	r := &evidence.Route{Interface: f[0], Destination: "default"}
	bytes := mask.As4()
	ones := 0
	for bits := binary.BigEndian.Uint32(bytes[:]); bits&(1<<31) != 0; bits <<= 1 {
		ones++
	}
	if ones > 0 {
		r.Destination = netip.PrefixFrom(destination, ones).String()
	} else if m.gateway == "" {
		m.gateway = f[0]
	}
	if !gateway.IsUnspecified() {
		r.Gateway = gateway.String()
	}
	m.routes = append(m.routes, r)
}

// kernelAddress reads an address as /proc/net writes it: words of four bytes,
// each in the byte order of the machine, which is little-endian wherever the
// database runs.
func kernelAddress(text string) (netip.Addr, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.Addr{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(raw)
	return addr.Unmap(), ok
}

// readPort reads "0100007F:1538".
func readPort(text string) *evidence.Port {
	address, port, _ := strings.Cut(text, ":")
	addr, ok := kernelAddress(address)
	number, err := strconv.ParseInt(port, 16, 64)
	if !ok || err != nil {
		return nil
	}
	return &evidence.Port{Address: addr.String(), Port: number}
}

// recordNetwork keeps interfaces, routes and ports.
func (m *machine) recordNetwork(rec evidence.Recorder, place evidence.Place) {
	for _, i := range m.interfaces {
		if i.name == m.gateway && i.Kind == "veth" { // a machine that is a container
			i.Kind = "physical"
		}
		rec.Fact(i.name, place, &i.Interface)
	}
	for _, r := range m.routes {
		rec.Fact(r.Destination+" "+r.Interface, place, r)
	}
	listening := map[evidence.Port]bool{}
	for _, p := range m.ports {
		if !listening[*p] { // one process may listen several times
			listening[*p] = true
			rec.Fact(p.Address+" "+strconv.FormatInt(p.Port, 10), place, p)
		}
	}
}
