package k8s

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// told makes the facts of a survey; no server is needed for that.
func told(t *testing.T, s *survey) *evidence.InMemory {
	t.Helper()
	m := evidence.NewMemory(time.Now(), 1<<20)
	g := &gatherer{Collect: &Collect{}, rec: m}
	g.report(s)
	g.events(s)
	return m
}

// fact is the one of its kind and name.
func fact[T any](t *testing.T, m *evidence.InMemory, name string) *T {
	t.Helper()
	var found *T
	for f, err := range m.Facts() {
		require.NoError(t, err)
		if data, ok := f.Data.(*T); ok && f.Name == name {
			require.Nil(t, found, "two facts are called %s", name)
			found = data
		}
	}
	require.NotNil(t, found, "no such fact is called %s", name)
	return found
}

// text is what a log says.
func text(t *testing.T, m *evidence.InMemory, name string) (string, evidence.Log) {
	t.Helper()
	for log, err := range m.Logs() {
		require.NoError(t, err)
		if log.Name != name {
			continue
		}
		r, err := log.Open()
		require.NoError(t, err)
		raw, err := io.ReadAll(r)
		require.NoError(t, err)
		return string(raw), log
	}
	t.Fatalf("no log is called %s", name)
	return "", evidence.Log{}
}

func ago(d time.Duration) metav1.Time { return metav1.NewTime(time.Now().Add(-d)) }

// crashed is the pod of the story: Patroni gave up, and the container ended
// with 0, again and again.
func crashed() corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "pgouser1", Name: "antdb-74677dd9c4-7gjq7", CreationTimestamp: ago(10 * time.Minute),
			Labels:          map[string]string{"pg-cluster": "antdb", "pgo-pg-database": "true"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "antdb-74677dd9c4", Controller: new(true)}}},
		Spec: corev1.PodSpec{NodeName: "node1", Volumes: []corev1.Volume{{Name: "pgdata", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "antdb"}}}},
			Containers: []corev1.Container{{Name: "database", Image: "crunchydata/antdb-ha:latest", ImagePullPolicy: corev1.PullIfNotPresent,
				Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.88.0.5",
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: ago(9 * time.Minute)}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "database", RestartCount: 4, ImageID: "sha256:1a2b",
				State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 1m20s"}},
				LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", FinishedAt: ago(time.Minute)}}}}},
	}
}

func TestACrashedDatabaseIsTold(t *testing.T) {
	s := &survey{pods: []corev1.Pod{crashed()}}
	m := told(t, s)
	pod := fact[evidence.Pod](t, m, "antdb-74677dd9c4-7gjq7")
	require.Equal(t, []any{"Running", false, "database", false, "ReplicaSet/antdb-74677dd9c4", []string{"antdb"}, int64(-1), true},
		[]any{pod.Phase, pod.Ready, pod.Role, pod.Leads, pod.Owner, pod.Claims, pod.Deleting, pod.Scheduled})
	require.InDelta(t, 540, pod.ReadyAge, 5)
	require.InDelta(t, 600, pod.Age, 5)
	c := fact[evidence.Container](t, m, "database")
	require.Equal(t, []any{"waiting", "CrashLoopBackOff", int64(-1), int64(4), "Completed", int64(0), int64(-1), "IfNotPresent", int64(1 << 30)},
		[]any{c.State, c.Reason, c.ExitCode, c.Restarts, c.LastReason, c.LastExit, c.Started, c.PullPolicy, c.MemoryLimit})
	require.InDelta(t, 60, c.LastEnded, 5)

	g := &gatherer{Collect: &Collect{}}
	wishes := g.wishes(s, &s.pods[0])
	require.Len(t, wishes, 1, "between two runs there is but the log of the one before")
	require.True(t, wishes[0].previous && wishes[0].ill)
	require.Equal(t, evidence.ContainerLog, wishes[0].kind)
}

