package scan

import (
	"encoding/binary"
	"strings"
	"sync"
)

// typical is what healthy sites write most of. Words that are in it are poor to
// look for, since they are found everywhere.
const typical = `
LOG:  connection received: host= port= connection authorized: user=postgres database=postgres application_name=psql SSL enabled
LOG:  disconnection: session time: 0:00:00.013 user= database= host= port=
LOG:  duration: ms  statement: select from where update insert into values delete begin commit execute <unnamed>:
LOG:  checkpoint starting: time checkpoint complete: wrote buffers (%); WAL file(s) added, removed, recycled; write= s, sync= s, total= s; distance= kB, estimate= kB
LOG:  automatic vacuum of table index scans pages removed remain tuples automatic analyze of table system usage: CPU elapsed buffer usage: hits misses dirtied
LOG:  restartpoint recovery restart point at last completed transaction was at log time streaming replication started
INFO: no action.  i am the leader with the lock Lock owner: I am a secondary following a leader does not have lock
INFO: backup file archive push: pushed WAL file archive async completed successfully new backup label command begin end: completed successfully expire full backup remove
kubelet "SyncLoop (PLEG): event for pod" pod= UpdatePodStatus container status volume mount reconciler succeeded operationExecutor
kubelet "Operation finished MountVolume.SetUp succeeded for volume" readiness probe liveness node registered
containerd level=info msg= shim container StartContainer for returns successfully RunPodSandbox CreateContainer within sandbox image PullImage
Normal Scheduled Successfully assigned Pulled Created Started Container image already present on machine Killing Stopping container
time="2026-01-01T00:00:00Z" level=debug msg= pgcluster pgtask pgreplica namespace pgouser1 service/antdb deployment label selector apiserver updated created
kernel: eth0: cni0: port entered forwarding state device systemd[1]: Started Session of user root.
GET /patroni HTTP/1.1 200 GET /healthz HTTP/2.0 POST /api/v1/namespaces/ error=<nil> server client request response crunchydata postgresql
`

// everywhere is the words and groups of typical.
var everywhere = sync.OnceValue(func() (e struct {
	text   string
	groups map[uint32]int // how often, by hash
}) {
	e.text = strings.ToLower(typical)
	e.groups = map[uint32]int{}
	for i := 0; i+4 <= len(e.text); i++ {
		e.groups[hash(binary.LittleEndian.Uint32([]byte(e.text[i:])))]++
	}
	return e
})

// worth is how good a text is to look for. Short ones are looked for one by one.
func worth(text string) int {
	if len(text) < 4 {
		return 1
	}
	if strings.Contains(everywhere().text, strings.ToLower(text)) {
		return 1 + min(len(text), 12)/4
	}
	return min(len(text), 12)
}

// rarest is where in text the groups begin, that many one after the other, that
// are least common.
func rarest(text string, groups int) int {
	best, least := 0, -1
	for from := 0; from+groups+3 <= len(text); from++ {
		n := 0
		for at := from; at < from+groups; at++ {
			n += everywhere().groups[hash(binary.LittleEndian.Uint32([]byte(text[at:])))]
		}
		if least < 0 || n < least {
			best, least = from, n
		}
	}
	return best
}
