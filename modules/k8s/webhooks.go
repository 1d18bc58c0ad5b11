package k8s

import (
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// convertWebhooks writes down the defaults of the version that the manifest was
// written in, since the other has different ones.
func convertWebhooks(o *unstructured.Unstructured, _, to string, s skills) error {
	convert := func(hook map[string]any) error { return oldWebhook(hook, s) }
	if to == "admissionregistration.k8s.io/v1" {
		convert = newWebhook
	}
	for _, hook := range objectsIn(o.Object["webhooks"]) {
		if err := convert(hook); err != nil {
			return err
		}
	}
	return nil
}

func newWebhook(hook map[string]any) error {
	fill(hook, "failurePolicy", "Ignore")
	fill(hook, "matchPolicy", "Exact")
	fill(hook, "timeoutSeconds", int64(30))
	fill(hook, "admissionReviewVersions", []any{"v1beta1"})
	if effects, _ := hook["sideEffects"].(string); effects != "None" && effects != "NoneOnDryRun" {
		return errors.New("its webhooks must say sideEffects: None, or NoneOnDryRun")
	}
	return nil
}

// oldWebhook is for servers before 1.16, which ask in v1beta1 alone.
func oldWebhook(hook map[string]any, s skills) error {
	if asks, _ := hook["admissionReviewVersions"].([]any); len(asks) > 0 && !slices.Contains(asks, any("v1beta1")) {
		return errors.New("its webhooks do not understand AdmissionReview v1beta1, which is all that " + s.version + " sends")
	}
	fill(hook, "failurePolicy", "Fail")
	if s.atLeast(1, 14) {
		fill(hook, "timeoutSeconds", int64(10))
	}
	if s.atLeast(1, 15) {
		fill(hook, "matchPolicy", "Equivalent")
	} else {
		delete(hook, "admissionReviewVersions")
	}
	return nil
}

func fill(in map[string]any, field string, value any) {
	if in[field] == nil {
		in[field] = value
	}
}
