package postgrescluster

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/scram"
)

// rootSecret has the namespace's authority. All clusters own it together, so it goes with the last one.
const rootSecret = "pgo-root-cacert"

func (r *Reconciler) authority(ctx context.Context, c *Cluster) (authority, error) {
	secrets := r.Kube.CoreV1().Secrets(c.Namespace)
	found, err := secrets.Get(ctx, rootSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		a, key, err := newAuthority(r.Now())
		if err != nil {
			return authority{}, err
		}
		_, err = secrets.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: rootSecret, Namespace: c.Namespace, OwnerReferences: []metav1.OwnerReference{ownerOf(c, false)}},
			Type:       corev1.SecretTypeOpaque, Data: map[string][]byte{"root.crt": a.text, "root.key": key},
		}, metav1.CreateOptions{})
		return a, err
	}
	if err != nil {
		return authority{}, err
	}
	if !slices.ContainsFunc(found.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == c.UID }) {
		found.OwnerReferences = append(found.OwnerReferences, ownerOf(c, false))
		if _, err := secrets.Update(ctx, found, metav1.UpdateOptions{}); err != nil {
			return authority{}, err
		}
	}
	return loadAuthority(pair{cert: found.Data["root.crt"], key: found.Data["root.key"]})
}

// forgetAuthority takes the cluster from the owners of the namespace's authority.
func (r *Reconciler) forgetAuthority(ctx context.Context, c *Cluster) error {
	secrets := r.Kube.CoreV1().Secrets(c.Namespace)
	found, err := secrets.Get(ctx, rootSecret, metav1.GetOptions{})
	if err != nil {
		return ignoreMissing(err)
	}
	found.OwnerReferences = slices.DeleteFunc(found.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == c.UID })
	if len(found.OwnerReferences) == 0 {
		return ignoreMissing(secrets.Delete(ctx, rootSecret, metav1.DeleteOptions{}))
	}
	_, err = secrets.Update(ctx, found, metav1.UpdateOptions{})
	return err
}

// ensure makes the Secret that is missing; what is in one that is there stays.
func (r *Reconciler) ensure(ctx context.Context, c *Cluster, name string, labels map[string]string, fill func() (map[string][]byte, error)) error {
	secrets := r.Kube.CoreV1().Secrets(c.Namespace)
	_, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		return err
	}
	data, err := fill()
	if err != nil {
		return fmt.Errorf("secret %s: %w", name, err)
	}
	_, err = secrets.Create(ctx, secret(c, name, labels, data), metav1.CreateOptions{})
	return err
}

// dnsNames are the forms of one name, the full one with and without its last dot.
func dnsNames(c *Cluster, host string) []string {
	full := host + "." + c.Namespace + ".svc"
	return []string{full + ".cluster.local.", full + ".cluster.local", full, host + "." + c.Namespace, host}
}

func (r *Reconciler) makeSecrets(ctx context.Context, c *Cluster, instances []instance) error {
	a, err := r.authority(ctx, c)
	if err != nil {
		return err
	}
	leaf := func(labels map[string]string, name, commonName string, names ...string) error {
		return r.ensure(ctx, c, name, labels, func() (map[string][]byte, error) {
			p, err := a.issue(r.Now(), commonName, names...)
			return map[string][]byte{"ca.crt": a.text, "tls.crt": p.cert, "tls.key": p.key}, err
		})
	}
	names := append(dnsNames(c, primaryService(c)), dnsNames(c, c.Name+"-replicas")...)
	if err := leaf(map[string]string{LabelCertificate: "postgres-tls"}, c.Name+"-cluster-cert", names[0], names...); err != nil {
		return err
	}
	if err := leaf(map[string]string{LabelCertificate: "replication-client-tls"}, c.Name+"-replication-cert", replicator); err != nil {
		return err
	}
	labels := map[string]string{LabelBackRest: "", LabelBackRestConfig: ""}
	err = r.ensure(ctx, c, c.Name+"-pgbackrest", labels, func() (map[string][]byte, error) { return r.backRestCertificates(c, a) })
	if err != nil {
		return err
	}
	for _, i := range instances {
		err := r.ensure(ctx, c, i.name+"-certs", instanceLabels(i.name, i.set.name), func() (map[string][]byte, error) {
			return r.instanceCertificates(c, a, i.name)
		})
		if err != nil {
			return err
		}
	}
	return r.makeUserSecrets(ctx, c)
}

