package sql

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// vantageLab is a PostgreSQL in a pod of the lab, with no operator around it.
type vantageLab struct {
	cluster *kube.Cluster
	pool    *conn.Pool
	target  conn.Target
	host    conn.Host
	nodes   cty.Value
}

// hbaOfPod lets nobody in to the database postgres by TCP.
const hbaOfPod = `local all root peer
host all primaryuser 0.0.0.0/0 reject
host userdb,nosuch all 0.0.0.0/0 md5
`

func openVantageLab(t *testing.T) *vantageLab {
	t.Helper()
	l := &vantageLab{cluster: kubetest.Lab(t)}
	kubetest.LabPod(t, l.cluster, "antdb", "database")
	l.target = conn.Target{Kind: conn.Container, Name: "antdb/database", Config: "lab", Namespace: l.cluster.Namespace(), Pod: "antdb", Container: "database"}
	l.pool = conn.NewPool(map[string]conn.Opener{conn.Local: local.Open, conn.SSH: ssh.Open, conn.Kubernetes: kube.Open, conn.Container: kube.OpenContainer},
		map[string]conn.Settings{
			"lab": {Kubeconfig: kubetest.LabFile(t, "kubeconfig"), Namespace: l.cluster.Namespace()},
			"nodes": {ConfigFile: kubetest.LabFile(t, "ssh_config"), KnownHosts: []string{kubetest.LabFile(t, "known_hosts")},
				IdentityFiles: []string{kubetest.LabFile(t, "id_ed25519")}},
		})
	t.Cleanup(func() { require.NoError(t, l.pool.Close()) })
	var err error
	l.host, err = l.pool.Dial(t.Context(), l.target)
	require.NoError(t, err)
	l.nodes = cty.ListVal([]cty.Value{l.node("node1").Cty(), l.node("node2").Cty()})
	return l
}

func (l *vantageLab) node(name string) conn.Target {
	return conn.Target{Kind: conn.SSH, Name: name, Config: "nodes", Address: name, User: "root"}
}

// run runs a script in the pod, as root, who is the server's superuser too.
func (l *vantageLab) run(t *testing.T, script string, args ...string) string {
	t.Helper()
	res, err := l.host.Run(t.Context(), conn.Script(script, args...))
	require.NoError(t, err, "%s %s", res.Stdout, res.Stderr)
	return strings.TrimSpace(res.Stdout)
}

// server starts a PostgreSQL with a database of its own, on a port.
func (l *vantageLab) server(t *testing.T, port int) {
	t.Helper()
	l.run(t, `set -e
bin=$(echo /usr/lib/postgresql/*/bin)
mkdir -p /var/run/postgresql && chown postgres /var/run/postgresql
as() { runuser -u postgres -- "$@"; }
as "$bin/initdb" -D "/tmp/data$1" -U root --no-sync >/dev/null
printf %s "$2" >"/tmp/data$1/pg_hba.conf"
as "$bin/pg_ctl" -w -D "/tmp/data$1" -l "/tmp/log$1" -o "-c listen_addresses=* -c port=$1 -c unix_socket_directories=/var/run/postgresql -c fsync=off -c password_encryption=md5" start >/dev/null
psql -q -X -p "$1" -d postgres -v ON_ERROR_STOP=1 -c "create role testuser login password 'geheim-1'" -c "create role primaryuser login password 'geheim-1'" -c "create database userdb"`,
		strconv.Itoa(port), hbaOfPod)
}

