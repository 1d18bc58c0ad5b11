package pgo

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// kept is what a user's Secret holds.
type kept struct {
	found              bool
	password, verifier secret.Value
}

func readKept(ctx context.Context, client kubernetes.Interface, namespace, name string) (kept, error) {
	s, err := client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return kept{}, nil
	}
	if err != nil {
		return kept{}, secretRight(fmt.Errorf("read Secret %s in %s: %w", name, namespace, err))
	}
	return kept{true, secret.New(string(s.Data["password"])), secret.New(string(s.Data["verifier"]))}, nil
}

// patchKept changes keys of a Secret that is there, all in one write.
func patchKept(ctx context.Context, client kubernetes.Interface, namespace, name string, values map[string]secret.Value) error {
	data := map[string][]byte{}
	for key, value := range values {
		data[key] = []byte(value.Reveal())
	}
	patch, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Secrets(namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return secretRight(fmt.Errorf("write Secret %s in %s: %w", name, namespace, err))
	}
	return nil
}

// writeKept4 brings a user's Secret of PGO 4 to hold the password, and makes one
// as the operator does where there is none: the operator of 4.2 deletes it before
// it makes the new one, and may be stopped between the two.
func writeKept4(ctx context.Context, client kubernetes.Interface, namespace, name, cluster, user string, password secret.Value) error {
	fresh := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pg-cluster": cluster, "vendor": "crunchydata"}},
		Data:       map[string][]byte{"username": []byte(user), "password": []byte(password.Reveal())},
	}
	err := patchKept(ctx, client, namespace, name, map[string]secret.Value{"username": secret.New(user), "password": password})
	if !apierrors.IsNotFound(err) {
		return err
	}
	if _, err = client.CoreV1().Secrets(namespace).Create(ctx, fresh, metav1.CreateOptions{}); err != nil {
		return secretRight(fmt.Errorf("make Secret %s in %s: %w", name, namespace, err))
	}
	return nil
}

// secretRight names the right that is missing.
func secretRight(err error) error {
	if apierrors.IsForbidden(err) {
		return module.Explain(err, "give the kubeconfig's user the verbs get, patch and create on secrets in that namespace")
	}
	return err
}
