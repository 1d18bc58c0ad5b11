package pgo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// userPlace is where a user lives, and what is wanted of it.
type userPlace struct {
	way  way
	kube *kube.Cluster
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	logf func(format string, args ...any)
	pace time.Duration

	cluster, namespace, user, secret string

	password  secret.Value
	validDays int
}

// userState is what can be seen of a user at one moment.
type userState struct {
	kept  kept
	holds bool // the Secret holds the wanted password
	entry entry
	pod   *corev1.Pod // the primary's
}

// open finds the generation of the operator.
func (u *User) open(ctx context.Context, env *module.Env) (*userPlace, error) {
	cluster, err := kube.Of(env.Host)
	if err != nil {
		return nil, err
	}
	p := &userPlace{kube: cluster, dial: env.Dial, logf: env.Logf, pace: cmp.Or(u.pace, 500*time.Millisecond), cluster: u.Cluster, user: u.User,
		namespace: firstOf(u.Namespace, env.Target.Namespace, cluster.Namespace()), password: u.Password, validDays: u.ValidDays}
	if p.way, err = u.findWay(ctx, env, p); err != nil {
		return nil, err
	}
	p.secret = p.way.secretName(p.cluster, p.user)
	return p, nil
}

// findWay goes by what the API server has of that name.
func (u *User) findWay(ctx context.Context, env *module.Env, p *userPlace) (way, error) {
	old, noOld := p.resource(ctx, schema.GroupVersionResource{Group: groupV4, Version: "v1", Resource: "pgclusters"})
	if old != nil {
		return u.findWay4(env, p, old.GetLabels()["pgo-version"])
	}
	if noOld != nil && !apierrors.IsForbidden(noOld) { // forbidden may be a kind that does not even exist
		return nil, noOld
	}
	fresh, err := p.resource(ctx, schema.GroupVersionResource{Group: groupV5, Version: "v1beta1", Resource: "postgresclusters"})
	switch {
	case err != nil:
		return nil, errors.Join(noOld, err)
	case fresh == nil && noOld != nil:
		return nil, noOld
	case fresh == nil:
		return nil, module.At("cluster", module.Explain(fmt.Errorf("there is no cluster %s in %s", p.cluster, p.namespace),
			"make it first, by pgo.cluster; this step may refer to that one (cluster = step.NAME.name)"))
	case u.ValidDays > 0:
		return nil, module.At("valid_days", errors.New("the operator of PGO 5 and 6 knows no passwords that expire"))
	}
	return wayPostgresCluster{}, nil
}

// resource is one of the operator's; nil when it, or its whole kind, is not there.
func (p *userPlace) resource(ctx context.Context, kind schema.GroupVersionResource) (*unstructured.Unstructured, error) {
	o, err := p.kube.Dynamic().Resource(kind).Namespace(p.namespace).Get(ctx, p.cluster, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for %s %s in %s: %w", kind.Resource, p.cluster, p.namespace, err)
	}
	return o, nil
}

// findWay4 takes the apiserver where the step or the pgo client's settings lead
// to one.
func (u *User) findWay4(env *module.Env, p *userPlace, version string) (way, error) {
	access, getenv := API{Service: defaultService}, u.getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	switch {
	case u.API != nil:
		access = *u.API
	case getenv("PGO_APISERVER_URL") == "" && getenv("PGO_CA_CERT") == "":
		container := u.container
		if container == nil {
			container = func(ctx context.Context, pod string) (conn.Runner, error) {
				return p.kube.Container(ctx, p.namespace, pod, "database")
			}
		}
		return wayResource{container: container}, nil
	}
	a, err := access.open(env, getenv)
	minor, _ := minorOf4(version)
	return wayREST{api: a, minor: minor}, err
}

const defaultService = "postgres-operator.pgo:8443"

// look reads the Secret and tries the password at the primary.
func (p *userPlace) look(ctx context.Context) (*userState, error) {
	s := &userState{}
	var err error
	if s.kept, err = readKept(ctx, p.kube.Clientset(), p.namespace, p.secret); err != nil {
		return nil, err
	}
	if !s.kept.found && p.way.follows() {
		return nil, module.At("user", module.Explain(
			fmt.Errorf("the operator keeps no user %s of cluster %s: there is no Secret %s", p.user, p.cluster, p.secret),
			"name the user in spec.users of the PostgresCluster"))
	}
	s.holds = s.kept.password == p.password && (!p.way.follows() || verifies(s.kept.verifier, p.password))
	if s.pod, err = p.primary(ctx); err != nil {
		return nil, err
	}
	s.entry, err = p.knock(ctx, s.pod, p.password)
	return s, err
}

// primary is the one pod that leads and is ready.
func (p *userPlace) primary(ctx context.Context) (*corev1.Pod, error) {
	list, err := p.kube.Clientset().CoreV1().Pods(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: p.way.primary(p.cluster)})
	if err != nil {
		return nil, fmt.Errorf("list pods of cluster %s in %s: %w", p.cluster, p.namespace, err)
	}
	var leaders []*corev1.Pod
	for i := range list.Items {
		if pod := &list.Items[i]; pod.DeletionTimestamp == nil && kube.Ready(pod) {
			leaders = append(leaders, pod)
		}
	}
	if len(leaders) == 1 {
		return leaders[0], nil
	}
	return nil, &noPrimary{cluster: p.cluster, leaders: len(leaders), selector: p.way.primary(p.cluster)}
}

// noPrimary is a cluster without a leader, or with two: it may be one moment of
// a failover.
type noPrimary struct {
	cluster, selector string
	leaders           int
}

