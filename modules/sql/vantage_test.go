package sql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

var vantageEntry = module.Of[Vantage]()

func TestVantageExampleFitsTheModule(t *testing.T) { moduletest.Example(t, vantageEntry) }

func TestVantageRefusesWhatCannotBe(t *testing.T) {
	valid := func(args string) error { return moduletest.New(t, vantageEntry, nil, args, nil).Validate() }
	require.NoError(t, valid("user = \"u\"\nrequire = [\"inside\", \"forward\"]"))
	requireAt(t, valid("user = \"u\"\nrequire = [\"podip\"]"), "require", `no vantage point "podip"`)
	requireAt(t, valid("user = \"u\"\nrequire = [\"nodes\"]"), "require", "from which nodes?")
	requireAt(t, valid("user = \"u\"\nsql = \"select 1; drop table t\""), "sql", "second statement")
}

// The words of PostgreSQL 11 and 15, libpq, Go and OpenSSH.
func TestWhyALoginFailsIsSeenByItsError(t *testing.T) {
	for text, want := range map[string]class{
		`connection to server at "10.1.2.3", port 5432 failed: FATAL:  no pg_hba.conf entry for host "10.1.2.3", user "u", database "d", no encryption`: noEntryClass,
		`FATAL:  no pg_hba.conf entry for host "10.1.2.3", user "u", database "d", SSL off`:                                                             noEntryClass,
		`致命错误:  没有用于主机 "10.1.2.3", 用户 "u", 数据库 "d", 无加密 的 pg_hba.conf 记录`:                                                                               noEntryClass,
		`FATAL:  pg_hba.conf rejects connection for host "10.1.2.3", user "primaryuser", database "d", no encryption`:                                   rejectClass,
		`FATAL:  password authentication failed for user "u"`:                                                                                           badPasswordClass,
		`致命错误:  用户 "u" Password 认证失败`:                                                                                                                   badPasswordClass,
		`fe_sendauth: no password supplied`:                                                                                                             badPasswordClass,
		`FATAL:  Peer authentication failed for user "u"`:                                                                                               peerClass,
		`FATAL:  database "nosuch" does not exist`:                                                                                                      noDatabaseClass,
		`FATAL:  role "nosuch" does not exist`:                                                                                                          noRoleClass,
		`FATAL:  sorry, too many clients already`:                                                                                                       noSlotClass,
		`FATAL:  the database system is starting up`:                                                                                                    notYetClass,
		`connection to server at "10.1.2.3", port 5432 failed: timeout expired`:                                                                         timeoutClass,
		`could not connect to server: Connection timed out`:                                                                                             timeoutClass,
		`connection to server at "10.1.2.3", port 5432 failed: Connection refused`:                                                                      refusedClass,
		`ssh: rejected: connect failed (Connection refused)`:                                                                                            refusedClass,
		`ssh: rejected: administratively prohibited (open failed)`:                                                                                      noForwardClass,
		`connection to server at "10.1.2.3", port 5432 failed: No route to host`:                                                                        noRouteClass,
		`could not translate host name "x.y.svc" to address: Name or service not known`:                                                                 noNameClass,
		`something else`: otherClass,
	} {
		require.Equal(t, want, classOf(errors.New(text)), text)
	}
	require.Equal(t, refusedClass, classOf(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}))
	require.Equal(t, noRouteClass, classOf(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}))
	require.Equal(t, timeoutClass, classOf(fmt.Errorf("x: %w", context.DeadlineExceeded)))
	require.Equal(t, badPasswordClass, classOf(&Fault{State: badPassword, Message: "x"}))
	require.Equal(t, unreachableClass, classOf(&conn.Unreachable{Target: "node1", Err: errors.New("x")}))
	require.Equal(t, otherClass, classOf(nil))
}

// operatorRules is the pg_hba.conf of PGO 4.
var operatorRules = []hbaRule{
	{number: 1, kind: "local", databases: []string{"all"}, users: []string{"postgres"}, method: "peer"},
	{number: 2, kind: "local", databases: []string{"all"}, users: []string{"crunchyadm"}, method: "peer"},
	{number: 3, kind: "host", databases: []string{"replication"}, users: []string{"primaryuser"}, address: "0.0.0.0", mask: "0.0.0.0", method: "md5"},
	{number: 4, kind: "host", databases: []string{"all"}, users: []string{"primaryuser"}, address: "0.0.0.0", mask: "0.0.0.0", method: "reject"},
	{number: 5, kind: "host", databases: []string{"all"}, users: []string{"all"}, address: "0.0.0.0", mask: "0.0.0.0", method: "md5"},
}