func TestPodsThatAreDeletedOrNotScheduledAreTold(t *testing.T) {
	marked := ago(-20 * time.Second) // the end of a grace of 30 s
	m := told(t, &survey{pods: []corev1.Pod{
		{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "leaving", DeletionTimestamp: &marked, DeletionGracePeriodSeconds: new(int64(30))}},
		{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "waiting"}, Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient memory."}}}},
		{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "evicted"}, Spec: corev1.PodSpec{NodeName: "node1"},
			Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: ephemeral-storage."}},
	}})
	require.InDelta(t, 10, fact[evidence.Pod](t, m, "leaving").Deleting, 3)
	waiting := fact[evidence.Pod](t, m, "waiting")
	require.False(t, waiting.Scheduled)
	require.Equal(t, "0/3 nodes are available: 3 Insufficient memory.", waiting.Scheduling)
	require.Equal(t, int64(-1), waiting.ReadyAge)
	require.Equal(t, "Evicted", fact[evidence.Pod](t, m, "evicted").Reason)
}

func TestWhoAPodBelongsToIsReadOffItsLabels(t *testing.T) {
	const v5 = "postgres-operator.crunchydata.com/"
	job := []metav1.OwnerReference{{Kind: "Job", Name: "j", Controller: new(true)}}
	s := &survey{operators: []string{"pgo"}}
	for name, c := range map[string]struct {
		meta          metav1.ObjectMeta
		cluster, role string
	}{
		"4, database":   {metav1.ObjectMeta{Labels: map[string]string{"pg-cluster": "a", "pgo-pg-database": "true"}}, "a", "database"},
		"4, repository": {metav1.ObjectMeta{Labels: map[string]string{"pg-cluster": "a", "pgo-backrest-repo": "true"}}, "a", "repository"},
		"4, removal":    {metav1.ObjectMeta{Name: "a-b-rmdata-xyzw-12345", Labels: map[string]string{"job-name": "a-b-rmdata-xyzw"}, OwnerReferences: job}, "a-b", "job"},
		"4, operator":   {metav1.ObjectMeta{Namespace: "pgo", Labels: map[string]string{"name": "postgres-operator"}}, "", "operator"},
		"5, database":   {metav1.ObjectMeta{Labels: map[string]string{v5 + "cluster": "h", v5 + "data": "postgres"}}, "h", "database"},
		"5, repository": {metav1.ObjectMeta{Labels: map[string]string{v5 + "cluster": "h", v5 + "data": "pgbackrest"}}, "h", "repository"},
		"5, backup":     {metav1.ObjectMeta{Labels: map[string]string{v5 + "cluster": "h", v5 + "pgbackrest-backup": "manual"}, OwnerReferences: job}, "h", "job"},
		"5, operator":   {metav1.ObjectMeta{Namespace: "x", Labels: map[string]string{v5 + "control-plane": "postgres-operator"}}, "", "operator"},
		"name service":  {metav1.ObjectMeta{Namespace: "kube-system", Labels: map[string]string{"k8s-app": "kube-dns"}}, "", "system"},
		"stranger":      {metav1.ObjectMeta{Namespace: "shop", Labels: map[string]string{"name": "postgres-operator"}}, "", "other"},
	} {
		pod := &corev1.Pod{ObjectMeta: c.meta}
		require.Equal(t, []string{c.cluster, c.role}, []string{clusterOf(pod), s.roleOf(pod)}, name)
	}
}

