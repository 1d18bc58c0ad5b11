package kubetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
)

// put keeps an object under a new resourceVersion.
func (o *Old) put(key string, object map[string]any) {
	o.serial++
	metadata := object["metadata"].(map[string]any)
	metadata["resourceVersion"] = strconv.Itoa(o.serial)
	if metadata["uid"] == nil {
		metadata["uid"] = fmt.Sprintf("uid-%d", o.serial)
	}
	o.objects[key] = object
}

const unknownPatch = "the body of the request was in an unknown format - accepted media types include: " +
	"application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json"

func (o *Old) object(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, ok := o.find(r.URL.Path)
	if !ok {
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource", nil)
		return
	}
	live := o.objects[p.key()]
	if r.Method == http.MethodPatch && r.Header.Get("Content-Type") == string(types.ApplyPatchType) {
		refuse(w, http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType, unknownPatch, nil)
		return
	}
	absent := func() {
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("%s %q not found", p.resource, p.name), nil)
	}
	switch {
	case r.Method == http.MethodPost:
		o.create(w, r, p)
	case p.name == "":
		o.list(w, r, p)
	case live == nil:
		absent()
	case r.Method == http.MethodGet:
		answer(w, p, live)
	case r.Method == http.MethodPatch:
		o.patch(w, r, p, live)
	case r.Method == http.MethodDelete:
		delete(o.objects, p.key())
		answer(w, p, live)
	default:
		refuse(w, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, r.Method, nil)
	}
}

func (o *Old) create(w http.ResponseWriter, r *http.Request, p place) {
	object, err := decode(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error(), nil)
		return
	}
	if p.namespace != "" && o.objects["namespaces//"+p.namespace] == nil {
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("namespaces %q not found", p.namespace),
			&metav1.StatusDetails{Name: p.namespace, Kind: "namespaces"})
		return
	}
	made := unstructured.Unstructured{Object: object}
	if made.GetName() == "" {
		made.SetName(made.GetGenerateName() + "abcde")
	}
	p.name = made.GetName()
	if r.URL.Query().Get("dryRun") != "" {
		o.drop(object)
		answer(w, p, object)
		return
	}
	if p.kind == "CustomResourceDefinition" {
		o.define(object)
	}
	o.drop(object)
	o.put(p.key(), object)
	answer(w, p, object)
}

// decode reads JSON, or the protobuf that typed clients send of their kinds.
func decode(r *http.Request) (object map[string]any, err error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.Header.Get("Content-Type") != runtime.ContentTypeProtobuf {
		return object, json.Unmarshal(body, &object)
	}
	typed, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		return nil, err
	}
	return runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
}

func (o *Old) patch(w http.ResponseWriter, r *http.Request, p place, live map[string]any) {
	body, _ := io.ReadAll(r.Body)
	before, _ := json.Marshal(live)
	kind := types.PatchType(r.Header.Get("Content-Type"))
	var after map[string]any
	typed, err := scheme.Scheme.New(schema.FromAPIVersionAndKind(p.version, p.kind))
	switch {
	case kind == types.StrategicMergePatchType && err == nil:
		var raw []byte
		if raw, err = strategicpatch.StrategicMergePatch(before, body, typed); err == nil {
			err = json.Unmarshal(raw, &after)
		}
	case kind == types.MergePatchType:
		var patch map[string]any
		if err = json.Unmarshal(body, &patch); err == nil {
			err = json.Unmarshal(before, &after)
			merge(after, patch)
		}
	default:
		refuse(w, http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType, unknownPatch, nil)
		return
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error(), nil)
		return
	}
	o.drop(after)
	if r.URL.Query().Get("dryRun") == "" && !reflect.DeepEqual(o.plain(live), o.plain(after)) {
		o.put(p.key(), after)
	}
	answer(w, p, after)
}

// plain is an object as it went over the wire, so that numbers compare.
func (o *Old) plain(object map[string]any) (plain map[string]any) {
	raw, _ := json.Marshal(object)
	_ = json.Unmarshal(raw, &plain)
	return plain
}

func merge(into, patch map[string]any) {
	for key, value := range patch {
		inner, isMap := value.(map[string]any)
		have, hasMap := into[key].(map[string]any)
		switch {
		case value == nil:
			delete(into, key)
		case isMap && hasMap:
			merge(have, inner)
		default:
			into[key] = value
		}
	}
}

func (o *Old) drop(object map[string]any) {
	for _, path := range o.Drops {
		unstructured.RemoveNestedField(object, path...)
	}
}

func (o *Old) list(w http.ResponseWriter, r *http.Request, p place) {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error(), nil)
		return
	}
	var keys []string
	for key := range o.objects {
		if strings.HasPrefix(key, p.resource+"/"+p.namespace) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	items := []any{}
	for _, key := range keys {
		object := unstructured.Unstructured{Object: o.objects[key]}
		if selector.Matches(labels.Set(object.GetLabels())) {
			items = append(items, o.objects[key])
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": p.kind + "List", "apiVersion": p.version,
		"metadata": map[string]any{"resourceVersion": strconv.Itoa(o.serial)}, "items": items})
}

func answer(w http.ResponseWriter, p place, object map[string]any) {
	object["apiVersion"], object["kind"] = p.version, p.kind
	_ = json.NewEncoder(w).Encode(object)
}

func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason, message string, details *metav1.StatusDetails) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Message: message, Reason: reason, Code: int32(code), Details: details})
}
