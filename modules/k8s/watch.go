package k8s

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// beat is how often to look when nothing is heard: time alone makes some states
// hopeless, and a watch may be forbidden or lost.
const beat = 2 * time.Second

// breath lets the changes that come with one another be one sign: a pod that
// starts changes five times in a moment.
const breath = 50 * time.Millisecond

// watch gives a sign when an object of the query, or a pod of the namespace,
// has changed, and at every beat, until ctx ends. It says nothing of what
// changed: who waits looks, so a missed sign costs no more than a beat.
func (c client) watch(ctx context.Context, m *meta.RESTMapping, q query) <-chan struct{} {
	signs := make(chan struct{}, 1)
	sign := func() {
		select {
		case signs <- struct{}{}:
		default: // one is waiting already
		}
	}
	options := metav1.ListOptions{LabelSelector: q.selector}
	if q.name != "" {
		options.FieldSelector = fields.OneTermEqualSelector("metadata.name", q.name).String()
	}
	go follow(ctx, c.of(m, c.namespace), options, sign)
	if m.GroupVersionKind.Kind != "Pod" && m.Scope.Name() == meta.RESTScopeNameNamespace {
		pods := c.Dynamic().Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(c.namespace)
		go follow(ctx, pods, metav1.ListOptions{}, sign)
	}
	go func() {
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				sign()
			case <-ctx.Done():
				return
			}
		}
	}()
	return signs
}

// follow signs at every event of a watch, and takes it up again when it ends.
func follow(ctx context.Context, objects dynamic.ResourceInterface, options metav1.ListOptions, sign func()) {
	for ctx.Err() == nil {
		if w, err := objects.Watch(ctx, options); err == nil {
			for range w.ResultChan() {
				sign()
			}
			w.Stop()
		}
		select {
		case <-time.After(beat):
		case <-ctx.Done():
		}
	}
}