func TestVolumesQuotasAndJobsAreTold(t *testing.T) {
	fast := "fast"
	m := told(t, &survey{databases: []string{"pgouser1"}, pods: []corev1.Pod{crashed()},
		claims: []corev1.PersistentVolumeClaim{
			{ObjectMeta: metav1.ObjectMeta{Namespace: "pgouser1", Name: "antdb"}, Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &fast,
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}}, Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}},
			{ObjectMeta: metav1.ObjectMeta{Namespace: "pgouser1", Name: "old"}, Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimLost}}},
		volumes: []corev1.PersistentVolume{
			{ObjectMeta: metav1.ObjectMeta{Name: "pv1"}, Spec: corev1.PersistentVolumeSpec{PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: "/data/pv1"}},
				Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("2Gi")},
				NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{"node2"}}}}}}}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "others"}, Spec: corev1.PersistentVolumeSpec{ClaimRef: &corev1.ObjectReference{Namespace: "shop", Name: "x"}}}},
		quotas: []corev1.ResourceQuota{{ObjectMeta: metav1.ObjectMeta{Namespace: "pgouser1", Name: "q"}, Status: corev1.ResourceQuotaStatus{
			Hard: corev1.ResourceList{"pods": resource.MustParse("4"), "requests.memory": resource.MustParse("8Gi"), "services.loadbalancers": resource.MustParse("0")},
			Used: corev1.ResourceList{"pods": resource.MustParse("4"), "requests.memory": resource.MustParse("1Gi"), "services.loadbalancers": resource.MustParse("0")}}}},
		jobs: []batchv1.Job{
			{ObjectMeta: metav1.ObjectMeta{Namespace: "pgouser1", Name: "antdb-stanza-create", Labels: map[string]string{"pg-cluster": "antdb", "backrest-command": "stanza-create"}},
				Status: batchv1.JobStatus{Failed: 1, Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded", Message: "too often"}}}},
			{ObjectMeta: metav1.ObjectMeta{Namespace: "pgouser1", Name: "backrest-backup-antdb"}},
			{ObjectMeta: metav1.ObjectMeta{Namespace: "pgouser1", Name: "antdb-rmdata-abcd"}}, {ObjectMeta: metav1.ObjectMeta{Namespace: "pgouser1", Name: "report"}}},
	})
	claim := fact[evidence.Claim](t, m, "antdb")
	require.Equal(t, evidence.Claim{Phase: "Pending", Class: "fast", Request: 1 << 30, Age: claim.Age, Used: true}, *claim)
	require.False(t, fact[evidence.Claim](t, m, "old").Used)
	require.Equal(t, evidence.Volume{Path: "/data/pv1", Size: 2 << 30, Nodes: []string{"node2"}}, *fact[evidence.Volume](t, m, "pv1"))
	for f, err := range m.Facts() {
		require.NoError(t, err)
		require.NotEqual(t, "others", f.Name, "volumes of other people are none of ours")
	}
	require.True(t, fact[evidence.Quota](t, m, "q pods").Full)
	require.False(t, fact[evidence.Quota](t, m, "q requests.memory").Full)
	require.False(t, fact[evidence.Quota](t, m, "q services.loadbalancers").Full, "a quota of nothing forbids, it does not run out")
	require.Equal(t, evidence.Job{Failed: 1, Over: "Failed", Reason: "BackoffLimitExceeded", Message: "too often", Age: -1, Purpose: "stanza-create"}, *fact[evidence.Job](t, m, "antdb-stanza-create"))
	require.Equal(t, "backup", fact[evidence.Job](t, m, "backrest-backup-antdb").Purpose)
	require.Equal(t, "rmdata", fact[evidence.Job](t, m, "antdb-rmdata-abcd").Purpose)
	require.Equal(t, "other", fact[evidence.Job](t, m, "report").Purpose)
}

func TestServicesTellWhetherTheyLeadAnywhere(t *testing.T) {
	service := func(name, role string) corev1.Service {
		return corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: name}, Spec: corev1.ServiceSpec{Selector: map[string]string{"pg-cluster": "antdb", "role": role}}}
	}
	one := crashed()
	one.Namespace = "x"
	s := &survey{endpointsOf: map[string]bool{"x": true, "kube-system": true}, pods: []corev1.Pod{one}, services: []corev1.Service{service("antdb", "master"), service("antdb-replica", "replica"),
		{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns", Labels: map[string]string{"k8s-app": "kube-dns"}}}},
		deployments: []appsv1.Deployment{{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns"}, Spec: appsv1.DeploymentSpec{Replicas: new(int32(2))}}},
		endpoints: []corev1.Endpoints{{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "antdb"}, //nolint:staticcheck // servers before 1.21 have nothing else
			Subsets: []corev1.EndpointSubset{{NotReadyAddresses: []corev1.EndpointAddress{{IP: "10.88.0.5"}}}}}}}
	m := told(t, s)
	require.Equal(t, evidence.Service{Selector: map[string]string{"pg-cluster": "antdb", "role": "master"}, NotReady: 1, Database: true}, *fact[evidence.Service](t, m, "antdb"))
	require.False(t, fact[evidence.Service](t, m, "antdb-replica").Database, "a cluster of one has no replica to lead to")
	require.Equal(t, evidence.DNS{Wants: 2}, *fact[evidence.DNS](t, m, "kube-dns"))
	two := crashed()
	two.Namespace, two.Name = "x", "antdb-abcd-1"
	s.pods = append(s.pods, two)
	require.True(t, fact[evidence.Service](t, told(t, s), "antdb-replica").Database)
	s.endpointsOf = nil
	for f := range told(t, s).Facts() {
		require.NotEqual(t, "k8s.service", f.Kind, "without the right to see endpoints nobody knows where a service leads")
	}
}

func TestNodesAreAsOldAsTheirLastSignOfLife(t *testing.T) {
	m := told(t, &survey{nodes: []corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "node1"}, Spec: corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{{Key: "k", Value: "v", Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{Images: []corev1.ContainerImage{{Names: []string{"docker.io/crunchydata/antdb-ha@sha256:aa", "docker.io/crunchydata/antdb-ha:latest"}}, {Names: []string{"x@sha256:bb"}}},
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "node1"}, {Type: corev1.NodeInternalIP, Address: "10.0.0.1"}},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown", Message: "Kubelet stopped posting node status.", LastTransitionTime: ago(time.Minute), LastHeartbeatTime: ago(2 * time.Minute)},
				{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue}, {Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse}}}}}})
	n := fact[evidence.Node](t, m, "node1")
	require.False(t, n.Ready)
	require.InDelta(t, 120, n.HeartbeatAge, 5)
	require.InDelta(t, 60, n.ReadyAge, 5)
	require.Equal(t, []any{[]string{"DiskPressure"}, []string{"k=v:NoSchedule"}, []string{"docker.io/crunchydata/antdb-ha:latest", "x@sha256:bb"}, "10.0.0.1", true},
		[]any{n.Pressures, n.Taints, n.Images, n.Address, n.Unschedulable})
}

