package pgcluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"math/big"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/sshkey"
)

const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789()*+,-./:;<=>?@[]^_{|}"

// newPassword returns 24 characters, as the original does: not only letters any more.
func newPassword() (string, error) {
	text := make([]byte, 24)
	for i := range text {
		k, err := rand.Int(rand.Reader, big.NewInt(int64(len(characters))))
		if err != nil {
			return "", err
		}
		text[i] = characters[k.Int64()]
	}
	return string(text), nil
}

// ensureUsers makes the Secrets of the three users that are missing: those that somebody made before are left alone.
func (o *Operator) ensureUsers(ctx context.Context, c *Cluster) error {
	for _, user := range []string{"postgres", "primaryuser", cmp.Or(c.Spec.User, "testuser")} {
		_, err := o.Kube.CoreV1().Secrets(c.Namespace).Get(ctx, crv1.UserSecret(c.Name, user), metav1.GetOptions{})
		if err == nil {
			continue
		}
		if !apierrors.IsNotFound(err) {
			return err
		}
		password, err := newPassword()
		if err != nil {
			return err
		}
		_, err = o.Kube.CoreV1().Secrets(c.Namespace).Create(ctx, userSecret(c.Namespace, c.Name, user, password), metav1.CreateOptions{})
		if keepExisting(err) != nil {
			return err
		}
	}
	return nil
}

func userSecret(namespace, cluster, user, password string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: crv1.UserSecret(cluster, user), Namespace: namespace,
			Labels: map[string]string{crv1.LabelCluster: cluster, crv1.LabelVendor: crv1.Vendor},
		},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{"username": []byte(user), "password": []byte(password)},
	}
}

const sshdConfig = `Port 2022
HostKey /sshd/ssh_host_ed25519_key
AuthorizedKeysFile /sshd/authorized_keys
PidFile none
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
`

// The host key is the same in all pods of a cluster; the image writes it into known_hosts under the alias, where the
// original checks none.
const sshConfig = `Host *
	Port 2022
	User postgres
	IdentityFile /tmp/id_ed25519
	UserKnownHostsFile /tmp/known_hosts
	HostKeyAlias antdb-pods
	StrictHostKeyChecking yes
	ConnectTimeout 10
`

// ensureRepoSecret makes the key pair by which the database and the repository pods reach each other.
func (o *Operator) ensureRepoSecret(ctx context.Context, c *Cluster) error {
	secrets := o.Kube.CoreV1().Secrets(c.Namespace)
	found, err := secrets.Get(ctx, crv1.RepoSecret(c.Name), metav1.GetOptions{})
	if err == nil && len(found.Data["id_ed25519"]) > 0 || err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	client, authorized, err := sshkey.New()
	if err != nil {
		return err
	}
	host, _, err := sshkey.New()
	if err != nil {
		return err
	}
	wanted := repoSecret(c)
	for key, value := range map[string][]byte{
		"authorized_keys": authorized, "id_ed25519": client, "ssh_host_ed25519_key": host,
		"config": []byte(sshConfig), "sshd_config": []byte(sshdConfig), "aws-s3-ca.crt": []byte("none in the lab\n"),
	} {
		wanted.Data[key] = value
	}
	if found != nil && found.Name != "" { // the apiserver's beginning of it
		for key, value := range found.Data {
			wanted.Data[key] = value
		}
		_, err = secrets.Update(ctx, wanted, metav1.UpdateOptions{})
		return err
	}
	_, err = secrets.Create(ctx, wanted, metav1.CreateOptions{})
	return err
}

func repoSecret(c *Cluster) *corev1.Secret {
	s := &corev1.Secret{
		ObjectMeta: meta(c, crv1.RepoSecret(c.Name), crv1.LabelRepo, "true"), Type: corev1.SecretTypeOpaque, Data: map[string][]byte{},
	}
	s.Annotations = map[string]string{
		"gcs-bucket": "", "gcs-endpoint": "", "gcs-key-type": c.Spec.BackrestGCSKeyType, "pg-port": cmp.Or(c.Spec.Port, "5432"),
		"repo-path": "/backrestrepo/" + crv1.RepoName(c.Name), "s3-bucket": "", "s3-endpoint": "", "s3-region": "", "s3-uri-style": "",
		"s3-verify-tls": "true", "sshd-port": "2022", "supplemental-groups": "",
	}
	return s
}
