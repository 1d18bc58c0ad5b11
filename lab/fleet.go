package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/fleet"
	"github.com/adbsql/antdbctl/lab/image"
	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/progress"
)

const fleetManual = `A fleet is plain nodes without Kubernetes: each with sshd, containerd and a Docker Engine, behind a link of a
chosen rate. The controller, from where antdbctl works, has a link of its own:

  lab fleet up                        eight nodes, 100 Mbit/s each way; again: what was killed comes back
  lab fleet exec antdbctl apply …     a command on the controller
  lab fleet ssh node3 ctr version     a command on a node, from outside the controller
  lab fleet links                     the bytes that have passed each link
  lab fleet kill node3                also: pause, unpause
  lab fleet down

It is a lab of its own in slot 7 (or $ANTDBCTL_LAB_SLOT, but never 0), beside a cluster that may be up. Its folder,
/run/antdbctl-lab-7, has fleet.json, ssh_config, known_hosts, id_ed25519 and docker.sock.`

func fleetCommand(lab layout.Lab) *cobra.Command {
	if lab.Slot == 0 {
		lab.Slot = fleet.DefaultSlot
		lab.State = fmt.Sprintf("%s-%d", lab.State, lab.Slot)
	}
	lab.Nodes = fleet.DefaultNodes
	if there := recallNodes(lab); there != 0 {
		lab.Nodes = there
	}
	cmd := &cobra.Command{Use: "fleet", Short: "Plain nodes behind shaped links, to measure how images travel", Long: fleetManual}
	cmd.AddCommand(fleetUpCommand(lab), fleetDownCommand(lab), sshCommand(lab), fleetExecCommand(lab), fleetLinksCommand(lab),
		printCommand(lab, "file", "Print the path of fleet.json, which tells a program all it needs", fleet.File(lab)))
	f := fleet.Fleet{Lab: lab, Engine: docker.New(lab)}
	for _, verb := range []struct {
		name, short string
		do          func(ctx context.Context, nodes ...string) error
	}{
		{"kill", "Kill nodes as a power cut does; fleet up brings them back with their disks", f.Kill},
		{"pause", "Make nodes stand still: their connections stay open and silent", f.Pause},
		{"unpause", "Let paused nodes go on", f.Unpause},
	} {
		cmd.AddCommand(&cobra.Command{Use: verb.name + " NODE...", Short: verb.short, Args: cobra.MinimumNArgs(1),
			RunE: func(cmd *cobra.Command, nodes []string) error {
				if _, err := fleet.Read(lab); err != nil {
					return err
				}
				return verb.do(cmd.Context(), nodes...)
			}})
	}
	return cmd
}

func fleetUpCommand(lab layout.Lab) *cobra.Command {
	cmd := &cobra.Command{Use: "up", Short: "Bring the fleet up, repair one, or give its links another rate", Args: cobra.NoArgs}
	rate := cmd.Flags().String("rate", "100mbit", "of each link, each way; none: as fast as it goes")
	nodes := cmd.Flags().Int("nodes", fleet.DefaultNodes, "number of nodes")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		wanted := lab
		wanted.Nodes = *nodes
		if err := checkUp(wanted, cmd.Flags().Changed("nodes")); err != nil {
			return err
		}
		if there := recallNodes(lab); there != 0 {
			wanted.Nodes = there
		}
		if _, err := os.Stat(lab.Kubeconfig()); err == nil {
			return fmt.Errorf("a cluster is up in slot %d; set ANTDBCTL_LAB_SLOT to another one", lab.Slot)
		}
		parsed, err := fleet.ParseRate(*rate)
		if err != nil {
			return err
		}
		unlock, err := lock(lab)
		if err != nil {
			return err
		}
		defer unlock()
		return fleetUp(cmd.Context(), wanted, parsed, progress.New(cmd.OutOrStdout()))
	}
	return cmd
}

func fleetUp(ctx context.Context, lab layout.Lab, rate fleet.Rate, print *progress.Printer) error {
	a := &ascent{lab: lab, print: print, engine: docker.New(lab)}
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"look at this machine", a.prepareHost},
		{"start the fleet's Docker Engine", a.startEngine},
		{"have the nodes' image", func(ctx context.Context) error { return image.Node().Ensure(ctx, lab, a.engine, a.sources) }},
		{fmt.Sprintf("start %d nodes and shape their links to %s", lab.Nodes, rate), func(ctx context.Context) error {
			return fleet.Fleet{Lab: lab, Engine: a.engine, Owner: a.owner, Rate: rate}.Start(ctx)
		}},
	}
	for _, step := range steps {
		if err := print.Do(ctx, step.what, step.do); err != nil {
			return err
		}
	}
	print.Say("the fleet is up: %s", fleet.File(lab))
	return nil
}

func fleetDownCommand(lab layout.Lab) *cobra.Command {
	cmd := downCommand(lab)
	cmd.Short = "Take the fleet down: no container, process, mount, link or file of it stays"
	takeDown := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := takeDown(cmd, args)
		// it goes with the controller's namespace, unless something still runs there
		return errors.Join(err, removeLink(cmd.Context(), fleet.ControllerLink(lab)))
	}
	return cmd
}

func fleetExecCommand(lab layout.Lab) *cobra.Command {
	return &cobra.Command{
		Use: "exec COMMAND...", Short: "Run a command on this machine with the controller's network", Args: cobra.MinimumNArgs(1), DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "--help", "-h":
				return cmd.Help()
			case "--":
				args = args[1:]
			}
			if len(args) == 0 {
				return errors.New("say which command")
			}
			return fleet.Exec(lab, args)
		},
	}
}

func fleetLinksCommand(lab layout.Lab) *cobra.Command {
	cmd := &cobra.Command{Use: "links", Short: "Count the bytes that have passed each link", Args: cobra.NoArgs}
	asJSON := cmd.Flags().Bool("json", false, "for programs")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		site, err := fleet.Read(lab)
		if err != nil {
			return err
		}
		links, err := fleet.Links(site)
		if err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(links)
		}
		table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(table, "machine\tsent\treceived\t")
		for _, l := range links {
			fmt.Fprintf(table, "%s\t%d\t%d\t\n", l.Machine, l.Sent, l.Received)
		}
		return table.Flush()
	}
	return cmd
}