func TestEventsAreALogForEachObjectWhereItIs(t *testing.T) {
	event := func(kind, name, severity, reason, message string, last time.Duration, times int32) corev1.Event {
		return corev1.Event{InvolvedObject: corev1.ObjectReference{Kind: kind, Namespace: "pgouser1", Name: name}, Type: severity, Reason: reason, Message: message, LastTimestamp: ago(last), Count: times}
	}
	m := told(t, &survey{pods: []corev1.Pod{crashed()}, events: []corev1.Event{
		event("Pod", "antdb-74677dd9c4-7gjq7", "Warning", "BackOff", "Back-off restarting\nfailed container", time.Minute, 7),
		event("Pod", "antdb-74677dd9c4-7gjq7", "Normal", "Pulled", "Container image already present on machine", 9*time.Minute, 1),
		event("PersistentVolumeClaim", "antdb", "Warning", "ProvisioningFailed", `storageclass.storage.k8s.io "fast" not found`, time.Minute, 1),
		event("Pod", "shop-1", "Normal", "Started", "Started container shop", time.Minute, 1),
	}})
	said, log := text(t, m, "events of Pod antdb-74677dd9c4-7gjq7")
	require.Regexp(t, `^\S+Z Normal Pulled Pod/antdb-74677dd9c4-7gjq7 Container image already present on machine\n`+
		`\S+Z Warning BackOff Pod/antdb-74677dd9c4-7gjq7 Back-off restarting failed container \(x7\)\n$`, said)
	place := evidence.Place{Node: "node1", Namespace: "pgouser1", Cluster: "antdb", Pod: "antdb-74677dd9c4-7gjq7"}
	require.Equal(t, place, log.Place)
	_, log = text(t, m, "events of PersistentVolumeClaim antdb")
	require.Equal(t, place, log.Place, "what is said of a claim counts where its pod is")
	n := 0
	for range m.Logs() {
		n++
	}
	require.Equal(t, 2, n, "a stranger to whom nothing happened is left out")
}

func TestASecretIsItsNameAndKeysAndNothingElse(t *testing.T) {
	const value = "s3cr3t-Xyz"
	own := map[string]string{"pg-cluster": "antdb"}
	s := &survey{recordsOf: true, secrets: []corev1.Secret{{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "antdb-testuser-secret", Labels: own,
		Annotations: map[string]string{lastApplied: value, "note": value}}, Data: map[string][]byte{"username": []byte("testuser"), "password": []byte(value)}}},
		configMaps: []corev1.ConfigMap{{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "antdb-pgha-default-config", Labels: own, Annotations: map[string]string{lastApplied: value}}, Data: map[string]string{"init": value}}}}
	m := told(t, s)
	secret := fact[evidence.Record](t, m, "antdb-testuser-secret")
	require.Equal(t, evidence.Record{Type: "Secret", Purpose: "user", Keys: []string{"password", "username"}, Age: -1, Orphan: true}, *secret)
	for f, err := range m.Facts() {
		require.NoError(t, err)
		raw, err := f.MarshalData()
		require.NoError(t, err)
		require.False(t, bytes.Contains(raw, []byte(value)), "%s", raw)
	}
	s.records = map[string]bool{"x/antdb": true}
	require.False(t, fact[evidence.Record](t, told(t, s), "antdb-testuser-secret").Orphan)
	s.records, s.recordsIn = nil, "elsewhere"
	require.False(t, fact[evidence.Record](t, told(t, s), "antdb-testuser-secret").Orphan, "what may not be read is not missing")
}

