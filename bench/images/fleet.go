package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// fleet is the lab's nodes on shaped links. Its fields are those of the lab's fleet.json that are used here.
type fleet struct {
	Nodes      []host `json:"nodes"`
	Controller host   `json:"controller"`
	SSHConfig  string `json:"ssh_config"`
	Identity   string `json:"identity"`
	KnownHosts string `json:"known_hosts"`
	Docker     string `json:"docker"`
	Cgroup     string `json:"cgroup"`
	Rate       int64  `json:"rate"` // bits a second

	lab    string
	rate   string
	ours   bool     // it was not up before
	images []string // to remove from the builder at the end
}

type host struct{ Name, Address string }

// openFleet finds the fleet that is up, or brings one up, with links of that rate.
func openFleet(ctx context.Context, lab, rate string) (*fleet, error) {
	path, err := filepath.Abs(lab)
	if err != nil {
		return nil, err
	}
	f := &fleet{lab: path, rate: rate}
	_, err = f.do(ctx, "links")
	f.ours = err != nil
	if err := f.repair(ctx); err != nil {
		return nil, fmt.Errorf("bring the fleet up: %w", err)
	}
	file, err := f.do(ctx, "file")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(strings.TrimSpace(file))
	if err != nil {
		return nil, err
	}
	return f, json.Unmarshal(text, f)
}

// repair brings back nodes that were killed.
func (f *fleet) repair(ctx context.Context) error {
	_, err := f.do(ctx, "up", "--rate", f.rate)
	return err
}

func (f *fleet) close() error {
	ctx := context.Background() // also after an interrupt
	if f.ours {
		_, err := f.do(ctx, "down")
		return err
	}
	var all error
	for _, image := range f.images {
		_, err := f.docker(ctx, "image", "rm", "--force", image)
		all = errors.Join(all, err)
	}
	return all
}

func (f *fleet) do(ctx context.Context, args ...string) (string, error) {
	return output(exec.CommandContext(ctx, f.lab, append([]string{"fleet"}, args...)...))
}

// docker talks to the builder: the engine on this machine that also runs the nodes.
func (f *fleet) docker(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", append([]string{"--host", "unix://" + f.Docker}, args...)...)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0", "DOCKER_CONTEXT=")
	return output(cmd)
}

// on runs a script on a node, past its link, so that looking costs none of its bytes.
func (f *fleet) on(ctx context.Context, node, script string, args ...string) (string, error) {
	out, err := f.docker(ctx, append([]string{"exec", node, "sh", "-c", script, "sh"}, args...)...)
	if err != nil {
		return out, fmt.Errorf("%s: %w", node, err)
	}
	return out, nil
}

// controller is a command on the controller: this machine's files, the controller's link.
func (f *fleet) controller(ctx context.Context, argv ...string) *exec.Cmd {
	return exec.CommandContext(ctx, f.lab, append([]string{"fleet", "exec", "--"}, argv...)...)
}

// traffic is what has passed a machine's link.
type traffic struct{ Sent, Received int64 }

func (f *fleet) traffic(ctx context.Context) (map[string]traffic, error) {
	out, err := f.do(ctx, "links", "--json")
	if err != nil {
		return nil, err
	}
	var links []struct {
		Machine string
		traffic
	}
	if err := json.Unmarshal([]byte(out), &links); err != nil {
		return nil, err
	}
	all := map[string]traffic{}
	for _, l := range links {
		all[l.Machine] = l.traffic
	}
	return all, nil
}

// since is what has passed between two looks.
func (t traffic) since(before traffic) traffic {
	return traffic{t.Sent - before.Sent, t.Received - before.Received}
}

// machines are all that have a link.
func (f *fleet) machines() []host { return append([]host{f.Controller}, f.Nodes...) }

func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// bytesPerSecond is what a link can carry; fast where links are not shaped.
func (f *fleet) bytesPerSecond() float64 {
	if f.Rate == 0 {
		return 1e9
	}
	return float64(f.Rate) / 8
}
