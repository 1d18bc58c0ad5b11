package host

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
)

var (
	//go:embed collect_log.sh
	logScript string

	logLook = shell.Lean(logScript)
)

// nodeLog is a log of a machine: where it is found.
type nodeLog struct {
	kind, name string
	program    string   // that writes it
	units      []string // of systemd
	files      []string // where there is no journal
}

// nodeLogs are those of a machine with that runtime.
func nodeLogs(runtime string) []nodeLog {
	engine := nodeLog{kind: evidence.RuntimeLog, name: "container runtime"}
	switch runtime {
	case "docker":
		engine.program, engine.units, engine.files = "dockerd", []string{"docker.service", "containerd.service"}, []string{"/var/log/docker.log", "/var/log/dockerd.log"}
	case "crio":
		engine.program, engine.units, engine.files = "crio", []string{"crio.service"}, []string{"/var/log/crio.log"}
	default:
		engine.program, engine.units, engine.files = "containerd", []string{"containerd.service"}, []string{"/var/log/containerd.log"}
	}
	return []nodeLog{
		{evidence.KernelLog, "kernel", "kernel", nil, []string{"/var/log/kern.log"}},
		{evidence.KubeletLog, "kubelet", "kubelet", []string{"kubelet.service"}, []string{"/var/log/kubelet.log", "/var/log/kubernetes/kubelet.log"}},
		engine,
	}
}

// log streams the end of one log.
func (c *Collect) log(ctx context.Context, env *module.Env, rec evidence.Recorder, place evidence.Place, l nodeLog) {
	args := []string{l.program, strconv.FormatInt(int64(c.Since/time.Second), 10), strconv.Itoa(c.LogLines), strconv.Itoa(c.LogBytes)}
	args = slices.Concat(args, l.units, []string{"--"}, l.files)
	err := evidence.Stream(rec, evidence.Log{Kind: l.kind, Name: l.name, Place: place}, func(w io.Writer) error {
		cmd := conn.Script(logLook, args...)
		cmd.Stdout = w
		_, err := env.Run(ctx, cmd)
		return err
	})
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) && strings.TrimSpace(exit.Stderr) != "" {
		err = errors.New(lastOf(exit.Stderr))
	}
	if err != nil {
		rec.Gap("the log of its "+l.name, place, err)
	}
}

// lastOf is the last line of a text.
func lastOf(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
