package node

import (
	"context"
	"strings"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/proc"
)

// passages are what the lab needs through the host's firewall: node to node over the bridge, node to API server.
func passages(lab layout.Lab) [][]string {
	return [][]string{
		{"FORWARD", "-i", lab.Bridge(), "-o", lab.Bridge(), "-j", "ACCEPT"},
		{"INPUT", "-i", lab.Bridge(), "-j", "ACCEPT"},
	}
}

// OpenFirewall lets the lab's own traffic pass on a host that drops by default (another Docker Engine sets FORWARD so).
// Where nothing is dropped, nothing is changed.
func OpenFirewall(ctx context.Context, lab layout.Lab) error {
	for _, rule := range passages(lab) {
		out, err := proc.Run(ctx, "iptables", "-S", rule[0])
		if err != nil {
			return err
		}
		if !strings.Contains(out, "-P "+rule[0]+" DROP") || present(ctx, rule) {
			continue
		}
		if _, err := proc.Run(ctx, append([]string{"iptables", "-I"}, rule...)...); err != nil {
			return err
		}
	}
	return nil
}

// CloseFirewall takes back what OpenFirewall did.
func CloseFirewall(ctx context.Context, lab layout.Lab) error {
	for _, rule := range passages(lab) {
		for present(ctx, rule) {
			if _, err := proc.Run(ctx, append([]string{"iptables", "-D"}, rule...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

func present(ctx context.Context, rule []string) bool {
	_, err := proc.Run(ctx, append([]string{"iptables", "-C"}, rule...)...)
	return err == nil
}
