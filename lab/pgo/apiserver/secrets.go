package apiserver

import (
	"context"
	"crypto/rand"
	"math/big"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/sshkey"
)

// passwordLength is what was observed, although pgo.yaml says 8.
const passwordLength = 10

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// NewPassword returns n random letters: other characters break scripts that put passwords into SQL.
func NewPassword(n int) string {
	text := make([]byte, n)
	for i := range text {
		k, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			panic(err) // the system's random source is gone
		}
		text[i] = letters[k.Int64()]
	}
	return string(text)
}

// createUserSecrets makes the three Secrets of a new cluster. A root Secret that is there already means that the
// cluster comes back to kept data: nothing is made then.
func (s *Server) createUserSecrets(ctx context.Context, namespace, cluster, password string) error {
	_, err := s.Kube.CoreV1().Secrets(namespace).Get(ctx, crv1.RootSecret(cluster), metav1.GetOptions{})
	if err == nil {
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return err
	}
	for _, user := range []string{"postgres", "primaryuser", "testuser"} {
		text := password
		if text == "" {
			text = NewPassword(passwordLength)
		}
		if err := s.writeUserSecret(ctx, namespace, cluster, user, text); err != nil {
			return err
		}
	}
	return nil
}

// writeUserSecret deletes and creates, as the original does on a password change, so a watch sees both.
func (s *Server) writeUserSecret(ctx context.Context, namespace, cluster, user, password string) error {
	name := crv1.UserSecret(cluster, user)
	secrets := s.Kube.CoreV1().Secrets(namespace)
	if err := secrets.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	_, err := secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace,
			Labels: map[string]string{crv1.LabelCluster: cluster, crv1.LabelVendor: crv1.Vendor},
		},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{"username": []byte(user), "password": []byte(password)},
	}, metav1.CreateOptions{})
	return err
}

const sshdConfig = `Port 2022
HostKey /sshd/ssh_host_rsa_key
AuthorizedKeysFile /sshd/authorized_keys
PidFile none
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
`

// The host key is the same in all pods of a cluster; the image writes it into known_hosts under the alias.
const sshConfig = `Host *
Port 2022
User postgres
IdentityFile /.ssh/id_rsa
UserKnownHostsFile /.ssh/known_hosts
HostKeyAlias antdb-pods
StrictHostKeyChecking yes
ConnectTimeout 10
`

// createRepoSecret makes the key pair by which the database and the repository pods reach each other.
func (s *Server) createRepoSecret(ctx context.Context, namespace, cluster string) error {
	secrets := s.Kube.CoreV1().Secrets(namespace)
	_, err := secrets.Get(ctx, crv1.RepoSecret(cluster), metav1.GetOptions{})
	if err == nil {
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return err
	}
	// the file names say RSA, as the original's do, but ssh goes by the content
	clientKey, authorized, err := sshkey.New()
	if err != nil {
		return err
	}
	hostKey, _, err := sshkey.New()
	if err != nil {
		return err
	}
	_, err = secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: crv1.RepoSecret(cluster), Namespace: namespace,
			Labels: map[string]string{
				crv1.LabelCluster: cluster, crv1.LabelRepo: "true", crv1.LabelVendor: crv1.Vendor,
			},
		},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{
			"authorized_keys": authorized, "id_rsa": clientKey, "ssh_host_rsa_key": hostKey,
			"config": []byte(sshConfig), "sshd_config": []byte(sshdConfig),
			"aws-s3-ca.crt": {}, "aws-s3-credentials.yaml": {},
		},
	}, metav1.CreateOptions{})
	return err
}
