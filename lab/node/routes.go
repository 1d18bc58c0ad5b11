package node

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/proc"
)

// Routes lets the host reach pods and services. They go when the bridge goes.
func Routes(ctx context.Context, lab layout.Lab) error {
	routes := [][2]string{{lab.ServiceCIDR(), lab.Node(1).IP}}
	for _, n := range lab.All() {
		routes = append(routes, [2]string{n.PodCIDR, n.IP})
	}
	for _, route := range routes {
		if _, err := proc.Run(ctx, "ip", "route", "replace", route[0], "via", route[1], "dev", lab.Bridge()); err != nil {
			return err
		}
	}
	return nil
}

// FreeNetworks fails when a route of this machine overlaps the lab's addresses. Other labs keep to their own slots.
func FreeNetworks(ctx context.Context, lab layout.Lab) error {
	out, err := proc.Run(ctx, "ip", "-4", "-o", "route", "show", "table", "main")
	if err != nil {
		return err
	}
	return overlap(lab, out)
}

func overlap(lab layout.Lab, routes string) error {
	for _, line := range strings.Split(routes, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.Contains(line, "dev antdblab") {
			continue
		}
		if !strings.Contains(fields[0], "/") {
			fields[0] += "/32"
		}
		taken, err := netip.ParsePrefix(fields[0])
		if err != nil {
			continue // "default", "unreachable" and the like
		}
		for _, cidr := range []string{lab.Subnet(), layout.PodCIDR, lab.ServiceCIDR()} {
			if taken.Overlaps(netip.MustParsePrefix(cidr)) {
				return fmt.Errorf("the lab needs the network %s, but this machine has the route %q", cidr, strings.TrimSpace(line))
			}
		}
	}
	return nil
}