func (r *Reconciler) backRestCertificates(c *Cluster, a authority) (map[string][]byte, error) {
	client, err := a.issue(r.Now(), clientName(c))
	if err != nil {
		return nil, err
	}
	names := dnsNames(c, repoHost(c)+"-0."+podsService(c))
	server, err := a.issue(r.Now(), names[0], names...)
	return map[string][]byte{
		"pgbackrest-client.crt": client.cert, "pgbackrest-client.key": client.key, "pgbackrest.ca-roots": a.text,
		"pgbackrest-repo-host.crt": server.cert, "pgbackrest-repo-host.key": server.key,
	}, err
}

func (r *Reconciler) instanceCertificates(c *Cluster, a authority, name string) (map[string][]byte, error) {
	names := dnsNames(c, name+"-0."+podsService(c))
	p, err := a.issue(r.Now(), names[0], names...)
	return map[string][]byte{
		"dns.crt": p.cert, "dns.key": p.key, "patroni.ca-roots": a.text, "patroni.crt-combined": p.combined(),
		"pgbackrest-server.crt": p.cert, "pgbackrest-server.key": p.key,
	}, err
}

// users are the wished ones; without any wish, one that is called like the cluster.
func users(c *Cluster) []User {
	if c.Spec.Users == nil {
		return []User{{Name: c.Name, Databases: []string{c.Name}}}
	}
	return c.Spec.Users
}

func databases(c *Cluster) []string {
	var out []string
	for _, u := range users(c) {
		out = append(out, u.Databases...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// makeUserSecrets fills what is missing: no password, a new one; no verifier, that of the password. So a password is
// changed by writing it and emptying the verifier, or by emptying both.
func (r *Reconciler) makeUserSecrets(ctx context.Context, c *Cluster) error {
	for _, u := range users(c) {
		found, err := r.Kube.CoreV1().Secrets(c.Namespace).Get(ctx, userSecret(c, u.Name), metav1.GetOptions{})
		if ignoreMissing(err) != nil {
			return err
		}
		data, err := userData(c, u, found.Data)
		if err != nil {
			return fmt.Errorf("secret %s: %w", userSecret(c, u.Name), err)
		}
		labels := map[string]string{LabelUser: u.Name, LabelRole: "pguser"}
		if err := r.apply(ctx, secret(c, userSecret(c, u.Name), labels, data)); err != nil {
			return err
		}
	}
	return nil
}

func userData(c *Cluster, u User, have map[string][]byte) (map[string][]byte, error) {
	password, proof := string(have["password"]), string(have["verifier"])
	characters := ascii
	if u.Password != nil && u.Password.Type == "AlphaNumeric" {
		characters = alphaNumeric
	}
	var err error
	if password == "" {
		proof = ""
		if password, err = newPassword(characters); err != nil {
			return nil, err
		}
	}
	if proof == "" {
		if proof, err = scram.Verifier(password); err != nil {
			return nil, err
		}
	}
	host, port := primaryService(c)+"."+c.Namespace+".svc", fmt.Sprint(c.Spec.Port)
	data := map[string][]byte{
		"host": []byte(host), "port": []byte(port), "user": []byte(u.Name), "password": []byte(password), "verifier": []byte(proof),
	}
	if len(u.Databases) > 0 {
		db := u.Databases[0]
		query := url.Values{"user": {u.Name}, "password": {password}}
		data["dbname"] = []byte(db)
		data["uri"] = []byte((&url.URL{Scheme: "postgresql", User: url.UserPassword(u.Name, password), Host: host + ":" + port, Path: db}).String())
		data["jdbc-uri"] = []byte("jdbc:" + (&url.URL{
			Scheme: "postgresql", Host: host + ":" + port, Path: db, RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20"),
		}).String())
	}
	return data, nil
}

// verifiers are what the users' Secrets hold, by user.
func (r *Reconciler) verifiers(ctx context.Context, c *Cluster) (map[string]string, error) {
	out := map[string]string{}
	for _, u := range users(c) {
		found, err := r.Kube.CoreV1().Secrets(c.Namespace).Get(ctx, userSecret(c, u.Name), metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		out[u.Name] = string(found.Data["verifier"])
	}
	return out, nil
}
