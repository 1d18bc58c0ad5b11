package k8s

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// As a server of 1.34 answers after a server-side apply, without what it filled
// in elsewhere.
const livePod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"db","namespace":"default","labels":{"app":"antdb","other":"x"},"finalizers":["a.b/c"],
"managedFields":[
 {"manager":"kubelet","operation":"Update","apiVersion":"v1","subresource":"status","fieldsV1":{"f:status":{}}},
 {"manager":"antdbctl","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{
  "f:metadata":{"f:labels":{"f:app":{}},"f:finalizers":{"v:\"a.b/c\"":{}}},
  "f:spec":{"f:containers":{"k:{\"name\":\"database\"}":{".":{},"f:args":{},"f:image":{},"f:name":{},
    "f:ports":{"k:{\"containerPort\":5432,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}}]},
"spec":{"containers":[{"name":"sidecar","image":"s:1"},{"name":"database","image":"antdb-ha:1","args":["a","b"],"imagePullPolicy":"IfNotPresent",
 "ports":[{"containerPort":5432,"protocol":"TCP"}]}],"restartPolicy":"Always"}}`

const wantedPod = `
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: default, labels: {app: antdb}, finalizers: [a.b/c]}
spec: {containers: [{name: database, image: "antdb-ha:1", args: [a, b], ports: [{containerPort: 5432}]}]}
`

func TestWhatWasAppliedAndIsSoStillIsSettled(t *testing.T) {
	settledWith := func(manifest string, edit func(live *unstructured.Unstructured)) bool {
		var live unstructured.Unstructured
		require.NoError(t, live.UnmarshalJSON([]byte(livePod)))
		if edit != nil {
			edit(&live)
		}
		return settled(document{Unstructured: object(t, manifest)}, &live)
	}
	require.True(t, settledWith(wantedPod, nil))

	for name, manifest := range map[string]string{
		"a field more":               replaced(wantedPod, "labels: {app: antdb}", "labels: {app: antdb, tier: db}"),
		"a field less":               replaced(wantedPod, ", args: [a, b]", ""),
		"a field that is another's":  replaced(wantedPod, "app: antdb", "other: x"),
		"another value":              replaced(wantedPod, "antdb-ha:1", "antdb-ha:2"),
		"another atomic list":        replaced(wantedPod, "[a, b]", "[b, a]"),
		"another port":               replaced(wantedPod, "5432", "5433"),
		"another element of a set":   replaced(wantedPod, "a.b/c", "a.b/d"),
		"two ports where one is had": replaced(wantedPod, "[{containerPort: 5432}]", "[{containerPort: 5432}, {containerPort: 5432, protocol: UDP}]"),
		"a container more":           replaced(wantedPod, "containers: [", "containers: [{name: sidecar, image: \"s:1\"}, "),
	} {
		require.False(t, settledWith(manifest, nil), name)
	}
	for name, edit := range map[string]func(*unstructured.Unstructured){
		"changed by another since": func(o *unstructured.Unstructured) {
			_ = unstructured.SetNestedField(o.Object, "x", "metadata", "labels", "app")
		},
		"never applied": func(o *unstructured.Unstructured) { o.SetManagedFields(nil) },
		"applied in another version": func(o *unstructured.Unstructured) {
			fields := o.GetManagedFields()
			fields[1].APIVersion = "v2"
			o.SetManagedFields(fields)
		},
	} {
		require.False(t, settledWith(wantedPod, edit), name)
	}
}

func replaced(text, from, to string) string {
	out := strings.Replace(text, from, to, 1)
	if out == text {
		panic("the test replaces nothing: " + from)
	}
	return out
}
