package k8s

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
)

// on are the skills of a server of version 1.minor.
func on(minor uint) skills {
	return skills{version: "it", atLeast: func(_, m uint) bool { return minor >= m }}
}

// object reads the one object of a manifest.
func object(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	docs, err := parse("test", manifest)
	require.NoError(t, err)
	require.Len(t, docs, 1)
	return docs[0].Unstructured
}

func TestADefinitionKeepsItsMeaningThere(t *testing.T) {
	old := object(t, `
apiVersion: apiextensions.k8s.io/v1beta1
kind: CustomResourceDefinition
metadata: {name: x}
spec:
  group: antdb.test
  version: v1
  names: {plural: xs, kind: X}
  subresources: {status: {}}
  conversion: {strategy: Webhook, webhookClientConfig: {url: "https://x"}, conversionReviewVersions: [v1beta1]}
  validation: {openAPIV3Schema: {properties: {spec: {properties: {n: {type: integer}, list: {items: {type: string}}, any: {}, map: {type: object, additionalProperties: {type: string}}}}}}}
`)
	require.NoError(t, convertDefinition(old, "", definitionV1, on(34)))
	want := object(t, `
apiVersion: apiextensions.k8s.io/v1beta1
kind: CustomResourceDefinition
metadata: {name: x}
spec:
  group: antdb.test
  scope: Namespaced
  names: {plural: xs, kind: X}
  conversion: {strategy: Webhook, webhook: {clientConfig: {url: "https://x"}, conversionReviewVersions: [v1beta1]}}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        x-kubernetes-preserve-unknown-fields: true
        properties:
          spec:
            type: object
            x-kubernetes-preserve-unknown-fields: true
            properties:
              n: {type: integer}
              list: {type: array, items: {type: string}}
              any: {x-kubernetes-preserve-unknown-fields: true}
              map: {type: object, additionalProperties: {type: string}}
`)
	require.Equal(t, want.Object["spec"], old.Object["spec"])

	pruning := object(t, "apiVersion: apiextensions.k8s.io/v1beta1\nkind: CustomResourceDefinition\nmetadata: {name: x}\nspec: {preserveUnknownFields: false, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {a: {type: object}}}}}]}\n")
	require.NoError(t, convertDefinition(pruning, "", definitionV1, on(34)))
	require.Equal(t, map[string]any{"type": "object", "properties": map[string]any{"a": map[string]any{"type": "object"}}},
		objectsIn(pruning.Object["spec"].(map[string]any)["versions"])[0]["schema"].(map[string]any)["openAPIV3Schema"])
}

func TestADefinitionConvertedByAWebhookNeedsAServerThatCallsIt(t *testing.T) {
	manifest := `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: x}
spec:
  conversion: {strategy: Webhook, webhook: {clientConfig: {url: "https://x"}, conversionReviewVersions: [v1beta1]}}
  versions: [{name: v1, schema: {openAPIV3Schema: {type: object}}}, {name: v2, schema: {openAPIV3Schema: {type: object, description: other}}}]
`
	require.ErrorContains(t, convertDefinition(object(t, manifest), "", "apiextensions.k8s.io/v1beta1", on(13)), "differ in their schema")
	o := object(t, manifest)
	require.NoError(t, convertDefinition(o, "", "apiextensions.k8s.io/v1beta1", on(15)))
	spec := o.Object["spec"].(map[string]any)
	require.Equal(t, map[string]any{"strategy": "Webhook", "webhookClientConfig": map[string]any{"url": "https://x"},
		"conversionReviewVersions": []any{"v1beta1"}}, spec["conversion"])
	require.Contains(t, objectsIn(spec["versions"])[1], "schema")
	require.NotContains(t, spec, "validation")
}

