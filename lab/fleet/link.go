package fleet

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/lab/proc"
)

// Link is what has passed a machine's cable to the bridge.
type Link struct {
	Machine  string `json:"machine"`
	Sent     int64  `json:"sent"`     // bytes that left the machine since its start
	Received int64  `json:"received"` // bytes that reached it
}

// link is the cable: two ends, of which the host holds one.
type link struct {
	machine string
	end     string   // the host's interface
	inside  []string // begins a command at the machine's end
}

// links finds the links of all machines that run.
func (f Fleet) links(ctx context.Context) ([]link, error) {
	links := []link{{machine: controller, end: ControllerLink(f.Lab), inside: f.inController()}}
	for _, n := range f.Lab.All() {
		pid := f.pid(ctx, n.Name)
		if pid == "0" {
			continue
		}
		inside := []string{"nsenter", "--net", "--target", pid, "--"}
		out, err := proc.Run(ctx, append(inside, "ip", "-o", "link", "show", "eth0")...)
		if err != nil {
			return nil, err
		}
		end, err := otherEnd(out)
		if err != nil {
			return nil, fmt.Errorf("find the link of %s: %w", n.Name, err)
		}
		links = append(links, link{machine: n.Name, end: end, inside: inside})
	}
	return links, nil
}

// otherEnd reads the host's interface off a line like "7: eth0@if12: <BROADCAST…".
func otherEnd(line string) (string, error) {
	_, rest, found := strings.Cut(line, "eth0@if")
	number, _, ended := strings.Cut(rest, ":")
	index, err := strconv.Atoi(number)
	if !found || !ended || err != nil {
		return "", fmt.Errorf("no other end in %q", strings.TrimSpace(line))
	}
	link, err := net.InterfaceByIndex(index)
	if err != nil {
		return "", err
	}
	return link.Name, nil
}

// Links counts what has passed the link of each machine that runs. The numbers are the kernel's for the host's end:
// packets as they were handed over, so that one header may stand for a batch of segments of one connection.
func Links(site Site) ([]Link, error) {
	var links []Link
	for _, machine := range append([]Host{site.Controller}, site.Nodes...) {
		l := Link{Machine: machine.Name}
		folder := filepath.Join("/sys/class/net", machine.Link, "statistics")
		if _, err := os.Stat(folder); machine.Link == "" || err != nil {
			continue // it was killed
		}
		for name, into := range map[string]*int64{"rx_bytes": &l.Sent, "tx_bytes": &l.Received} {
			content, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				return nil, err
			}
			if *into, err = strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64); err != nil {
				return nil, err
			}
		}
		links = append(links, l)
	}
	return links, nil
}
