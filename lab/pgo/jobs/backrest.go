// Package jobs is what runs in the Jobs of the stand-in.
package jobs

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

// Exec runs commands in pods.
type Exec struct {
	Config *rest.Config
	Kube   kubernetes.Interface
}

// Run runs a command in the container "database" and copies its output to out; a status above 0 is an error.
func (e Exec) Run(ctx context.Context, namespace, pod string, command []string, out io.Writer) error {
	return e.RunIn(ctx, namespace, pod, "database", nil, out, command...)
}

// RunIn is Run in any container, with an input.
func (e Exec) RunIn(ctx context.Context, namespace, pod, container string, stdin io.Reader, out io.Writer, command ...string) error {
	request := e.Kube.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: container, Command: command, Stdin: stdin != nil, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	executor, err := remotecommand.NewSPDYExecutor(e.Config, "POST", request.URL())
	if err != nil {
		return fmt.Errorf("exec in pod %s: %w", pod, err)
	}
	return executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: out, Stderr: out})
}

// Backrest is one pgBackRest command, run in the repository pod against the primary at Host.
type Backrest struct {
	Namespace, RepoPod, Command, Options string
	Host, Path                           string // of the primary
}

// FromOptions takes the primary out of the options, where PGO 4.7 has it.
func (b Backrest) FromOptions() Backrest {
	var kept []string
	for _, option := range strings.Fields(b.Options) {
		if host, found := strings.CutPrefix(option, "--db-host="); found {
			b.Host = host
		} else if path, found := strings.CutPrefix(option, "--db-path="); found {
			b.Path = path
		} else {
			kept = append(kept, option)
		}
	}
	b.Options = strings.Join(kept, " ")
	return b
}

// Run succeeds when pgBackRest does.
func (b Backrest) Run(ctx context.Context, e Exec, out io.Writer) error {
	if b.Host == "" {
		return fmt.Errorf("no ready primary for pgbackrest %s", b.Command)
	}
	if err := b.awaitRepository(ctx, e.Kube, 6*time.Minute); err != nil {
		return err
	}
	command := append([]string{"pgbackrest", b.Command, "--log-level-console=info"}, strings.Fields(b.Options)...)
	command = append(command, "--pg1-host="+b.Host, "--pg1-path="+b.Path)
	fmt.Fprintf(out, "in pod %s: %s\n", b.RepoPod, strings.Join(command, " "))
	return e.Run(ctx, b.Namespace, b.RepoPod, command, out)
}

// awaitRepository waits while the repository's container is held up by its image, which the original's never is: it has
// an image of its own that is on every node, whereas here it is the database's. The limit is above the kubelet's longest
// pause between two pulls. A pod without a node is not waited for: the original's Job fails on it at once, with this text.
func (b Backrest) awaitRepository(ctx context.Context, kube kubernetes.Interface, limit time.Duration) error {
	err := wait.PollUntilContextTimeout(ctx, time.Second, limit, true, func(ctx context.Context) (bool, error) {
		pod, err := kube.CoreV1().Pods(b.Namespace).Get(ctx, b.RepoPod, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		if pod.Spec.NodeName == "" {
			return false, fmt.Errorf("pod %s does not have a host assigned", b.RepoPod)
		}
		for _, c := range pod.Status.ContainerStatuses {
			if c.Ready {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("pgbackrest %s: %w", b.Command, err)
	}
	return nil
}

// RepoBackup is the backup of PGO 5 and 6: one command in the container of the repository's pod.
type RepoBackup struct {
	Namespace, Selector, Container string
	Command, Options               string
}

// Run succeeds when pgBackRest does. An immediate checkpoint is asked for, so it takes seconds.
func (b RepoBackup) Run(ctx context.Context, e Exec, out io.Writer) error {
	pods, err := e.Kube.CoreV1().Pods(b.Namespace).List(ctx, metav1.ListOptions{LabelSelector: b.Selector})
	if err != nil {
		return err
	}
	if len(pods.Items) != 1 {
		return fmt.Errorf("%d pods are the repository's, by %s", len(pods.Items), b.Selector)
	}
	command := append([]string{"pgbackrest", b.Command, "--log-level-console=info", "--start-fast"}, strings.Fields(b.Options)...)
	fmt.Fprintf(out, "in pod %s: %s\n", pods.Items[0].Name, strings.Join(command, " "))
	return e.RunIn(ctx, b.Namespace, pods.Items[0].Name, b.Container, nil, out, command...)
}
