// Package kube is the door to a Kubernetes cluster and to the containers of
// its pods: exec, files and port-forwards over the API server, which needs
// neither a route to the pods nor anything but a POSIX sh inside them.
package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	apiversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/engine/conn"
)

// Cluster is the Host of a Kubernetes target. It runs no commands: those run
// in the containers of pods. It is safe for concurrent use, and its clients are
// made once.
type Cluster struct {
	name      string
	namespace string
	config    *rest.Config
	version   *version.Version // nil when the server keeps it to itself

	clientset *kubernetes.Clientset
	dynamic   *dynamic.DynamicClient
	kinds     *kinds

	// spdy is set once the server, or a proxy before it, has refused a
	// WebSocket: the next command need not ask again.
	spdy atomic.Bool

	through Through
}

// Through is how what goes between antdbctl and a cluster passes other hands,
// which note it or answer it. Nil fields let it pass.
type Through struct {
	// Transport wraps the one that requests to the API server take. Commands
	// and port-forwards do not.
	Transport func(http.RoundTripper) http.RoundTripper
	// Container wraps the Host of every container that is opened.
	Container func(namespace, pod, name string, h conn.Host) conn.Host
}

// OpenThrough is Open by way of what through gives for a target. All is spoken
// in JSON then.
func OpenThrough(through func(t conn.Target) Through) conn.Opener {
	return func(ctx context.Context, t conn.Target, s conn.Settings, _ conn.Dialer) (conn.Host, error) {
		config, namespace, err := configOf(t, s)
		if err != nil {
			return nil, err
		}
		return NewThrough(ctx, t.String(), config, namespace, through(t))
	}
}

// NewThrough is New by way of through.
func NewThrough(ctx context.Context, name string, config *rest.Config, namespace string, through Through) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	if through.Transport != nil {
		config.Wrap(through.Transport)
	}
	return connect(ctx, &Cluster{name: name, namespace: namespace, config: config, through: through})
}

// Open is the conn.Opener of Kubernetes targets. It asks the API server for its
// version, so that a cluster that cannot be reached fails here.
func Open(ctx context.Context, t conn.Target, s conn.Settings, _ conn.Dialer) (conn.Host, error) {
	config, namespace, err := configOf(t, s)
	if err != nil {
		return nil, err
	}
	return New(ctx, t.String(), config, namespace)
}

// configOf says how to reach t, and the namespace that is meant.
func configOf(t conn.Target, s conn.Settings) (*rest.Config, string, error) {
	config, namespace, err := load(s)
	if err != nil {
		u := &conn.Unreachable{Err: err, Hint: "give the target block a kubeconfig and, where it has several, a context"}
		errors.As(err, &u)
		u.Target = t.String()
		return nil, "", u
	}
	return config, orElse(t.Namespace, namespace), nil
}

// New connects to the cluster that config describes. namespace is where steps
// work that name none.
func New(ctx context.Context, name string, config *rest.Config, namespace string) (*Cluster, error) {
	return connect(ctx, &Cluster{name: name, namespace: namespace, config: config})
}

func connect(ctx context.Context, c *Cluster) (*Cluster, error) {
	tune()
	config := c.config
	var err error
	if c.clientset, err = kubernetes.NewForConfig(config); err != nil {
		return nil, c.unreachable(err)
	}
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, c.unreachable(err)
	}
	if c.version, err = askVersion(ctx, c.clientset); err != nil {
		return nil, c.unreachable(err)
	}
	c.kinds = newKinds(c.clientset.Discovery(), !c.AtLeast(1, 30))
	c.spdy.Store(!c.AtLeast(1, 30)) // before, commands go over SPDY alone
	return c, nil
}

// askVersion gives nil, and no error, when the server hides its version from
// this user: it has been reached, which is what matters.
func askVersion(ctx context.Context, client *kubernetes.Clientset) (*version.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	raw, err := client.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var info apiversion.Info
	if err := json.Unmarshal(raw, &info); err != nil {
		return nil, fmt.Errorf("the answer is not that of a Kubernetes API server: %w", err)
	}
	v, err := version.ParseGeneric(info.GitVersion)
	if err != nil {
		return nil, fmt.Errorf("the server calls its version %q: %w", info.GitVersion, err)
	}
	return v, nil
}

// Namespace is where steps work that name no other.
func (c *Cluster) Namespace() string { return c.namespace }

// REST is how to connect to the API server. Callers copy it before they change it.
func (c *Cluster) REST() *rest.Config { return c.config }

// Clientset speaks to the kinds that Kubernetes brings along.
func (c *Cluster) Clientset() *kubernetes.Clientset { return c.clientset }

// Dynamic speaks to every kind.
func (c *Cluster) Dynamic() *dynamic.DynamicClient { return c.dynamic }

// Version is the server's; ok is false when it hides its version.
func (c *Cluster) Version() (v *version.Version, ok bool) { return c.version, c.version != nil }

// AtLeast reports whether the server is of that version or newer. A server that
// hides its version counts as new.
func (c *Cluster) AtLeast(major, minor uint) bool {
	return c.version == nil || c.version.AtLeast(version.MajorMinor(major, minor))
}

// Mapper finds how the server calls a kind, short names ("deploy") among them.
// It keeps what it learned; Reset makes it look again, after a
// CustomResourceDefinition has come.
func (c *Cluster) Mapper() meta.ResettableRESTMapper { return c.kinds }

// Silent are the API groups, with their version, that the server announces and
// that do not answer: an error about an unknown kind is worth their mention.
func (c *Cluster) Silent() []string { return c.kinds.silent() }

// Run is not supported: a cluster is no place for commands.
func (c *Cluster) Run(context.Context, conn.Cmd) (conn.Result, error) {
	return conn.Result{}, conn.NotSupported(c.name, "a cluster runs no commands; point the step at a container of a pod")
}

// Files are not supported.
func (c *Cluster) Files() (conn.Files, error) {
	return nil, conn.NotSupported(c.name, "a cluster keeps no files; point the step at a container of a pod")
}

// Close drops idle connections.
func (c *Cluster) Close() error {
	if client, ok := c.clientset.CoreV1().RESTClient().(*rest.RESTClient); ok && client.Client != nil {
		client.Client.CloseIdleConnections()
	}
	return nil
}

func (c *Cluster) unreachable(err error) error { return unreachable(c.name, c.config, err) }

// Of finds the Cluster behind a Host.
func Of(h conn.Host) (*Cluster, error) {
	c, ok := conn.As[*Cluster](h)
	if !ok {
		return nil, errors.New("this step works on a kubernetes target")
	}
	return c, nil
}
