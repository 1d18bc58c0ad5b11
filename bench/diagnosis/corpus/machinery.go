package corpus

import (
	"fmt"
	"time"
)

func operator(w *chatter, _ int) {
	level, text := "info", ""
	switch w.rand.IntN(7) {
	case 0:
		text = "pgTask added: orders-backup"
	case 1:
		level, text = "warning", "could not find cluster with a running primary, will retry"
	case 2:
		level, text = "error", `Operation cannot be fulfilled on pgclusters.crunchydata.com \"orders\": the object has been modified; please apply your changes to the latest version and try again`
	case 3:
		text = "jobController: onUpdate namespace=pgouser2 jobName=backrest-backup-orders"
	case 4:
		level, text = "error", "pgtasks.crunchydata.com \\\"orders-backrest-backup\\\" not found"
	default:
		level, text = "debug", "[Controller] ns=[pgouser2] phase=[Running] pod is ready"
	}
	w.say(`time="%s" level=%s msg="%s" func="controller.run()" file="/go/src/github.com/crunchydata/postgres-operator/controller/controller.go:%d" version=4.2.1`,
		w.at.UTC().Format(time.RFC3339), level, text, 40+w.rand.IntN(300))
}

func (w *chatter) journal(program, format string, args ...any) {
	fmt.Fprintf(w, "%s node %s[%d]: %s\n", w.at.UTC().Format("2006-01-02T15:04:05-0700"), program, 800+len(program), fmt.Sprintf(format, args...))
}

func kubelet(w *chatter, _ int) {
	short := w.at.UTC().Format("0102 15:04:05.000000")
	switch w.rand.IntN(9) {
	case 0:
		w.journal("kubelet", `W%s     812 container.go:586] Failed to update stats for container "/kubepods/burstable/pod%s": unable to determine device info for dir: /var/lib/docker: stat failed, continuing to push stats`, short, w.hex(8))
	case 1:
		w.journal("kubelet", `E%s     812 summary_sys_containers.go:48] "Failed to get system container stats" err="failed to get cgroup stats for \"/system.slice/kubelet.service\"" containerName="/system.slice/kubelet.service"`, short)
	case 2:
		w.journal("kubelet", `E%s     812 controller.go:193] "Failed to update lease" err="Operation cannot be fulfilled on leases.coordination.k8s.io \"node\": the object has been modified; please apply your changes to the latest version and try again"`, short)
	case 3:
		w.journal("kubelet", `I%s     812 prober.go:107] "Probe failed" probeType="Readiness" pod="pgouser2/orders-%s" podUID="%s" containerName="database" probeResult="failure" output=""`, short, w.hex(10), w.hex(12))
	case 4:
		w.journal("kubelet", `I%s     812 reconciler_common.go:231] "operationExecutor.MountVolume started for volume \"sshd\" (UniqueName: \"kubernetes.io/secret/%s-sshd\") pod \"orders\""`, short, w.hex(12))
	case 5:
		w.journal("kubelet", `I%s     812 kubelet_getters.go:187] "Pod status updated" pod="kube-system/kube-proxy-%s" status="Running"`, short, w.letters(5))
	case 6:
		w.journal("kubelet", `W%s     812 manager.go:1174] Failed to process watch event {EventType:0 Name:/kubepods/burstable/pod%s WatchSource:0}: task %s not found: not found`, short, w.hex(8), w.hex(16))
	default:
		w.journal("kubelet", `I%s     812 scope.go:117] "RemoveContainer" containerID="%s"`, short, w.hex(64))
	}
}

func containerd(w *chatter, _ int) {
	stamp := w.at.UTC().Format(time.RFC3339Nano)
	switch w.rand.IntN(7) {
	case 0:
		w.journal("containerd", `time="%s" level=warning msg="cleaning up after shim disconnected" id=%s namespace=k8s.io`, stamp, w.hex(64))
	case 1:
		w.journal("containerd", `time="%s" level=info msg="ExecSync for \"%s\" with command [/opt/cpm/bin/health/postgres-ha-readiness.sh] and timeout 10 (s)"`, stamp, w.hex(64))
	case 2:
		w.journal("containerd", `time="%s" level=error msg="failed to delete task" error="context deadline exceeded" id=%s`, stamp, w.hex(16))
	case 3:
		w.journal("containerd", `time="%s" level=warning msg="runtime v1 is deprecated since containerd v1.4, consider using runtime v2"`, stamp)
	default:
		w.journal("containerd", `time="%s" level=info msg="TaskExit event &TaskExit{ContainerID:%s,Pid:%d,ExitStatus:0,ExitedAt:%s}"`, stamp, w.hex(64), w.rand.IntN(90000), stamp)
	}
}

func kernel(w *chatter, _ int) {
	switch w.rand.IntN(7) {
	case 0:
		w.journal("kernel", "IPVS: rr: TCP 10.96.0.%d:443 - no destination available", w.rand.IntN(250))
	case 1:
		w.journal("kernel", "TCP: request_sock_TCP: Possible SYN flooding on port 5432. Sending cookies.  Check SNMP counters.")
	case 2:
		w.journal("kernel", "cni0: port %d(veth%s) entered forwarding state", w.rand.IntN(40), w.hex(8))
	case 3:
		w.journal("kernel", "device veth%s left promiscuous mode", w.hex(8))
	case 4:
		w.journal("kernel", "XFS (sdb1): Ending clean mount")
	case 5:
		w.journal("kernel", "perf: interrupt took too long (%d > 2500), lowering kernel.perf_event_max_sample_rate to 79000", 2501+w.rand.IntN(900))
	default:
		w.journal("kernel", "IPv6: ADDRCONF(NETDEV_CHANGE): veth%s: link becomes ready", w.hex(8))
	}
}

// run is antdbctl's own: steps that came through, some at the second try.
func run(w *chatter, i int) {
	stamp := w.at.UTC().Format(time.RFC3339)
	fmt.Fprintf(w, "%s step nodes[\"node%d\"]: try 1 of 3 failed: ssh: handshake failed: EOF; again in 5s\n", stamp, 1+i%3)
	fmt.Fprintf(w, "%s step nodes[\"node%d\"]: image crunchydata/antdb-ha:4.1-0 is there\n", stamp, 1+i%3)
}