func TestWebhooksKeepTheDefaultsOfTheirVersion(t *testing.T) {
	manifest := "apiVersion: admissionregistration.k8s.io/%s\nkind: ValidatingWebhookConfiguration\nmetadata: {name: x}\nwebhooks: [{name: a.b.c, sideEffects: None}]\n"
	for minor, want := range map[uint]map[string]any{
		13: {"name": "a.b.c", "sideEffects": "None", "failurePolicy": "Fail"},
		15: {"name": "a.b.c", "sideEffects": "None", "failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": int64(10)},
	} {
		o := object(t, manifest)
		require.NoError(t, convertWebhooks(o, "", "admissionregistration.k8s.io/v1beta1", on(minor)))
		require.Equal(t, want, objectsIn(o.Object["webhooks"])[0])
	}
	o := object(t, manifest)
	objectsIn(o.Object["webhooks"])[0]["admissionReviewVersions"] = []any{"v1"}
	require.ErrorContains(t, convertWebhooks(o, "", "admissionregistration.k8s.io/v1beta1", on(13)), "do not understand AdmissionReview v1beta1")
	o = object(t, manifest)
	require.NoError(t, convertWebhooks(o, "", "admissionregistration.k8s.io/v1", on(34)))
	require.Equal(t, "Ignore", objectsIn(o.Object["webhooks"])[0]["failurePolicy"])
	delete(objectsIn(o.Object["webhooks"])[0], "sideEffects")
	require.ErrorContains(t, convertWebhooks(o, "", "admissionregistration.k8s.io/v1", on(34)), "must say sideEffects")
}

func TestAnOldWorkloadIsRolledAsItWas(t *testing.T) {
	o := object(t, "apiVersion: extensions/v1beta1\nkind: DaemonSet\nmetadata: {name: x}\nspec: {templateGeneration: 3, template: {metadata: {labels: {a: b}}}}\n")
	require.NoError(t, convertWorkload(o, "extensions/v1beta1", "apps/v1", on(34)))
	require.Equal(t, map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"a": "b"}}, "updateStrategy": map[string]any{"type": "OnDelete"},
		"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"a": "b"}}}}, o.Object["spec"])
	o = object(t, "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: x}\nspec: {template: {}}\n")
	require.ErrorContains(t, convertWorkload(o, "extensions/v1beta1", "apps/v1", on(34)), "neither spec.selector nor labels")
}

func TestAnIngressGoesThereAndBack(t *testing.T) {
	const newest, oldest = "networking.k8s.io/v1", "extensions/v1beta1"
	manifest := `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: x}
spec:
  defaultBackend: {service: {name: web, port: {name: http}}}
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
`
	o := object(t, manifest)
	require.NoError(t, convertIngress(o, newest, oldest, on(17)))
	require.NotContains(t, o.Object["spec"], "defaultBackend")
	require.NoError(t, convertIngress(o, oldest, newest, on(34)))
	require.Equal(t, object(t, manifest).Object, o.Object)
}

// The kinds of the table exist on every old server in one of their versions,
// except those that came later as a whole.
func TestEveryLineageReachesTheOldServers(t *testing.T) {
	later := map[string]string{"CSIDriver": "1.14", "CSINode": "1.14", "RuntimeClass": "1.14", "IngressClass": "1.18"}
	for _, version := range olds {
		c := client{Cluster: kubetest.StartOld(t, version).Cluster(t), classic: new(bool), asked: new(bool)}
		for _, line := range lineages {
			for _, kind := range line.kinds {
				o := object(t, "apiVersion: "+line.versions[0]+"\nkind: "+kind+"\nmetadata: {name: x}\nspec: {versions: []}\n")
				d, m, _, err := c.negotiate(document{Unstructured: o})
				if later[kind] > version {
					require.Error(t, err, kind)
					continue
				}
				require.NoError(t, err, kind)
				require.Equal(t, m.GroupVersionKind, d.GroupVersionKind())
				require.Contains(t, line.versions, d.GetAPIVersion())
			}
		}
	}
}
