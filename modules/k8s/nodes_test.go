package k8s

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	admission "k8s.io/api/admission/v1"
	registration "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// joined makes nodes that are a test's own by their label, and gives the
// selector for them. There are no kubelets: the test reports in their place.
func joined(t *testing.T, c *kube.Cluster, nodes ...*corev1.Node) string {
	t.Helper()
	api := c.Clientset().CoreV1().Nodes()
	for _, n := range nodes {
		if n.Labels == nil {
			n.Labels = map[string]string{}
		}
		n.Labels["site"] = c.Namespace()
		status := n.Status
		made, err := api.Create(t.Context(), n, metav1.CreateOptions{})
		require.NoError(t, err)
		t.Cleanup(func() { _ = api.Delete(context.Background(), made.Name, metav1.DeleteOptions{}) })
		require.NoError(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error { // the controllers write to it as well
			now, err := api.Get(t.Context(), made.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			now.Status = status
			_, err = api.UpdateStatus(t.Context(), now, metav1.UpdateOptions{})
			return err
		}))
	}
	return "site=" + c.Namespace()
}

// machine is a node that is ready, with addresses: IPs, or host names.
func machine(name string, addresses ...string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, a := range addresses {
		kind := corev1.NodeInternalIP
		if strings.Trim(a, "0123456789.:") != "" {
			kind = corev1.NodeHostName
		}
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: kind, Address: a})
	}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady"}}
	n.Status.NodeInfo = corev1.NodeSystemInfo{ContainerRuntimeVersion: "containerd://1.6.20", KubeletVersion: "v1.34.2", Architecture: "amd64", OperatingSystem: "linux"}
	return n
}

func tainted(n *corev1.Node, key string, effect corev1.TaintEffect) *corev1.Node {
	n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Effect: effect})
	return n
}

// hosts is the value of an ssh target block; each host is NAME or NAME=ADDRESS.
func hosts(entries ...string) map[string]cty.Value {
	all := map[string]cty.Value{}
	for _, e := range entries {
		name, address, ok := strings.Cut(e, "=")
		if !ok {
			address = name
		}
		address, port, _ := strings.Cut(address, ":")
		target := conn.Target{Kind: conn.SSH, Name: name, Config: "nodes", Address: address}
		_, _ = fmt.Sscan(port, &target.Port)
		all[name] = target.Cty()
	}
	return map[string]cty.Value{"target": cty.ObjectVal(map[string]cty.Value{"nodes": cty.ObjectVal(map[string]cty.Value{
		"kind": cty.StringVal(conn.SSH), "name": cty.StringVal("nodes"), "config": cty.StringVal("nodes"),
		"hosts": cty.ObjectVal(all), "groups": cty.EmptyObjectVal,
	})})}
}

func nodes(t *testing.T, c *kube.Cluster, args string, vars map[string]cty.Value) (*Nodes, error) {
	t.Helper()
	step := moduletest.New(t, module.Of[Nodes](), c, "hosts = target.nodes\n"+args, vars)
	require.NoError(t, step.Validate())
	n := step.Module().(*Nodes)
	change, err := n.Check(t.Context(), step.Env())
	require.False(t, change.Wanted())
	return n, err
}

func names(targets []conn.Target) (all []string) {
	for _, t := range targets {
		all = append(all, t.Name)
	}
	return all
}

func TestNodesAreMatchedToTheirHosts(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	p := c.Namespace() + "-"
	selector := joined(t, c,
		machine(p+"byname"),
		machine(p+"byaddress", "10.9.0.2", "byaddress.corp"),
		machine(p+"byhostname", "10.9.0.3", "deep.corp"),
		machine(p+"short.corp.local"),
		machine(p+"forward1", "127.0.0.1"),
		machine(p+"forward2", "127.0.0.1"))
	n, err := nodes(t, c, `selector = "`+selector+`"`, hosts(
		p+"byname=192.0.2.1", "two=10.9.0.2", "three=deep.corp", p+"short=192.0.2.4",
		p+"forward1=127.0.0.1:2201", p+"forward2=127.0.0.1:2202", "spare=192.0.2.9"))
	require.NoError(t, err)
	require.Equal(t, []string{"two", "three", p + "byname", p + "forward1", p + "forward2", p + "short"}, names(n.Targets))
	require.Equal(t, 2201, n.Targets[3].Port)
	first := n.Nodes[0]
	require.Equal(t, p+"byaddress", first.Name)
	require.Equal(t, "two", first.Host)
	require.True(t, first.Ready)
	require.Equal(t, "containerd://1.6.20", first.Runtime)
	require.Equal(t, []string{"10.9.0.2", "byaddress.corp"}, first.Addresses)
	require.Equal(t, "no", n.AlwaysPull, n.Why)

	list := []cty.Value{}
	for _, h := range n.Targets {
		list = append(list, h.Cty())
	}
	for name, v := range map[string]cty.Value{"a list": cty.ListVal(list), "a tuple": cty.TupleVal(list)} {
		again, err := nodes(t, c, `selector = "`+selector+`"`, map[string]cty.Value{"target": cty.ObjectVal(map[string]cty.Value{"nodes": v})})
		require.NoError(t, err, name)
		require.Equal(t, n.Targets, again.Targets, name)
	}
}

