package corpus

import (
	"fmt"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

const (
	mib  = 1 << 20
	gib  = 1 << 30
	hour = 3600
	day  = 24 * hour
)

// facts are those of the rest of the site. Where the case says something of a
// thing itself, nothing is added.
func (n *noise) facts() []evidence.Fact {
	var all []evidence.Fact
	add := func(name string, place evidence.Place, data any) {
		f := evidence.Fact{Kind: evidence.KindOf(data), Name: name, Place: place}
		if n.has[f] {
			return
		}
		f.Seen, f.Data = n.taken, data
		all = append(all, f)
	}
	n.machines(add)
	n.control(add)
	for _, c := range n.crews {
		n.clusterFacts(c, add)
	}
	return all
}

type adder func(name string, place evidence.Place, data any)

// machines are the nodes, as Kubernetes and as SSH sees them. Of a machine that
// the case has a fact of a kind of, no other of that kind is added.
func (n *noise) machines(add adder) {
	for i, node := range n.nodes {
		place := evidence.Place{Node: node}
		each := func(name string, data any) {
			if !n.has[evidence.Fact{Kind: evidence.KindOf(data), Place: place}] {
				add(name, place, data)
			}
		}
		address := fmt.Sprintf("10.20.0.%d", 11+i)
		if !n.kinds["k8s.node"] {
			each(node, &evidence.Node{Ready: true, ReadyAge: 40 * day, Reason: "KubeletReady", Message: "kubelet is posting ready status",
				Runtime: "containerd://1.6.20", Kubelet: "v1.28.15", Address: address, HeartbeatAge: 7,
				Images: []string{"docker.io/crunchydata/antdb-ha:4.1-0", "docker.io/crunchydata/pgo-backrest-repo:centos7-4.2.1", "registry.k8s.io/pause:3.9"}})
		}
		each(node, &evidence.Reach{Reachable: true})
		for _, d := range []evidence.Disk{
			{Path: "/", Holds: []string{"log", "kubelet"}, Type: "xfs", Size: 50 * gib, Free: 21 * gib, Percent: 58, Inodes: 6, Options: "rw,relatime"},
			{Path: "/var/lib/containerd", Holds: []string{"images"}, Type: "xfs", Size: 200 * gib, Free: 96 * gib, Percent: 52, Inodes: 11, Options: "rw,relatime"},
			{Path: "/data", Holds: []string{"volumes"}, Type: "xfs", Size: 900 * gib, Free: 350 * gib, Percent: 61, Inodes: 2, Options: "rw,noatime"},
		} {
			each(d.Path, &d)
		}
		each(node, &evidence.Memory{Total: 64 * gib, Available: 22 * gib, Sem: "250 512000 100 2048", ShmMax: "18446744073692774399"})
		each(node, &evidence.Clock{Offset: float64(i)*0.011 - 0.007, Error: 0.004, Synced: true})
		each("containerd", &evidence.Runtime{Name: "containerd", Version: "1.6.20", Running: true, Kubelet: "active"})
		for _, ref := range []string{"docker.io/crunchydata/antdb-ha:4.1-0", "docker.io/crunchydata/pgo-backrest-repo:centos7-4.2.1"} {
			each(ref, &evidence.Image{Ref: ref, ID: "sha256:" + fmt.Sprintf("%064x", len(ref)*7919), Runtime: "containerd"})
		}
		each("eth0", &evidence.Interface{MTU: 1500, Kind: "physical", Up: true, Address: address})
		each("flannel.1", &evidence.Interface{MTU: 1450, Kind: "overlay", Up: true, Address: fmt.Sprintf("10.244.%d.0", i+1)})
		each("cni0", &evidence.Interface{MTU: 1450, Kind: "bridge", Up: true, Address: fmt.Sprintf("10.244.%d.1", i+1)})
		each("/var/lib/kubelet/pki/kubelet.crt", &evidence.Certificate{Where: "/var/lib/kubelet/pki/kubelet.crt", Subject: "CN=" + node, Left: 310 * day, Starts: -55 * day})
	}
}

// control is the API server, its DNS, the storage and the operator.
func (n *noise) control(add adder) {
	once := func(name string, place evidence.Place, data any) {
		if !n.kinds[evidence.KindOf(data)] {
			add(name, place, data)
		}
	}
	once("apiserver", evidence.Place{}, &evidence.APIServer{Version: "v1.28.15", Millis: 9.5})
	once("kube-dns", evidence.Place{}, &evidence.DNS{Ready: 2, Wants: 2})
	once("local", evidence.Place{}, &evidence.StorageClass{Provisioner: "kubernetes.io/no-provisioner", Binding: "WaitForFirstConsumer", Default: true})
	operator := evidence.Place{Namespace: "pgo"}
	once("postgres-operator", operator, &evidence.Operator{Image: "crunchydata/postgres-operator:centos7-4.2.1", Version: "4.2.1", Ready: true, Started: 12 * day})
	once("postgres-operator", operator, &evidence.PGOServer{URL: "https://10.96.31.7:8443", Reachable: true, Version: "4.2.1"})
	for _, account := range []string{"pgo-pg", "pgo-backrest"} {
		add(account, evidence.Place{Namespace: "pgouser2"}, &evidence.Access{Who: "system:serviceaccount:pgouser2:" + account, Verb: "patch",
			Resource: "pods", Allowed: true, Exists: true})
	}
}

// clusterFacts are those of a database cluster of two members that serves.
func (n *noise) clusterFacts(c crew, add adder) {
	place := evidence.Place{Namespace: c.namespace, Cluster: c.cluster}
	image := "crunchydata/antdb-ha:4.1-0"
	add(c.cluster, place, &evidence.Cluster{Generation: "4", Status: "pgcluster Initialized", Message: "Cluster has been initialized",
		Image: image, Replicas: 1, Age: 33 * day, Autofail: true, Pods: 2})
	add(c.cluster+"-createcluster", place, &evidence.Task{Type: "workflow", Status: "task completed", Age: 33 * day, ClusterExists: true})
	add(c.cluster, place, &evidence.Workflow{Completed: true, Last: "task completed", Age: 33 * day})
	add(c.cluster, place, &evidence.Patroni{Leader: c.pods[0].pod, LeaderAge: 4, Initialize: "7711121326432919651", TTL: 30, LoopWait: 10,
		RetryTimeout: 10, Timeline: 3, MaxLag: mib})
	add(c.cluster, place, &evidence.Service{Type: "ClusterIP", ClusterIP: fmt.Sprintf("10.96.%d.%d", n.rand.IntN(255), 1+n.rand.IntN(250)), Ready: 1,
		Selector: map[string]string{"pg-cluster": c.cluster, "role": "master"}, Database: true})
	add(c.cluster, place, &evidence.Stanza{Code: 0, Message: "ok", Backups: 9, LastAge: 7 * hour})
	for _, name := range []string{"config", "leader"} {
		add(c.cluster+"-"+name, place, &evidence.Record{Type: "ConfigMap", Purpose: name, Age: 33 * day})
	}
	for _, user := range []string{"postgres", "primaryuser", "testuser"} {
		add(user, place, &evidence.Role{Exists: true, Login: true, Secret: c.cluster + "-" + user + "-secret", Matches: "yes"})
		add(c.cluster+"-"+user+"-secret", place, &evidence.Record{Type: "Secret", Purpose: "user", Keys: []string{"password", "username"}, Age: 33 * day})
	}
	for _, job := range []string{c.cluster + "-stanza-create", "backrest-backup-" + c.cluster} {
		add(job, place, &evidence.Job{Succeeded: 1, Over: "Complete", Age: 33 * day, Purpose: purposeOf(job)})
	}
	for i, m := range c.pods {
		n.memberFacts(c, m, i, image, add)
	}
	repo := evidence.Place{Namespace: c.namespace, Cluster: c.cluster, Pod: c.repo.pod, Node: c.repo.node}
	n.podFacts(repo, "repository", "crunchydata/pgo-backrest-repo:centos7-4.2.1", c.cluster+"-pgbr-repo", false, add)
}

func purposeOf(job string) string {
	if strings.HasSuffix(job, "-stanza-create") {
		return "stanza-create"
	}
	return "backup"
}

func (n *noise) memberFacts(c crew, m member, turn int, image string, add adder) {
	place := evidence.Place{Namespace: c.namespace, Cluster: c.cluster, Pod: m.pod, Node: m.node}
	claim := m.pod[:strings.LastIndex(m.pod[:strings.LastIndex(m.pod, "-")], "-")]
	n.podFacts(place, "database", image, claim, m.leads, add)
	role, state := "leader", "running"
	if !m.leads {
		role = "replica"
	}
	add(m.pod, place, &evidence.Member{Role: role, State: state, Timeline: 3, Reachable: true, HoldsLock: m.leads})
	add(m.pod, place, &evidence.Server{Version: "PostgreSQL 11.10 ADB 5.0.1 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 4.8.5, 64-bit", AntDB: true,
		Recovery: !m.leads, Started: 3 * day, Connections: int64(21 + 9*turn), MaxConnections: 100, LongestQuery: 4, IdleInTx: 1, XIDAge: 31_000_000,
		ReplayAge: int64(turn), Receiving: !m.leads,
		Settings: map[string]string{"shared_preload_libraries": "pgaudit,pg_stat_statements", "wal_level": "replica", "archive_mode": "on"}})
	add("/pgdata/"+claim, place, &evidence.DataFolder{Path: "/pgdata/" + claim, Major: "11", UID: 26, Mode: "700", Free: 300 * gib, Percent: 61, WAL: 1200 * mib, Shm: 60 * mib})
	if m.leads {
		add(m.pod, place, &evidence.Archiver{Mode: "on", Command: `source /tmp/pgbackrest_env.sh && pgbackrest archive-push "%p"`, Archived: 41211, Failed: 3,
			LastOK: 41, LastFailed: 9 * day})
		add(c.pods[1].pod, place, &evidence.Replication{State: "streaming", Lag: 2048, Sync: "async"})
	}
}

func (n *noise) podFacts(place evidence.Place, role, image, claim string, leads bool, add adder) {
	started := int64(3*day + n.rand.IntN(day))
	add(place.Pod, place, &evidence.Pod{Phase: "Running", Ready: true, ReadyAge: started - 30, Age: started, Deleting: -1, Scheduled: true, Node: place.Node,
		IP: fmt.Sprintf("10.244.%d.%d", 1+slices.Index(n.nodes, place.Node), 2+n.rand.IntN(250)), Role: role, Leads: leads, Labels: map[string]string{"pg-cluster": place.Cluster},
		Owner: "ReplicaSet/" + place.Pod[:strings.LastIndex(place.Pod, "-")], Claims: []string{claim}})
	in := place
	in.Container = "database"
	add("database", in, &evidence.Container{Image: image, ImageID: "sha256:" + fmt.Sprintf("%064x", len(image)*7919), State: "running", ExitCode: -1, Ready: true,
		LastExit: -1, LastEnded: -1, Started: started - 2, PullPolicy: "IfNotPresent"})
	space := evidence.Place{Namespace: place.Namespace, Cluster: place.Cluster}
	volume := fmt.Sprintf("%s-pv-%d", place.Node, 1+n.rand.IntN(900))
	add(claim, space, &evidence.Claim{Phase: "Bound", Class: "local", Volume: volume, Request: 100 * gib, Modes: []string{"ReadWriteOnce"}, Age: 33 * day, Used: true})
	add(volume, evidence.Place{}, &evidence.Volume{Phase: "Bound", Claim: place.Namespace + "/" + claim, Class: "local", Size: 100 * gib,
		Modes: []string{"ReadWriteOnce"}, Path: "/data/" + volume, Nodes: []string{place.Node}, Policy: "Retain"})
	add(place.Pod[:strings.LastIndex(place.Pod, "-")], space, &evidence.Workload{Type: "ReplicaSet", Wants: 1, Has: 1, Ready: 1, Age: 33 * day})
}
