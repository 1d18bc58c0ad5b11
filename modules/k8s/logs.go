package k8s

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed logs.hcl
var logsExample string

// Logs reads the log of a container.
type Logs struct {
	Pod       string        `hcl:"pod,optional" doc:"Name of the pod."`
	Selector  string        `hcl:"selector,optional" doc:"Labels of the pod, instead of its name. Of several the one made last is read."`
	Container string        `hcl:"container,optional" doc:"Container of the pod; its default container when left out."`
	Previous  bool          `hcl:"previous,optional" doc:"Read the log of the run before the last restart."`
	Tail      int           `hcl:"tail,optional" default:"1000" doc:"How many lines from the end."`
	Since     time.Duration `hcl:"since,optional" doc:"Only lines that are not older than this."`
	Namespace string        `hcl:"namespace,optional" doc:"Namespace; the target's when left out."`

	Name  string   `out:"name" doc:"The pod whose log it is."`
	Text  string   `out:"text" doc:"The log."`
	Lines []string `out:"lines" doc:"The log, line by line."`
}

// maxLog bounds what one step keeps of a log, whatever its lines are like.
const maxLog = 1 << 20

// Info describes k8s.logs.
func (*Logs) Info() module.Info {
	return module.Info{
		Name:     "k8s.logs",
		Summary:  "Read the log of a pod's container.",
		Doc:      `At most 1 MiB is read. With ` + "`previous`" + `, a container that never restarted has an empty log.`,
		On:       places,
		Example:  logsExample,
		ReadOnly: true,
	}
}

// Validate checks what the tags cannot say.
func (l *Logs) Validate() error {
	switch {
	case l.Pod != "" && l.Selector != "":
		return module.At("selector", errors.New("pod and selector exclude each other"))
	case l.Pod == "" && l.Selector == "":
		return errors.New("say whose log: pod, or selector")
	case l.Tail < 0:
		return module.At("tail", errors.New("the number of lines is negative"))
	}
	return nil
}

// Check reads.
func (l *Logs) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	c, err := clientOf(env, l.Namespace)
	if err != nil {
		return module.NoChange, err
	}
	pod, err := l.pod(ctx, c)
	if err != nil {
		return module.NoChange, c.explain(err)
	}
	container, err := l.container(pod)
	if err != nil {
		return module.NoChange, module.At("container", err)
	}
	tail, limit := int64(l.Tail), int64(maxLog)
	options := &corev1.PodLogOptions{Container: container, Previous: l.Previous, TailLines: &tail, LimitBytes: &limit}
	if l.Since > 0 {
		options.SinceSeconds = new(int64)
		*options.SinceSeconds = max(1, int64(l.Since/time.Second))
	}
	raw, err := c.Clientset().CoreV1().Pods(c.namespace).GetLogs(pod.Name, options).DoRaw(ctx)
	if err != nil && !(l.Previous && neverEnded(pod, container)) {
		return module.NoChange, module.Explain(fmt.Errorf("read the log of pod %s, container %s: %w", pod.Name, container, said(raw, err)),
			"", c.Evidence(ctx, pod)...)
	}
	l.Name, l.Text, l.Lines = pod.Name, string(raw), nil
	for line := range strings.Lines(l.Text) {
		l.Lines = append(l.Lines, strings.TrimRight(line, "\r\n"))
	}
	return module.NoChange, nil
}

// Apply is never called: Check does all the work.
func (*Logs) Apply(context.Context, *module.Env) error { return fmt.Errorf("k8s.logs changes nothing") }

func (l *Logs) pod(ctx context.Context, c client) (*corev1.Pod, error) {
	pods := c.Clientset().CoreV1().Pods(c.namespace)
	if l.Pod != "" {
		pod, err := pods.Get(ctx, l.Pod, metav1.GetOptions{})
		return pod, module.At("pod", err)
	}
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: l.Selector})
	if err != nil {
		return nil, fmt.Errorf("list pods with %s: %w", l.Selector, err)
	}
	var last *corev1.Pod
	for i := range list.Items {
		if p := &list.Items[i]; last == nil || last.CreationTimestamp.Before(&p.CreationTimestamp) {
			last = p
		}
	}
	if last == nil {
		return nil, module.At("selector", fmt.Errorf("no pod in %s has the labels %s", c.namespace, l.Selector))
	}
	return last, nil
}

func (l *Logs) container(pod *corev1.Pod) (string, error) {
	var names []string
	for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		if c.Name == l.Container {
			return c.Name, nil
		}
		names = append(names, c.Name)
	}
	if l.Container == "" {
		return kube.DefaultContainer(pod), nil
	}
	return "", fmt.Errorf("pod %s has no container %s; it has %s", pod.Name, l.Container, strings.Join(names, ", "))
}

// neverEnded reports that there is no earlier run whose log could be read.
func neverEnded(pod *corev1.Pod, container string) bool {
	for _, s := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if s.Name == container {
			return s.LastTerminationState.Terminated == nil
		}
	}
	return false
}

// said is the server's own reason for an error, which the client leaves out of
// what it makes of answers that are no objects.
func said(answer []byte, err error) error {
	var s metav1.Status
	if json.Unmarshal(answer, &s) == nil && s.Message != "" {
		return errors.New(s.Message)
	}
	return err
}
