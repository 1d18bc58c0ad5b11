package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/adbsql/antdbctl/lab/cluster"
	"github.com/adbsql/antdbctl/lab/control"
	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/node"
	"github.com/adbsql/antdbctl/lab/proc"
)

func statusCommand(lab layout.Lab) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show what runs and what it needs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			nodes := recallNodes(lab)
			if nodes == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "the lab is down")
				return nil
			}
			lab.Nodes = nodes
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			defer table.Flush()
			printProcesses(table, lab)
			printNodes(cmd.Context(), table, lab)
			return nil
		},
	}
}

func printProcesses(table *tabwriter.Writer, lab layout.Lab) {
	fmt.Fprintln(table, "PROCESS\tPID\tMEMORY\tLOG")
	for _, d := range append(control.Plane{Lab: lab}.Daemons(), recycler(lab), docker.New(lab).Daemon()) {
		state, memory := "not running", ""
		if pid := d.Pid(); pid != 0 {
			state, memory = fmt.Sprint(pid), fmt.Sprintf("%d MiB", proc.Resident(pid)>>20)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", d.Name, state, memory, d.LogFile())
	}
}

func printNodes(ctx context.Context, table *tabwriter.Writer, lab layout.Lab) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	said := map[string]string{}
	if err := kubernetesSays(ctx, lab, said); err != nil {
		fmt.Fprintf(os.Stderr, "lab: the API server does not answer: %v\n", err)
	}
	engine := docker.New(lab)
	fmt.Fprintln(table, "\nNODE\tADDRESS\tCONTAINER\tMEMORY\tOF PODS\tKUBERNETES\tPODS")
	for _, n := range lab.All() {
		container, id := "missing", ""
		if out, err := engine.Do(ctx, "container", "inspect", "--format", "{{.State.Status}} {{.Id}}", n.Name); err == nil {
			container, id, _ = strings.Cut(out, " ")
		}
		kube := said[n.Name]
		if kube == "" {
			kube = "unknown\t"
		}
		own, pods := int64(0), node.Memory(lab, n.Name)
		if id != "" {
			own = node.Memory(lab, "engine/"+id)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d MiB\t%d MiB\t%s\n", n.Name, n.IP, container, own>>20, pods>>20, kube)
	}
}

// kubernetesSays fills in what the cluster knows of each node: its state and how many pods it has.
func kubernetesSays(ctx context.Context, lab layout.Lab, said map[string]string) error {
	config, err := control.Config(lab)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	pods, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, pod := range pods.Items {
		count[pod.Spec.NodeName]++
	}
	for _, n := range nodes.Items {
		state := "NotReady"
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				state = "Ready"
			}
		}
		said[n.Name] = fmt.Sprintf("%s\t%d", state, count[n.Name])
	}
	return nil
}

// recycler is this program in the background: it gives released volumes back.
func recycler(lab layout.Lab) proc.Daemon {
	self, err := os.Executable()
	if err != nil {
		self = "/proc/self/exe"
	}
	env := []string{"ANTDBCTL_LAB_DIR=" + lab.State, "ANTDBCTL_LAB_CACHE=" + lab.Cache, fmt.Sprint("ANTDBCTL_LAB_SLOT=", lab.Slot)}
	return proc.Daemon{Name: "volume-recycler", Dir: lab.State, Env: env, Argv: []string{self, "recycle-volumes"}}
}

func recycleCommand(lab layout.Lab) *cobra.Command {
	return &cobra.Command{
		Use: "recycle-volumes", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := control.Config(lab)
			if err != nil {
				return err
			}
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			cluster.Recycle(cmd.Context(), client, docker.New(lab), func(err error) { fmt.Fprintln(os.Stderr, err) })
			return nil
		},
	}
}