func TestANodeWithoutAHostIsAnErrorThatSaysWhatToAdd(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	p := c.Namespace() + "-"
	selector := joined(t, c, machine(p+"a", "10.9.1.1"), machine(p+"b", "10.9.1.2"), machine(p+"c"))
	_, err := nodes(t, c, `selector = "`+selector+`"`, hosts("a=10.9.1.1"))
	require.ErrorContains(t, err, "2 nodes have no SSH host: "+p+"b (10.9.1.2), "+p+"c ("+p+"c)")
	var arg *module.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "hosts", arg.Arg)
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Remedy, p+`b = { address = "10.9.1.2" }`)

	_, err = nodes(t, c, `selector = "`+selector+`"`, hosts("a=10.9.1.1", "also=10.9.1.1"))
	require.ErrorContains(t, err, "may be the host a or the host also")
	both := joined(t, c, machine(p+"d", "10.9.1.9"), machine(p+"e", "10.9.1.9"))
	_, err = nodes(t, c, `selector = "`+both+`,kubernetes.io/hostname!=x"`, hosts("one=10.9.1.9", "x=10.9.1.1", "y=10.9.1.2", p+"c"))
	require.ErrorContains(t, err, "the host one may be node "+p+"d or node "+p+"e")
	_, err = nodes(t, c, `selector = "site=nowhere"`, hosts("a"))
	require.ErrorContains(t, err, "no node of the cluster has these labels")
}

func TestTaintsAndConditionsLeaveNodesOut(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	p := c.Namespace() + "-"
	down := machine(p + "down")
	down.Status.Conditions[0] = corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Reason: "KubeletNotReady", Message: "cni plugin not initialized"}
	cordoned := tainted(machine(p+"cordoned"), "node.kubernetes.io/unschedulable", corev1.TaintEffectNoSchedule)
	cordoned.Spec.Unschedulable = true
	windows := machine(p + "windows")
	windows.Status.NodeInfo.OperatingSystem = "windows"
	plane := tainted(machine(p+"plane"), "node-role.kubernetes.io/control-plane", corev1.TaintEffectNoSchedule)
	plane.Labels = map[string]string{"node-role.kubernetes.io/control-plane": ""}
	selector := joined(t, c, machine(p+"a"), down, cordoned, plane, windows,
		machine(p+"a10"), machine(p+"a2"), tainted(machine(p+"gpu"), "gpu", corev1.TaintEffectNoExecute),
		tainted(machine(p+"soft"), "soft", corev1.TaintEffectPreferNoSchedule))
	inventory := hosts(p+"a", p+"a2", p+"a10", p+"down", p+"cordoned", p+"soft", p+"plane")
	for args, want := range map[string][]string{
		``:                             {"a", "a2", "a10", "cordoned", "down", "soft"},
		`tolerate = ["control-plane"]`: {"a", "a2", "a10", "cordoned", "down", "plane", "soft"},
		`ready_only = true`:            {"a", "a2", "a10", "cordoned", "soft"},
		`tolerate = ["node-role.kubernetes.io/control-plane"]`: {"a", "a2", "a10", "cordoned", "down", "plane", "soft"},
	} {
		n, err := nodes(t, c, `selector = "`+selector+"\"\n"+args, inventory)
		require.NoError(t, err)
		for i := range want {
			want[i] = p + strings.TrimPrefix(want[i], p)
		}
		require.Equal(t, want, names(n.Targets), args)
		require.Len(t, n.Nodes, 9)
		for _, node := range n.Nodes {
			switch strings.TrimPrefix(node.Name, p) {
			case "gpu":
				require.Contains(t, node.LeftOut, "gpu:NoExecute")
				require.Equal(t, []string{"gpu:NoExecute"}, withoutPassing(node.Taints))
			case "down":
				require.False(t, node.Ready)
				require.Equal(t, "KubeletNotReady: cni plugin not initialized", node.Condition)
			case "windows":
				require.Equal(t, "it runs windows", node.LeftOut)
			case "cordoned":
				require.True(t, node.Cordoned)
			case "plane":
				require.Equal(t, []string{"control-plane"}, node.Roles)
				require.Equal(t, p+"plane", node.Host)
			}
		}
	}
	_, err := nodes(t, c, `selector = "`+selector+"\"\ntolerate = [\"*\"]", inventory)
	require.ErrorContains(t, err, "the node "+p+"gpu ("+p+"gpu) has no SSH host")
	_, err = nodes(t, c, `selector = "`+selector+`,node-role.kubernetes.io/control-plane"`, inventory)
	require.ErrorContains(t, err, "no node is left")
}

// withoutPassing leaves out what the server adds to nodes by itself.
func withoutPassing(taints []string) (rest []string) {
	for _, t := range taints {
		if !passing(t) {
			rest = append(rest, t)
		}
	}
	return rest
}