func (e *noPrimary) Error() string {
	return fmt.Sprintf("cluster %s has %d ready primaries (pods with %s), and its passwords are changed at the one", e.cluster, e.leaders, e.selector)
}

// knock tries a password at a pod.
func (p *userPlace) knock(ctx context.Context, pod *corev1.Pod, password secret.Value) (entry, error) {
	d := door{dial: p.dial, user: p.user, addr: fmt.Sprintf("pod/%s.%s:%d", pod.Name, pod.Namespace, databasePort(pod))}
	e, err := d.knock(ctx, password)
	if err != nil {
		return e, fmt.Errorf("pod %s: %w", pod.Name, err)
	}
	if e.admitted && e.asked == authNone {
		return e, module.At("password", module.Explain(
			fmt.Errorf("the password of %s cannot be proved: the server in pod %s lets everybody in from there (trust)", p.user, pod.Name),
			"write md5 or scram-sha-256 instead of trust for 127.0.0.1 in pg_hba"))
	}
	return e, nil
}

// databasePort is the first that the database container names.
func databasePort(pod *corev1.Pod) int32 {
	for _, c := range pod.Spec.Containers {
		if c.Name == "database" && len(c.Ports) > 0 {
			return c.Ports[0].ContainerPort
		}
	}
	return 5432
}

// settle waits until the Secret and the database agree on the wanted password
// and the old one is out. refusal is what the operator said, if it refused: what
// is there counts more.
func (p *userPlace) settle(ctx context.Context, old secret.Value, limit time.Duration, refusal error) error {
	started, refused := time.Now(), false
	for {
		s, err := p.look(ctx)
		if err == nil {
			if refusal != nil && !s.entry.admitted {
				return p.explain(refusal)
			}
			err = p.finish(ctx, s, old, &refused)
		}
		switch {
		case err == nil:
			if refusal != nil {
				p.logf("the password of %s is changed, though the apiserver said: %v", p.user, refusal)
			}
			return nil
		case !p.passes(err):
			return err
		case time.Since(started) > limit:
			return module.At("apply_timeout", fmt.Errorf("user %s of cluster %s, after %s: %w", p.user, p.cluster, limit, err))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stopped waiting for the password of %s: %w (%w)", p.user, context.Cause(ctx), err)
		case <-time.After(p.pace):
		}
	}
}

// errNotYet is a state that time alone may mend.
var errNotYet = errors.New("not yet")

func (p *userPlace) passes(err error) bool {
	return errors.Is(err, errNotYet) || errors.As(err, new(*noPrimary)) || passing(err)
}

// finish takes the last steps that are left, and says what is missing.
func (p *userPlace) finish(ctx context.Context, s *userState, old secret.Value, refused *bool) error {
	switch {
	case !s.entry.admitted && p.way.follows():
		return fmt.Errorf("%w: the Secret %s holds the password, and the operator has not brought the database after it (does it run?)", errNotYet, p.secret)
	case !s.entry.admitted && s.entry.asked == authSASL && p.way.generation() == "4.2 REST":
		return module.Explain(fmt.Errorf("the password of %s is changed and does not log in: PGO 4.2 keeps passwords as md5, and pg_hba wants scram-sha-256", p.user),
			"write md5 in pg_hba of the cluster")
	case !s.entry.admitted:
		return fmt.Errorf("%w: the database refuses the new password of %s", errNotYet, p.user)
	case !s.holds && p.way.follows():
		return fmt.Errorf("%w: the Secret %s does not hold the password", errNotYet, p.secret)
	case !s.holds:
		if err := writeKept4(ctx, p.kube.Clientset(), p.namespace, p.secret, p.cluster, p.user, p.password); err != nil {
			return err
		}
		return fmt.Errorf("%w: the Secret %s was just written", errNotYet, p.secret)
	case *refused || old.IsZero() || old == p.password:
		return nil
	}
	e, err := p.knock(ctx, s.pod, old)
	if err == nil && e.admitted {
		err = fmt.Errorf("%w: the old password of %s still logs in", errNotYet, p.user)
	}
	*refused = err == nil
	return err
}

// explain finds the reason behind a refusal.
func (p *userPlace) explain(err error) error {
	no := (*Refusal)(nil)
	if !errors.As(err, &no) {
		return err
	}
	for _, known := range []struct{ text, arg, remedy string }{
		{"unknown authentication response: 10", "api", "the apiserver of PGO 4.2 cannot log in where passwords are kept as SCRAM verifiers: " +
			"set password_encryption to md5 (patroni.config) and give postgres its password anew"},
		{"password authentication failed for user \"postgres\"", "api", "the Secret " + p.cluster + "-postgres-secret holds another password than postgres has: " +
			"write the true one there (a pgo.user step for postgres with that password does it), and apply again"},
		{"does not exist", "user", "the operator knows no such user: make it with pgo create user --managed, or keep it with sql.role"},
		{"is a system account", "user", "this version of PGO changes passwords of system accounts nowhere"},
		{"primary pod not found", "cluster", "wait until the cluster has a primary, and apply again"},
		{"is not part of the Operator installation", "namespace", "name the namespace that the operator manages"},
		{"is not allowed access to namespace", "namespace", "give the PGO user access to the namespace"},
		{"standby", "cluster", "change the password in the cluster that this one follows"},
	} {
		if strings.Contains(no.Msg, known.text) {
			return module.At(known.arg, module.Explain(err, known.remedy))
		}
	}
	return module.At("user", err)
}
