package k8s

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseKeepsPlacesAndExpandsLists(t *testing.T) {
	docs, err := parse("site.yaml", `# head
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}
---
# nothing here
---
{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}}
`)
	require.NoError(t, err)
	var got []string
	for _, d := range docs {
		got = append(got, d.fault(errTest).Error())
	}
	require.Equal(t, []string{
		"site.yaml, document 1 (line 3), ConfigMap/a: test",
		"site.yaml, document 1 (line 3), ConfigMap/b: test",
		"site.yaml, document 2 (line 11), Secret/c: test",
	}, got)
}

type testError string

func (e testError) Error() string { return string(e) }

const errTest = testError("test")

func TestAllFaultsOfAManifestAreReportedAtOnce(t *testing.T) {
	_, err := parse("manifest", `apiVersion: v1
kind: ConfigMap
metadata: {}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: x}
data: {a: b
---
apiVersion: v1
kind: ConfigMap
kind: Secret
metadata: {name: x}
---
just text
---
kind: Pod
metadata: {name: x}
`)
	require.EqualError(t, err, `manifest, document 1 (line 1): the ConfigMap has no metadata.name
manifest, document 2 (line 5): line 8: did not find expected ',' or '}'
manifest, document 3 (line 10): line 12: key "kind" already set in map
manifest, document 4 (line 15): is no object: an object has apiVersion, kind and metadata
manifest, document 5 (line 17): has no apiVersion`)
	_, err = parse("manifest", "# nothing\n")
	require.EqualError(t, err, "manifest holds no object")
}

func TestListElementsAreComparedByNameUnlessNamesRepeat(t *testing.T) {
	named, repeated := map[string]string{}, map[string]string{}
	flatten(named, "", map[string]any{"env": []any{map[string]any{"name": "A", "value": "1"}}})
	require.Equal(t, map[string]string{".env[A].name": "A", ".env[A].value": "1"}, named)
	mount := map[string]any{"name": "data"}
	flatten(repeated, "", map[string]any{"mounts": []any{mount, mount}})
	require.Equal(t, map[string]string{".mounts[0].name": "data", ".mounts[1].name": "data"}, repeated)
}