func (l *vantageLab) service(t *testing.T, name string, kind corev1.ServiceType, selector string, target int) {
	t.Helper()
	_, err := l.cluster.Clientset().CoreV1().Services(l.cluster.Namespace()).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{Type: kind, Selector: map[string]string{"app": selector},
			Ports: []corev1.ServicePort{{Port: 5432, TargetPort: intstr.FromInt(target)}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}

const testLogin = "user = \"testuser\"\npassword = \"geheim-1\"\ndatabase = \"userdb\"\nnodes = nodes\n"

func (l *vantageLab) step(t *testing.T, args string) *moduletest.Step {
	t.Helper()
	s := moduletest.New(t, vantageEntry, l.host, args, map[string]cty.Value{"nodes": l.nodes})
	s.Env().Host, s.Env().Target, s.Env().Dialer = conntest.ReadOnly(t, l.host), l.target, l.pool
	s.Env().Logf = func(string, ...any) {}
	return s
}

// look goes all ways, and gives the rows by their names, and the verdict.
func (l *vantageLab) look(t *testing.T, args string) (map[string]Way, error) {
	t.Helper()
	s := l.step(t, args)
	m := s.Module().(*Vantage)
	_, err := m.Check(t.Context(), s.Env())
	rows := map[string]Way{}
	for _, w := range m.Vantages {
		rows[w.Vantage] = w
	}
	t.Log("\n" + m.Text)
	return rows, err
}

func TestVantageOnTheLab(t *testing.T) {
	l := openVantageLab(t)
	l.server(t, 5432)
	l.service(t, "antdb", corev1.ServiceTypeNodePort, "antdb", 5432)
	l.everyWay(t)
	t.Run("names and passwords of all kinds", func(t *testing.T) { l.oddNames(t) })
	t.Run("a wrong password", func(t *testing.T) { l.wrongPassword(t) })
	t.Run("lines of pg_hba.conf", func(t *testing.T) { l.linesOfPgHba(t) })
	t.Run("no such database", func(t *testing.T) { l.noDatabase(t) })
	t.Run("a service with nothing behind it", func(t *testing.T) { l.emptyService(t) })
	t.Run("two databases", func(t *testing.T) { l.twoDatabases(t) })
	t.Run("a network policy", func(t *testing.T) { l.networkPolicy(t) })
	t.Run("a server that is down", func(t *testing.T) { l.down(t) })
}

func (l *vantageLab) everyWay(t *testing.T) {
	var rows map[string]Way
	var err error
	// kube-proxy needs a moment with a new service.
	kubetest.Eventually(t, "the service", func() bool {
		rows, err = l.look(t, testLogin+"sql = \"select 40 + 2\"\nrequire = [\"inside\", \"pod_ip\", \"service\", \"node_port\", \"nodes\", \"here\", \"forward\"]")
		return err == nil
	})
	for _, name := range []string{"loopback", "pod_ip", "service", "pod_ip from node1", "service from node2", "node_port node1", "node_port node3", "service from here", "forward"} {
		w := rows[name]
		require.True(t, w.OK, "%s: %s", name, w.Reason)
		require.Equal(t, []string{"testuser", "userdb", "42", "antdb"}, []string{w.User, w.Database, w.Answer, w.Server}, name)
		require.Regexp(t, `^\d{19}$`, w.System)
		require.Equal(t, rows["loopback"].System, w.System)
	}
	require.Equal(t, "127.0.0.1", rows["forward"].Client)
	require.False(t, rows["socket"].OK)
	require.Contains(t, rows["socket"].Reason, `no pg_hba.conf entry for host "[local]", user "testuser"`)
	require.Contains(t, rows["socket"].Remedy, "come by 127.0.0.1")
	require.False(t, rows["dns"].OK, "the lab has no DNS")
	require.Contains(t, rows["dns"].Reason, "does not resolve there")
}

func (l *vantageLab) oddNames(t *testing.T) {
	l.run(t, `psql -q -X -d postgres -v ON_ERROR_STOP=1 -v password="$1" <<'SQL'
create role "测试 '用户" login password :'password';
create database "select" owner "测试 '用户";
SQL
echo "host select all 0.0.0.0/0 md5" >>/tmp/data5432/pg_hba.conf; psql -qXAt -d postgres -c "select pg_reload_conf()"`, `a'b\c/d&e 密码"$x`)
	args := `
	  user     = "测试 '用户"
	  password = "a'b\\c/d&e 密码\"$x"
	  database = "select"
	  nodes    = nodes
	  require  = ["inside", "nodes", "forward", "service"]
	`
	var rows map[string]Way
	kubetest.Eventually(t, "the new line of pg_hba.conf", func() bool {
		var err error
		rows, err = l.look(t, args)
		return err == nil
	})
	require.Equal(t, []string{"测试 '用户", "select"}, []string{rows["service"].User, rows["service"].Database})
}

func (l *vantageLab) wrongPassword(t *testing.T) {
	rows, err := l.look(t, strings.Replace(testLogin, "geheim-1", "geheim-2", 1))
	requireAt(t, err, "password", `testuser cannot log in to userdb by inside, service, service from node1, service from node2: password authentication failed`)
	require.Contains(t, err.Error(), "line 3 of pg_hba.conf decides: host userdb,nosuch all 0.0.0.0/0 md5")
	require.Contains(t, rows["pod_ip from node1"].Reason, "line 3 of pg_hba.conf decides")
	require.Contains(t, rows["service"].Remedy, "pgo.user")
	ex := (*module.Explained)(nil)
	require.ErrorAs(t, err, &ex)
	require.NotContains(t, strings.Join(ex.Evidence, "\n")+err.Error()+ex.Remedy, "geheim")
}

func (l *vantageLab) linesOfPgHba(t *testing.T) {
	rows, err := l.look(t, strings.Replace(testLogin, "testuser", "primaryuser", 1))
	requireAt(t, err, "require", "line 2 of pg_hba.conf decides: host all primaryuser 0.0.0.0/0 reject")
	require.Contains(t, rows["forward"].Reason, "pg_hba.conf rejects connection")

	rows, err = l.look(t, strings.Replace(testLogin, "userdb", "postgres", 1))
	requireAt(t, err, "require", "no pg_hba.conf entry for host")
	client := rows["pod_ip from node2"].Reason
	_, client, _ = strings.Cut(client, `host "`)
	client, _, _ = strings.Cut(client, `"`)
	require.Contains(t, rows["pod_ip from node2"].Remedy, fmt.Sprintf("host postgres testuser %s/32 md5", client))
}

func (l *vantageLab) noDatabase(t *testing.T) {
	_, err := l.look(t, strings.Replace(testLogin, "userdb", "nosuch", 1))
	requireAt(t, err, "database", `database "nosuch" does not exist`)
}

func (l *vantageLab) emptyService(t *testing.T) {
	l.service(t, "empty", corev1.ServiceTypeClusterIP, "other", 5432)
	var rows map[string]Way
	kubetest.Eventually(t, "kube-proxy refuses", func() bool {
		var err error
		rows, err = l.look(t, testLogin+"service = \"empty\"\npatience = \"2s\"")
		requireAt(t, err, "require", "testuser cannot log in to userdb by service")
		return strings.Contains(rows["service from node1"].Reason, "has no ready pod behind it")
	})
	require.Equal(t, "service empty has no ready pod behind it: it selects app=other, and pod antdb has antdb", rows["service from node1"].Reason)
	require.Equal(t, "service empty is a ClusterIP: it has no node port", rows["node_port"].Reason)
	require.True(t, rows["pod_ip"].OK)

	_, err := l.look(t, testLogin+`service = "nosuch"`)
	requireAt(t, err, "service", "there is no service nosuch")
}

// The story's author logged in to another cluster than the one he had made.
func (l *vantageLab) twoDatabases(t *testing.T) {
	l.server(t, 5433)
	l.service(t, "other", corev1.ServiceTypeClusterIP, "antdb", 5433)
	kubetest.Eventually(t, "the other service", func() bool {
		rows, err := l.look(t, testLogin+"service = \"other\"\nrequire = [\"inside\"]")
		return err != nil && rows["service"].OK
	})
	rows, err := l.look(t, testLogin+"service = \"other\"\nrequire = [\"inside\"]")
	require.ErrorContains(t, err, "two different databases: loopback leads to pod antdb (system identifier "+rows["loopback"].System+"), service to pod antdb (system identifier "+rows["service"].System+")")
}

// The lab's network knows no policies, so the node's firewall does what one
// would have done.
func (l *vantageLab) networkPolicy(t *testing.T) {
	_, err := l.cluster.Clientset().NetworkingV1().NetworkPolicies(l.cluster.Namespace()).Create(t.Context(), &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "only-web"},
		Spec: networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "antdb"}},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}}}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	node, err := l.pool.Dial(t.Context(), l.node(kubetest.LabNode))
	require.NoError(t, err)
	pod, err := l.cluster.Clientset().CoreV1().Pods(l.cluster.Namespace()).Get(t.Context(), "antdb", metav1.GetOptions{})
	require.NoError(t, err)
	// The rule goes by itself, too, should this test be killed.
	shut := conn.Script(`rule="FORWARD -p tcp -d $1 --dport 5432 -j DROP"
iptables -w 30 -I $rule || exit
setsid sh -c "sleep 120; iptables -w 30 -D $rule" >/dev/null 2>&1 </dev/null &`, pod.Status.PodIP)
	_, err = node.Run(t.Context(), shut)
	require.NoError(t, err)
	defer func() {
		_, err := node.Run(t.Context(), conn.Script(`iptables -w 30 -D FORWARD -p tcp -d "$1" --dport 5432 -j DROP`, pod.Status.PodIP))
		require.NoError(t, err)
	}()
	rows, err := l.look(t, testLogin+"patience = \"2s\"\nrequire = [\"inside\", \"nodes\"]")
	requireAt(t, err, "require", "testuser cannot log in to userdb by pod_ip from node2, service from node2")
	w := rows["pod_ip from node2"]
	require.Equal(t, "no answer from "+w.Address+" within 2s; network policies that select the pod: only-web (lets in to port 5432 only pods with app=web)", w.Reason)
	require.Contains(t, w.Remedy, "let node2 in to port 5432")
	require.True(t, rows["pod_ip from node1"].OK, "the pod's own node")
	require.True(t, rows["forward"].OK)
}

func (l *vantageLab) down(t *testing.T) {
	l.run(t, `runuser -u postgres -- "$(echo /usr/lib/postgresql/*/bin)/pg_ctl" -m immediate -D /tmp/data5432 stop >/dev/null`)
	rows, err := l.look(t, testLogin)
	requireAt(t, err, "require", "testuser cannot log in to userdb by inside, service")
	require.Equal(t, "no server listens on the local socket", rows["socket"].Reason)
	require.Contains(t, rows["loopback"].Reason, "connection refused: nothing listens at 127.0.0.1:5432")
	require.Contains(t, rows["pod_ip from node2"].Reason, "connection refused: nothing listens at")
	require.NotEmpty(t, rows["forward"].Reason)
}
