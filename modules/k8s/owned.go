package k8s

import (
	"encoding/json"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// settled reports that applying d would change nothing: antdbctl has applied
// just these fields before, still owns each of them, and each has still the
// value of d. It errs on the safe side: what it cannot tell (a quantity in
// another notation, stringData) is left to a dry run of the server.
func settled(d document, live *unstructured.Unstructured) bool {
	entries, _, _ := unstructured.NestedFieldNoCopy(live.Object, "metadata", "managedFields")
	for _, entry := range objectsIn(entries) {
		if entry["manager"] != manager || entry["operation"] != string(metav1.ManagedFieldsOperationApply) || entry["subresource"] != nil {
			continue
		}
		owned, ok := entry["fieldsV1"].(map[string]any)
		if !ok || entry["apiVersion"] != d.GetAPIVersion() {
			return false
		}
		wanted := d.DeepCopy().Object
		delete(wanted, "apiVersion")
		delete(wanted, "kind")
		if metadata, ok := wanted["metadata"].(map[string]any); ok {
			delete(metadata, "name") // what names the object belongs to nobody
			delete(metadata, "namespace")
			if len(metadata) == 0 {
				delete(wanted, "metadata")
			}
		}
		return same(wanted, live.Object, owned)
	}
	return false
}

// same compares one place of a document with the server's object, where owned
// says which fields below it are ours: {} for a leaf, else an entry for each
// field ("f:name"), element by key (`k:{"name":"web"}`) or element of a set
// ("v:…"), and "." for the place itself.
func same(wanted, live any, owned map[string]any) bool {
	if len(owned) == 0 {
		return wanted != nil && reflect.DeepEqual(wanted, live)
	}
	matched := 0
	for name, below := range owned {
		if name == "." {
			continue
		}
		below, ok := below.(map[string]any)
		if !ok {
			return false
		}
		want, have, ok := child(wanted, live, name)
		if !ok || !same(want, have, below) {
			return false
		}
		matched++
	}
	switch wanted := wanted.(type) {
	case map[string]any:
		return matched == len(wanted)
	case []any:
		return matched == len(wanted)
	}
	return false
}

// child is the part of both that an entry of owned names.
func child(wanted, live any, name string) (want, have any, ok bool) {
	kind, text, _ := strings.Cut(name, ":")
	if kind == "f" {
		w, ok1 := wanted.(map[string]any)
		h, ok2 := live.(map[string]any)
		if !ok1 || !ok2 {
			return nil, nil, false
		}
		want, ok1 = w[text]
		have, ok2 = h[text]
		return want, have, ok1 && ok2
	}
	var key any
	if json.Unmarshal([]byte(text), &key) != nil {
		return nil, nil, false
	}
	want, ok1 := element(wanted, key, true)
	have, ok2 := element(live, key, false)
	return want, have, ok1 && ok2
}

// element finds the one element of a list that has the key, or is it. loose
// lets an element lack a part of the key, which the server fills in.
func element(list, key any, loose bool) (found any, ok bool) {
	items, _ := list.([]any)
	for _, item := range items {
		if !hasKey(item, key, loose) {
			continue
		}
		if ok {
			return nil, false // several could be meant
		}
		found, ok = item, true
	}
	return found, ok
}

func hasKey(item, key any, loose bool) bool {
	parts, isMap := key.(map[string]any)
	if !isMap {
		return sameScalar(item, key)
	}
	fields, ok := item.(map[string]any)
	if !ok {
		return false
	}
	for name, value := range parts {
		given, found := fields[name]
		if !found && loose {
			continue
		}
		if !sameScalar(given, value) {
			return false
		}
	}
	return true
}

// sameScalar compares what stands in an object with what JSON made of a key:
// whole numbers are int64 there and float64 here.
func sameScalar(a, b any) bool {
	if n, ok := a.(int64); ok {
		a = float64(n)
	}
	return reflect.DeepEqual(a, b)
}