// AlwaysPullImages is a plugin that the test's server does not run; a webhook
// that does the same is admission as well.
func TestAnAdmissionThatAlwaysPullsIsSeen(t *testing.T) {
	server := kubetest.Start(t)
	c := server.Cluster(t)
	p := c.Namespace() + "-"
	selector := joined(t, c, machine(p+"a"))
	hook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admission.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		kind := admission.PatchTypeJSONPatch
		review.Response = &admission.AdmissionResponse{UID: review.Request.UID, Allowed: true, PatchType: &kind,
			Patch: []byte(`[{"op":"replace","path":"/spec/containers/0/imagePullPolicy","value":"Always"}]`)}
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(hook.Close)
	url, none, fail := hook.URL, registration.SideEffectClassNone, registration.Fail
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw})
	hooks := c.Clientset().AdmissionregistrationV1().MutatingWebhookConfigurations()
	made, err := hooks.Create(t.Context(), &registration.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: c.Namespace()},
		Webhooks: []registration.MutatingWebhook{{
			Name: "always.pull.test", SideEffects: &none, FailurePolicy: &fail, AdmissionReviewVersions: []string{"v1"},
			ClientConfig:      registration.WebhookClientConfig{URL: &url, CABundle: certificate},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": c.Namespace()}},
			Rules: []registration.RuleWithOperations{{Operations: []registration.OperationType{registration.Create},
				Rule: registration.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}}}},
		}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = hooks.Delete(context.Background(), made.Name, metav1.DeleteOptions{}) })

	kubetest.Eventually(t, "the webhook", func() bool {
		n, err := nodes(t, c, `selector = "`+selector+`"`, hosts(p+"a"))
		require.NoError(t, err)
		return n.AlwaysPull == "yes" && strings.Contains(n.Why, "got Always")
	})
	pods, err := c.Clientset().CoreV1().Pods(c.Namespace()).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, pods.Items, "a dry run leaves nothing")
}

// someone is a user who may list nodes, and nothing else.
func someone(t *testing.T, server *kubetest.Server, c *kube.Cluster) *kube.Cluster {
	t.Helper()
	name := c.Namespace()
	roles, bindings := c.Clientset().RbacV1().ClusterRoles(), c.Clientset().RbacV1().ClusterRoleBindings()
	_, err := roles.Create(t.Context(), &rbac.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules: []rbac.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"list"}}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = bindings.Create(t.Context(), &rbac.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:  rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: name},
		Subjects: []rbac.Subject{{APIGroup: rbac.GroupName, Kind: rbac.UserKind, Name: name}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = roles.Delete(context.Background(), name, metav1.DeleteOptions{})
		_ = bindings.Delete(context.Background(), name, metav1.DeleteOptions{})
	})
	config := server.Admin()
	config.Impersonate = rest.ImpersonationConfig{UserName: name}
	as, err := kube.New(t.Context(), "someone", config, name)
	require.NoError(t, err)
	return as
}

func TestWhatAUserMayNotAskStaysUnknown(t *testing.T) {
	server := kubetest.Start(t)
	c := server.Cluster(t)
	p := c.Namespace() + "-"
	selector := joined(t, c, machine(p+"a"))
	as := someone(t, server, c)
	kubetest.Eventually(t, "the user's rights", func() bool {
		_, err := as.Clientset().CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		return err == nil
	})
	n, err := nodes(t, as, `selector = "`+selector+`"`, hosts(p+"a"))
	require.NoError(t, err)
	require.Equal(t, "unknown", n.AlwaysPull)
	require.Contains(t, n.Why, "was refused")
	require.Contains(t, n.Why, "cannot create resource")

	nobody, err := kube.New(t.Context(), "nobody", server.Nobody(), c.Namespace())
	require.NoError(t, err)
	_, err = nodes(t, nobody, "", hosts(p+"a"))
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Remedy, "verb list on nodes")
}

func TestAnOldServerIsNotAskedByADryRun(t *testing.T) {
	server := kubetest.Start(t)
	c := server.Cluster(t)
	p := c.Namespace() + "-"
	selector := joined(t, c, machine(p+"a"))
	old, err := kube.New(t.Context(), "old", proxied(t, server, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			t.Errorf("a server that may not know dry runs was asked to create: %s", r.URL)
		}
		if r.URL.Path != "/version" {
			return false
		}
		_, _ = w.Write([]byte(`{"major":"1","minor":"12","gitVersion":"v1.12.10"}`))
		return true
	}), c.Namespace())
	require.NoError(t, err)
	n, err := nodes(t, old, `selector = "`+selector+`"`, hosts(p+"a"))
	require.NoError(t, err)
	require.Equal(t, "unknown", n.AlwaysPull)
}

func TestHostsAreTargets(t *testing.T) {
	_, err := hostsOf(cty.StringVal("node1"))
	require.ErrorContains(t, err, "it takes an ssh target")
	_, err = hostsOf(cty.NullVal(cty.DynamicPseudoType))
	require.ErrorContains(t, err, "null")
	require.ErrorContains(t, (&Nodes{Selector: "a in ("}).Validate(), "unable to parse requirement")
}
