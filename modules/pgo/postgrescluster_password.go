package pgo

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// firstPassword makes the Secret of the first user before the cluster: the
// operator takes up the password in it, where it finds one, and adds the rest.
// A Secret that is there, of an earlier cluster, keeps its password: the data
// that is taken up with it has that one.
func (d *postgresDriver) firstPassword(ctx context.Context, env *module.Env, c *Cluster) error {
	user := d.name
	if u := c.postgresUser(); u != nil {
		user = u.Name
	}
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: d.names.user(user), Namespace: d.namespace, Labels: map[string]string{
			postgresLabel: d.name, postgresUserLabel: user, postgresRole: "pguser"}},
		Data: map[string][]byte{"password": []byte(c.Password.Reveal())},
	}
	_, err := d.kube.Clientset().CoreV1().Secrets(d.namespace).Create(ctx, s, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		env.Logf("Secret %s is there from before, and keeps its password", s.Name)
		return nil
	}
	if err != nil {
		return module.At("password", fmt.Errorf("make Secret %s for the first password: %w", s.Name, err))
	}
	return nil
}