func TestTheAccountsOfClustersAreThoseOfTheirTemplates(t *testing.T) {
	template := func(account string, labels map[string]string, env ...corev1.EnvVar) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Env: env}}}}
	}
	mark := func(name, installation string) corev1.Namespace {
		return corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"vendor": "crunchydata", "pgo-installation-name": installation}}}
	}
	s := &survey{databases: []string{"ours", "theirs"}, operators: []string{"pgo"}, namespaces: []corev1.Namespace{mark("ours", "lab"), mark("theirs", "lab47")},
		deployments: []appsv1.Deployment{
			{ObjectMeta: metav1.ObjectMeta{Namespace: "pgo", Name: "postgres-operator"}, Spec: appsv1.DeploymentSpec{Template: template("postgres-operator", nil, corev1.EnvVar{Name: "PGO_OPERATOR_NAMESPACE", Value: "pgo"}, corev1.EnvVar{Name: "PGO_INSTALLATION_NAME", Value: "lab"})}},
			{ObjectMeta: metav1.ObjectMeta{Namespace: "ours", Name: "antdb"}, Spec: appsv1.DeploymentSpec{Template: template("pgo-pg", map[string]string{"pgo-pg-database": "true"})}},
			{ObjectMeta: metav1.ObjectMeta{Namespace: "ours", Name: "antdb-abcd"}, Spec: appsv1.DeploymentSpec{Template: template("pgo-pg", map[string]string{"pgo-pg-database": "true"})}},
			{ObjectMeta: metav1.ObjectMeta{Namespace: "ours", Name: "antdb-repo"}, Spec: appsv1.DeploymentSpec{Template: template("pgo-default", map[string]string{"pgo-backrest-repo": "true"})}}}}
	var users []string
	for _, a := range s.needs() {
		users = append(users, a.user()+" in "+a.in)
	}
	require.Equal(t, []string{"system:serviceaccount:pgo:postgres-operator in ours", "system:serviceaccount:ours:pgo-pg in ours", "system:serviceaccount:ours:pgo-default in ours",
		"system:serviceaccount:ours:pgo-backrest in ours", "system:serviceaccount:ours:pgo-target in ours"}, users)
	require.Equal(t, []string{"ours", "theirs", "x"}, s.homes(map[string]bool{}, "x"))
}

func TestBoundsBelowZeroAreRefused(t *testing.T) {
	for _, c := range []*Collect{{LogLines: -1}, {LogBytes: -1}, {Since: -1}} {
		require.Error(t, c.Validate())
	}
	require.NoError(t, (&Collect{}).Validate())
}

func TestCertificatesAreThoseThatTheSiteReliesOn(t *testing.T) {
	own := map[string]string{"pg-cluster": "antdb"}
	secret := func(name string, labels map[string]string) corev1.Secret {
		return corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "pgouser1", Name: name, Labels: labels}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{"tls.crt": selfSigned(t, time.Now().Add(time.Hour)), "tls.key": []byte("pl4nted-Secret")}}
	}
	pod := crashed()
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "mounted"}}})
	m := told(t, &survey{pods: []corev1.Pod{pod}, recordsOf: true, secrets: []corev1.Secret{secret("labelled", own), secret("mounted", nil), secret("shop", nil),
		secret("left", map[string]string{"pg-cluster": "gone"})}})
	var names []string
	for f, err := range m.Facts() {
		require.NoError(t, err)
		if c, ok := f.Data.(*evidence.Certificate); ok {
			names = append(names, f.Name)
			require.InDelta(t, 3600, c.Left, 60)
			require.Equal(t, "CN=antdb", c.Subject)
			require.LessOrEqual(t, c.Starts, int64(0))
		}
	}
	require.Equal(t, []string{"Secret mounted, key tls.crt", "Secret labelled, key tls.crt"}, names)
}

func selfSigned(t *testing.T, until time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "antdb"}, NotBefore: until.Add(-24 * time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	return append(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
}
