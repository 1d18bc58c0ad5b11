package corpus

import (
	"bytes"
	"fmt"
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// chatter writes one log, line after line, until taken.
type chatter struct {
	*noise
	bytes.Buffer
	at time.Time
}

// logs are those of the rest of the site. With a density above 1 everybody
// writes so much more often.
func (n *noise) logs(density int, give func(Text) error) error {
	var failed error
	add := func(log evidence.Log, every time.Duration, line func(w *chatter, i int)) {
		if failed != nil {
			return
		}
		if log.Name == "" {
			log.Name = logName(log)
		}
		every /= time.Duration(density)
		w := &chatter{noise: n, at: n.taken.Add(-History)}
		for i := 0; w.at.Before(n.taken); i++ {
			line(w, i)
			w.at = w.at.Add(every/2 + time.Duration(n.rand.Int64N(int64(every))))
		}
		failed = give(Text{log, w.Bytes()})
	}
	for _, c := range n.crews {
		for _, m := range c.pods {
			place := evidence.Place{Namespace: c.namespace, Cluster: c.cluster, Pod: m.pod, Node: m.node, Container: "database"}
			speak := primary
			if !m.leads {
				speak = standby
			}
			add(evidence.Log{Kind: evidence.ContainerLog, Place: place}, 7*time.Second, func(w *chatter, i int) { speak(w, c, i) })
		}
		repo := evidence.Place{Namespace: c.namespace, Cluster: c.cluster, Pod: c.repo.pod, Node: c.repo.node}
		add(evidence.Log{Kind: evidence.EventLog, Place: repo, Name: "events of Pod " + c.repo.pod}, 90*time.Minute, events)
		repo.Container = "database"
		add(evidence.Log{Kind: evidence.ContainerLog, Place: repo}, 5*time.Minute, repository)
	}
	add(evidence.Log{Kind: evidence.OperatorLog, Place: evidence.Place{Namespace: "pgo", Pod: "postgres-operator-" + n.hex(10) + "-" + n.letters(5), Container: "operator"}},
		40*time.Second, operator)
	for _, node := range n.nodes {
		place := evidence.Place{Node: node}
		add(evidence.Log{Kind: evidence.KubeletLog, Name: "kubelet", Place: place}, 20*time.Second, kubelet)
		add(evidence.Log{Kind: evidence.RuntimeLog, Name: "container runtime", Place: place}, 25*time.Second, containerd)
		add(evidence.Log{Kind: evidence.KernelLog, Name: "kernel", Place: place}, 10*time.Minute, kernel)
	}
	add(evidence.Log{Kind: evidence.RunLog, Name: "step nodes of antdbctl apply"}, 3*time.Hour, run)
	return failed
}

// say writes a container's line, as the kubelet stamps it.
func (w *chatter) say(format string, args ...any) {
	fmt.Fprintf(w, "%s %s\n", w.at.UTC().Format("2006-01-02T15:04:05.000000000Z"), fmt.Sprintf(format, args...))
}

// pg writes a line of the server's.
func (w *chatter) pg(format string, args ...any) {
	w.say("%s UTC [%d]: %s", w.at.UTC().Format(time.DateTime), 100+w.rand.IntN(9000), fmt.Sprintf(format, args...))
}

func (w *chatter) patroni(format string, args ...any) {
	w.say("%s INFO: %s", w.at.UTC().Format("2006-01-02 15:04:05,000"), fmt.Sprintf(format, args...))
}

func (w *chatter) address() string {
	return fmt.Sprintf("10.244.%d.%d", 1+w.rand.IntN(3), 2+w.rand.IntN(250))
}

// primary is a busy leader, of a server that may be set to Chinese.
func primary(w *chatter, c crew, i int) {
	if i%2 == 0 {
		w.patroni("no action. I am (%s), the leader with the lock", c.pods[0].pod)
		return
	}
	switch w.rand.IntN(24) {
	case 0:
		w.pg("LOG:  checkpoint starting: time")
	case 1:
		w.pg("LOG:  checkpoint complete: wrote %d buffers (1.3%%); 0 WAL file(s) added, 0 removed, %d recycled; write=%d.119 s, sync=0.024 s, total=%d.201 s; sync files=41, longest=0.009 s, average=0.001 s; distance=%d kB, estimate=29120 kB",
			w.rand.IntN(4000), w.rand.IntN(4), w.rand.IntN(250), w.rand.IntN(250), w.rand.IntN(40000))
	case 2:
		w.pg("LOG:  could not receive data from client: Connection reset by peer")
	case 3:
		w.pg("LOG:  incomplete startup packet")
	case 4:
		w.pg(`ERROR:  duplicate key value violates unique constraint "orders_pkey"`)
		w.pg("DETAIL:  Key (order_id)=(%d) already exists.", w.rand.IntN(1e7))
		w.pg("STATEMENT:  insert into orders (order_id, customer, amount) values ($1, $2, $3)")
	case 5:
		w.pg("错误:  关系 \"订单_%d\" 不存在 第 14 个字符处", w.rand.IntN(99))
		w.pg("语句:  select * from 订单_%d", w.rand.IntN(99))
	case 6:
		w.pg(`FATAL:  password authentication failed for user "report"`)
		w.pg(`DETAIL:  Password does not match for user "report".`)
		w.say("\tConnection matched pg_hba.conf line 6: \"host all all 0.0.0.0/0 md5\"")
	case 7:
		w.pg("LOG:  process %d still waiting for ShareLock on transaction %d after 1000.%03d ms", w.rand.IntN(9000), w.rand.IntN(9e6), w.rand.IntN(999))
	case 8:
		w.pg("ERROR:  canceling statement due to statement timeout")
	case 9:
		w.pg("LOG:  duration: %d.551 ms  execute <unnamed>: select sum(amount) from orders where customer = $1", 60000+w.rand.IntN(9000))
	case 10:
		w.pg("ERROR:  deadlock detected")
		w.pg("HINT:  See server log for query details.")
	case 11:
		w.pg("警告:  没有正在进行中的事务")
	case 12:
		w.pg("LOG:  temporary file: path \"base/pgsql_tmp/pgsql_tmp%d.0\", size %d", w.rand.IntN(9000), w.rand.IntN(1e9))
	case 13:
		w.pg(`FATAL:  no pg_hba.conf entry for host "%s", user "nagios", database "nagios", SSL off`, w.address())
	case 14:
		w.pg(`FATAL:  database "metrics" does not exist`)
	default:
		w.pg("LOG:  connection received: host=%s port=%d", w.address(), 30000+w.rand.IntN(30000))
	}
}

func standby(w *chatter, c crew, i int) {
	if i%2 == 0 {
		w.patroni("no action. I am (%s), a secondary, and following a leader (%s)", c.pods[1].pod, c.pods[0].pod)
		return
	}
	switch w.rand.IntN(12) {
	case 0:
		w.pg("LOG:  restartpoint starting: time")
	case 1:
		w.pg("LOG:  recovery restart point at %X/%08X", w.rand.IntN(40), w.rand.Uint32())
	case 2:
		w.pg("ERROR:  canceling statement due to conflict with recovery")
	case 3:
		w.pg("ERROR:  cannot execute INSERT in a read-only transaction")
	case 4:
		w.pg("LOG:  invalid record length at %X/%08X: wanted 24, got 0", w.rand.IntN(40), w.rand.Uint32())
		w.pg("LOG:  started streaming WAL from primary at %X/%08X on timeline 3", w.rand.IntN(40), w.rand.Uint32())
	default:
		w.patroni("Lock owner: %s; I am %s", c.pods[0].pod, c.pods[1].pod)
	}
}

func repository(w *chatter, _ int) {
	stamp := w.at.UTC().Format("2006-01-02 15:04:05.000")
	switch w.rand.IntN(5) {
	case 0:
		w.say("%s P00   INFO: backup command begin 2.20: --compress-level=3 --db-host=%s --repo1-path=/backrestrepo/orders --stanza=db", stamp, w.address())
		w.say("%s P00   WARN: option repo1-retention-full is not set, the repository may run out of space", stamp)
	case 1:
		w.say("%s P00   WARN: no prior backup exists, incr backup has been changed to full", stamp)
	case 2:
		w.say("%s P01   INFO: backup file %s:/pgdata/orders/base/16401/%d (1GB, %d%%) checksum %s", stamp, w.address(), w.rand.IntN(90000), w.rand.IntN(99), w.hex(40))
	default:
		w.say("Accepted publickey for pgbackrest from %s port %d ssh2: RSA SHA256:%s", w.address(), 30000+w.rand.IntN(30000), w.hex(30))
	}
}

func events(w *chatter, _ int) {
	stamp := w.at.UTC().Format(time.RFC3339)
	switch w.rand.IntN(4) {
	case 0:
		fmt.Fprintf(w, "%s Warning FailedMount Pod/x MountVolume.SetUp failed for volume \"sshd\" : failed to sync secret cache: timed out waiting for the condition\n", stamp)
	case 1:
		fmt.Fprintf(w, "%s Normal Pulled Pod/x Container image \"crunchydata/antdb-ha:4.1-0\" already present on machine\n", stamp)
	case 2:
		fmt.Fprintf(w, "%s Warning Unhealthy Pod/x Readiness probe failed:  (x%d)\n", stamp, 1+w.rand.IntN(4))
	default:
		fmt.Fprintf(w, "%s Normal Started Pod/x Started container database\n", stamp)
	}
}
