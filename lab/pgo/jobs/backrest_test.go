package jobs_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/adbsql/antdbctl/lab/pgo/jobs"
)

func TestBackrestFailsAtOnce(t *testing.T) {
	kube := fake.NewSimpleClientset(&corev1.Pod{ObjectMeta: named("repo")})
	stanza := jobs.Backrest{Namespace: "pgouser1", RepoPod: "repo", Command: "stanza-create", Host: "10.0.0.1"}
	require.ErrorContains(t, stanza.Run(t.Context(), jobs.Exec{Kube: kube}, io.Discard),
		"pod repo does not have a host assigned")
	stanza.Host = ""
	require.ErrorContains(t, stanza.Run(t.Context(), jobs.Exec{Kube: kube}, io.Discard), "no ready primary")
	stanza.Host, stanza.RepoPod = "10.0.0.1", "gone"
	require.ErrorContains(t, stanza.Run(t.Context(), jobs.Exec{Kube: kube}, io.Discard), `"gone" not found`)
}
