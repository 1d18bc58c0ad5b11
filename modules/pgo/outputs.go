package pgo

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// export fills the outputs from a view in which the cluster is there.
func (c *Cluster) export(env *module.Env, p *place, v *view) {
	pod := v.primary()
	target := func(pod *corev1.Pod) conn.Target {
		return conn.Target{Kind: conn.Container, Name: pod.Name + "/" + v.names.container, Config: env.Target.Config,
			Namespace: p.namespace, Pod: pod.Name, Container: v.names.container, Labels: []string{}, Vars: map[string]string{}}
	}
	c.Primary, c.Standbys, c.Members = target(pod), []conn.Target{}, map[string]Member{}
	for _, replica := range v.following() {
		c.Standbys = append(c.Standbys, target(replica))
	}
	for _, member := range v.databases() {
		role := ""
		switch {
		case member == pod:
			role = "primary"
		case member.Labels[v.names.role] == v.names.replica:
			role = "replica"
		}
		c.Members[member.Name] = Member{Role: role, Node: member.Spec.NodeName, IP: member.Status.PodIP}
	}
	c.PodIP, c.Node = pod.Status.PodIP, pod.Spec.NodeName
	c.ConnURL, c.ImageID = patroniOf(pod).ConnURL, v.names.status(pod).ImageID
	if v.service != nil {
		c.ServiceIP = v.service.Spec.ClusterIP
	}
	c.Database, c.Operator = v.record.database, p.driver.generation()
	c.Secrets = maps.Clone(v.record.secrets)
	c.Users = slices.Sorted(maps.Keys(c.Secrets))
}