func TestTheLineOfPgHbaThatDecides(t *testing.T) {
	line := func(rules []hbaRule, c hbaClient) int {
		r, found := decides(rules, c)
		require.Equal(t, found, r.number != 0)
		return r.number
	}
	require.Equal(t, 1, line(operatorRules, hbaClient{local: true, user: "postgres", database: "postgres"}))
	require.Equal(t, 0, line(operatorRules, hbaClient{local: true, user: "testuser", database: "userdb"}))
	require.Equal(t, 4, line(operatorRules, hbaClient{address: "10.244.1.5", user: "primaryuser", database: "userdb"}))
	require.Equal(t, 5, line(operatorRules, hbaClient{address: "10.244.1.5", user: "testuser", database: "userdb"}))
	require.Equal(t, 5, line(operatorRules, hbaClient{user: "testuser", database: "userdb"}), "whatever its address")
	require.Equal(t, 0, line(operatorRules, hbaClient{address: "fd00::5", user: "testuser", database: "userdb"}), "there is no line for IPv6")
	require.Equal(t, "host all primaryuser 0.0.0.0/0 reject", operatorRules[3].String())

	narrow := []hbaRule{{number: 1, kind: "host", databases: []string{"all"}, users: []string{"all"}, address: "10.1.0.0", mask: "255.255.0.0", method: "trust"}, operatorRules[4]}
	require.Equal(t, 1, line(narrow, hbaClient{address: "10.1.2.3", user: "u", database: "d"}))
	require.Equal(t, 5, line(narrow, hbaClient{address: "10.2.2.3", user: "u", database: "d"}))
	require.Equal(t, 0, line(narrow, hbaClient{user: "u", database: "d"}), "the address decides, and is not known")
	group := []hbaRule{{number: 1, kind: "host", databases: []string{"all"}, users: []string{"+staff"}, address: "0.0.0.0", mask: "0.0.0.0", method: "reject"}, operatorRules[4]}
	require.Equal(t, 0, line(group, hbaClient{address: "10.2.2.3", user: "u", database: "d"}), "who is in the group is not known")
	ssl := []hbaRule{{number: 1, kind: "hostssl", databases: []string{"all"}, users: []string{"all"}, address: "0.0.0.0", mask: "0.0.0.0", method: "md5"}, operatorRules[4]}
	require.Equal(t, 5, line(ssl, hbaClient{address: "10.2.2.3", user: "u", database: "d"}))
	require.Equal(t, 1, line(ssl, hbaClient{address: "10.2.2.3", user: "u", database: "d", encrypted: true}))
	require.Equal(t, 0, line(ssl, hbaClient{address: "10.2.2.3", user: "u", database: "d", unsure: true}))
}

func TestTheClientIsReadOutOfTheRefusal(t *testing.T) {
	w := &way{to: "service", Way: Way{User: "u", Database: "d"}}
	c := clientOf(w, `no pg_hba.conf entry for host "10.244.1.7", user "u", database "d", SSL off`)
	require.Equal(t, hbaClient{address: "10.244.1.7", user: "u", database: "d"}, c)
	require.Equal(t, "host d u 10.244.1.7/32 md5", c.wish())
	require.True(t, clientOf(w, `password authentication failed for user "u"`).unsure)
	require.Equal(t, "127.0.0.1", clientOf(&way{to: "loopback"}, "x").address)
}

func works(vantage, to, from, server, system string, standby bool) *way {
	return &way{to: to, Way: Way{Vantage: vantage, From: from, OK: true, Server: server, System: system, Standby: standby}}
}

func TestTwoDatabasesAreMixedUp(t *testing.T) {
	first := works("loopback", "loopback", inside, "antdb-1", "771", false)
	require.NoError(t, mixedUp([]*way{first, works("service", "service", inside, "antdb-1", "771", false)}))
	require.NoError(t, mixedUp([]*way{first, works("service", "service", inside, "antdb-2", "771", true)}), "a standby of the same database")
	err := mixedUp([]*way{first, {Way: Way{System: "999"}}, works("service", "service", inside, "mycluster-1", "772", false)})
	require.EqualError(t, err, "two different databases: loopback leads to pod antdb-1 (system identifier 771), service to pod mycluster-1 (system identifier 772)")
	err = mixedUp([]*way{first, works("service", "service", inside, "antdb-2", "771", false)})
	require.ErrorContains(t, err, "two primaries: loopback leads to pod antdb-1, service to pod antdb-2")
}

