package k8s

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/adbsql/antdbctl/engine/secret"
)

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// visible is o without what a runbook has no use for, and without what a
// Secret keeps: its values must not come to be in a plain string.
func visible(o *unstructured.Unstructured) map[string]any {
	o = o.DeepCopy()
	unstructured.RemoveNestedField(o.Object, "metadata", "managedFields")
	unstructured.RemoveNestedField(o.Object, "metadata", "annotations", lastApplied)
	if isSecret(o) {
		for _, field := range []string{"data", "stringData"} {
			values, _, _ := unstructured.NestedMap(o.Object, field)
			for name := range values {
				values[name] = secret.Hidden
			}
			if values != nil {
				o.Object[field] = values
			}
		}
	}
	return o.Object
}

func isSecret(o *unstructured.Unstructured) bool {
	return o.GetKind() == "Secret" && o.GroupVersionKind().Group == ""
}

// value is o for expressions.
func value(o *unstructured.Unstructured) (cty.Value, error) {
	raw, err := json.Marshal(visible(o))
	if err != nil {
		return cty.NilVal, fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
	}
	ty, err := ctyjson.ImpliedType(raw)
	if err != nil {
		return cty.NilVal, fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return ctyjson.Unmarshal(raw, ty)
}

// values are objects for expressions: a tuple, since they differ in shape.
func values(objects []unstructured.Unstructured) (cty.Value, error) {
	all := make([]cty.Value, len(objects))
	for i := range objects {
		v, err := value(&objects[i])
		if err != nil {
			return cty.NilVal, err
		}
		all[i] = v
	}
	return cty.TupleVal(all), nil
}

// secrets are the decoded values of a Secret; none for other kinds.
func secrets(o *unstructured.Unstructured) (map[string]secret.Value, error) {
	if !isSecret(o) {
		return nil, nil
	}
	data, _, err := unstructured.NestedStringMap(o.Object, "data")
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", o.GetName(), err)
	}
	out := map[string]secret.Value{}
	for name, text := range data {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("secret %s, key %s: %w", o.GetName(), name, err)
		}
		out[name] = secret.New(string(raw))
	}
	return out, nil
}
