package diagnosis

import (
	"fmt"
	"strings"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// words are what a diagnosis says by itself, in one language.
type words struct {
	language  string
	strength  map[signature.Strength]func(where string) string
	logs      map[string]string // by kind, of a place
	previous  string
	join      string
	places    [6]string // pod, container, node, cluster, namespace, the site
	signature string    // ID, signal, fault
	cut       string    // reason
}

func phrase(format string) func(string) string {
	return func(where string) string { return fmt.Sprintf(format, where) }
}

var english = words{
	language: "en",
	strength: map[signature.Strength]func(string) string{
		signature.Proof:  phrase("the cause itself, seen in %s"),
		signature.Strong: phrase("a clear sign in %s"),
		signature.Hint:   phrase("signs that fit, in %s"),
	},
	logs: map[string]string{
		evidence.ContainerLog: "%s", evidence.JobLog: "%s", evidence.OperatorLog: "operator, %s", evidence.ServerLog: "server log, %s",
		evidence.EventLog: "events, %s", evidence.KernelLog: "kernel log, %s", evidence.KubeletLog: "kubelet, %s",
		evidence.RuntimeLog: "container runtime, %s", evidence.RunLog: "run, %s",
	},
	previous:  ", the run before",
	join:      ", ",
	places:    [6]string{"pod ", "container ", "node ", "cluster ", "namespace ", "the site"},
	signature: "%s, signal %s could not be judged: %s",
	cut:       "the diagnosis was ended before it was done (%s): it is about what was seen until then",
}

var chinese = words{
	language: "zh",
	strength: map[signature.Strength]func(string) string{
		signature.Proof:  phrase("在%s中直接看到原因"),
		signature.Strong: phrase("%s中的明确迹象"),
		signature.Hint:   phrase("%s中的线索"),
	},
	logs: map[string]string{
		evidence.ContainerLog: "%s", evidence.JobLog: "%s", evidence.OperatorLog: "operator，%s", evidence.ServerLog: "数据库日志，%s",
		evidence.EventLog: "事件，%s", evidence.KernelLog: "内核日志，%s", evidence.KubeletLog: "kubelet，%s",
		evidence.RuntimeLog: "容器运行时，%s", evidence.RunLog: "运行日志，%s",
	},
	previous:  "（上一次运行）",
	join:      "，",
	places:    [6]string{"Pod ", "容器 ", "节点 ", "集群 ", "命名空间 ", "整个站点"},
	signature: "%s 的信号 %s 无法判断：%s",
	cut:       "诊断未完成即被中止（%s）：结论只依据此前看到的内容",
}

var languages = map[string]words{"": english, "en": english, "zh": chinese}

// place names a place, as evidence.Place does in English.
func (w words) place(p evidence.Place) string {
	var parts []string
	if p.Pod != "" {
		parts = append(parts, w.places[0]+p.Pod)
	}
	if p.Container != "" {
		parts = append(parts, w.places[1]+p.Container)
	}
	if len(parts) > 0 {
		return strings.Join(parts, w.join)
	}
	for n, name := range []string{p.Node, p.Cluster, p.Namespace} {
		if name != "" {
			return w.places[2+n] + name
		}
	}
	return w.places[5]
}

// whereLog names a log.
func whereLog(w words, log evidence.Log) string {
	of := w.place(log.Place)
	if log.Kind == evidence.RunLog && log.Name != "" {
		of = log.Name
	}
	text := fmt.Sprintf(w.logs[log.Kind], of)
	if log.Previous {
		text += w.previous
	}
	return text
}

// whereFact names a fact: its kind, its name, and its place where that says
// more.
func whereFact(w words, f evidence.Fact) string {
	text := f.Kind + " " + f.Name
	if f.Name == "" {
		text = f.Kind
	}
	if place := f.Place; place != (evidence.Place{}) && place.Pod != f.Name && place.Node != f.Name && place.Container != f.Name {
		text += w.join + w.place(place)
	} else if place.Pod != "" && place.Pod != f.Name {
		place.Container = ""
		text += w.join + w.place(place)
	}
	return text
}
