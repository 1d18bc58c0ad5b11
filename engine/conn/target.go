package conn

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/adbsql/antdbctl/engine/secret"
)

// The kinds of target.
const (
	Local      = "local"      // the machine that antdbctl runs on
	SSH        = "ssh"        // a host over SSH
	Docker     = "docker"     // a Docker engine, on this machine or on a host
	Kubernetes = "kubernetes" // a cluster, and one namespace of it
	Container  = "container"  // a container: of a Docker target, or of a pod
)

// Target says where a step works. It is a plain value: runbooks pass it around
// (`on = step.cluster.primary`), plans and states print it. What it takes to
// connect, secrets among it, stays in the Settings of the target block that
// Config names.
type Target struct {
	Kind      string            `cty:"kind"`
	Name      string            `cty:"name"`   // how people call it: "node1", "antdb-7d…/database"
	Config    string            `cty:"config"` // the target block it comes from
	Address   string            `cty:"address"`
	Port      int               `cty:"port"`
	User      string            `cty:"user"`
	Namespace string            `cty:"namespace"`
	Pod       string            `cty:"pod"`
	Container string            `cty:"container"`
	Labels    []string          `cty:"labels"`
	Vars      map[string]string `cty:"vars"`
}

// TargetType is the type of a target in expressions.
var TargetType = func() cty.Type {
	ty, err := gocty.ImpliedType(Target{})
	if err != nil {
		panic(err)
	}
	return ty
}()

// Cty is t for expressions.
func (t Target) Cty() cty.Value {
	if t.Labels == nil {
		t.Labels = []string{}
	}
	if t.Vars == nil {
		t.Vars = map[string]string{}
	}
	v, err := gocty.ToCtyValue(t, TargetType)
	if err != nil {
		panic(err) // a struct of strings always converts
	}
	return v
}

// TargetFrom reads a target out of a value of TargetType.
func TargetFrom(v cty.Value) (Target, error) {
	var t Target
	if v.IsNull() || !v.IsWhollyKnown() {
		return t, fmt.Errorf("the target is not known")
	}
	err := gocty.FromCtyValue(v, &t)
	return t, err
}

// IsZero reports that no target was given.
func (t Target) IsZero() bool { return t.Kind == "" }

// String names the target for people.
func (t Target) String() string {
	if t.Name != "" {
		return t.Name
	}
	return t.Kind
}

// Key is the same for targets that one connection can serve.
func (t Target) Key() string {
	return fmt.Sprintf("%s|%s|%s|%d|%s|%s|%s|%s|%s", t.Kind, t.Config, t.Address, t.Port, t.User, t.Name, t.Namespace, t.Pod, t.Container)
}

// Settings is what a target block says about connecting. Only the part of its
// Kind is filled.
type Settings struct {
	Kind string

	// ssh
	Password      secret.Value
	IdentityFiles []string // beside those of ssh_config and the agent
	Passphrase    secret.Value
	KnownHosts    []string // files; empty for ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts
	HostKeyCheck  string   // strict (default), accept-new, off
	ConfigFile    string   // ssh_config; empty for ~/.ssh/config and /etc/ssh/ssh_config
	Sudo          bool     // run everything as root by sudo
	SudoPassword  secret.Value
	Jump          string // ProxyJump, "user@host:port,…"; empty for what ssh_config says
	MaxSessions   int    // commands at once on one connection; 0 for 8 (sshd allows 10)

	// docker
	DockerHost string  // DOCKER_HOST; empty for the environment's
	Via        *Target // an ssh host whose docker is meant; nil for this machine's

	// kubernetes
	Kubeconfig string // file; empty for $KUBECONFIG, ~/.kube/config, in-cluster
	Context    string // kubeconfig context; empty for the current one
	Namespace  string
}