func TestWhatIsRequired(t *testing.T) {
	ways := []*way{
		{to: "socket", Way: Way{Vantage: "socket", From: inside}},
		works("loopback", "loopback", inside, "a", "1", false),
		works("pod_ip", "pod_ip", inside, "a", "1", false),
		{to: "pod_ip", Way: Way{Vantage: "pod_ip from node1", From: "node1", Reason: "x"}},
		{to: "pod_ip", Way: Way{Vantage: "pod_ip from here", From: here}},
		{to: "service", Way: Way{Vantage: "service from here", From: here}},
		works("forward", "forward", here, "a", "1", false),
	}
	wanted := func(words ...string) []string { _, names := unmet(words, ways); return names }
	require.Empty(t, wanted("inside"), "one of the two will do")
	require.Equal(t, []string{"socket"}, wanted("socket"))
	require.Equal(t, []string{"pod_ip from node1"}, wanted("pod_ip"), "not from here: that is no place for it")
	require.Equal(t, []string{"pod_ip from node1"}, wanted("nodes", "pod_ip"), "said once")
	require.Equal(t, []string{"here"}, wanted("here"))
	require.Empty(t, wanted("forward"))
	require.Equal(t, []string{"node_port"}, wanted("node_port"), "there is none at all")
}

func TestTheTableForPeople(t *testing.T) {
	ways := []Way{
		{Vantage: "loopback", Address: "127.0.0.1:5432", OK: true, MS: 12, User: "测试", Database: "userdb", Server: "antdb-1", System: "771"},
		{Vantage: "service", Address: "10.96.0.7:5432", Required: true, User: "测试", Database: "userdb", Reason: "connection refused"},
		{Vantage: "服务", Address: "10.96.0.7:5432", User: "测试", Database: "userdb", Reason: "connection refused"},
	}
	require.Equal(t, strings.Join([]string{
		"vantage point  address         works  ms  server   why not",
		"loopback       127.0.0.1:5432  yes    12  antdb-1",
		"service        10.96.0.7:5432  NO                  connection refused",
		"服务           10.96.0.7:5432  no                  (the same)",
	}, "\n"), drawWays(ways))

	ways[1] = Way{Vantage: "service", Address: "10.96.0.7:5432", OK: true, MS: 9, User: "测试", Database: "userdb", Server: "other-1", Standby: true, System: "772", Answer: "42"}
	ways[0].Answer = "41"
	require.Equal(t, strings.Join([]string{
		"vantage point  address         works  ms  server             system identifier  answer  why not",
		"loopback       127.0.0.1:5432  yes    12  antdb-1            771                41",
		"service        10.96.0.7:5432  yes    9   other-1 (standby)  772                42",
		"服务           10.96.0.7:5432  no                                                       connection refused",
	}, "\n"), drawWays(ways))
}

func TestWhomAPolicyLetsIn(t *testing.T) {
	policy := func(rules ...networkingv1.NetworkPolicyIngressRule) networkingv1.NetworkPolicy {
		return networkingv1.NetworkPolicy{Spec: networkingv1.NetworkPolicySpec{Ingress: rules}}
	}
	port := func(n int) []networkingv1.NetworkPolicyPort {
		p := intstr.FromInt(n)
		return []networkingv1.NetworkPolicyPort{{Port: &p}}
	}
	app := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}
	office := networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "10.1.0.0/16"}}
	require.Equal(t, "lets nobody in to port 5432", lets(policy(), 5432))
	require.Equal(t, "lets nobody in to port 5432", lets(policy(networkingv1.NetworkPolicyIngressRule{Ports: port(8009)}), 5432))
	require.Equal(t, "lets everybody in to port 5432", lets(policy(networkingv1.NetworkPolicyIngressRule{Ports: port(5432)}), 5432))
	require.Equal(t, "lets in to port 5432 only pods with app=web, 10.1.0.0/16",
		lets(policy(networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{app, office}}), 5432))
}

func TestAServiceWithNothingBehindIt(t *testing.T) {
	s := &vantageSite{v: &Vantage{}, pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "antdb-1", Labels: map[string]string{"pg-cluster": "antdb"}}},
		service: &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "antdb"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"pg-cluster": "antdb", "role": "master"}}}}
	reason, remedy := s.emptyService()
	require.Equal(t, "service antdb has no ready pod behind it: it selects role=master, and pod antdb-1 has none", reason)
	require.Contains(t, remedy, "Patroni sets that label")
	s.pod.Labels["role"] = "replica"
	reason, _ = s.emptyService()
	require.Equal(t, "service antdb has no ready pod behind it: it selects role=master, and pod antdb-1 has replica", reason)
	s.pod.Labels["role"] = "master"
	_, remedy = s.emptyService()
	require.Contains(t, remedy, "not ready")
	s.backends = []string{"10.244.1.5"}
	reason, _ = s.emptyService()
	require.Empty(t, reason)
}
