package k8s

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// subject is a document as the cluster takes it, and what the cluster has of it.
type subject struct {
	document
	mapping *meta.RESTMapping          // nil for a kind that a document before it defines
	note    string                     // how it was rewritten; empty when it was not
	live    *unstructured.Unstructured // nil when it is not there, or was not read yet
	err     error                      // why it cannot be applied
}

// subjects finds how the cluster takes the documents, and reads what it has of
// them in as few requests as it can.
func (c client) subjects(ctx context.Context, docs []document) []*subject {
	var all []*subject
	for _, d := range docs {
		s := &subject{document: d}
		s.document, s.mapping, s.note, s.err = c.negotiate(d)
		if unknown := (unknownKind{}); errors.As(s.err, &unknown) && defines(docs, d) {
			s.mapping, s.err = nil, nil
		}
		s.err = c.looked(s.err)
		if s.mapping != nil {
			c.place(s.document, s.mapping)
		}
		all = append(all, s)
	}
	c.readTogether(ctx, all)
	return all
}

const (
	// several objects of one kind are listed rather than read one by one.
	several = 3
	// pageLimit bounds such a list: what is not on its first page is read alone.
	pageLimit = 500
)

// readTogether lists the objects of a kind where there are several in one place.
// What it does not find is read alone later: a list may be forbidden, and an
// object may have lost the labels that it is listed by.
func (c client) readTogether(ctx context.Context, all []*subject) {
	together := map[string][]*subject{}
	for _, s := range all {
		if s.err == nil && s.mapping != nil {
			key := s.mapping.Resource.String() + " " + s.GetNamespace()
			together[key] = append(together[key], s)
		}
	}
	for _, group := range together {
		selector := commonLabels(group)
		bulky := group[0].GetKind() == "Secret" || group[0].GetKind() == "ConfigMap" // of which a namespace may have many, and big
		if len(group) < several || bulky && selector == "" {
			continue
		}
		list, err := c.of(group[0].mapping, group[0].GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: selector, Limit: pageLimit})
		if err != nil {
			continue
		}
		for i := range list.Items {
			for _, s := range group {
				if s.GetName() == list.Items[i].GetName() {
					s.live = &list.Items[i]
				}
			}
		}
	}
}

// commonLabels selects by the labels that all of the documents have.
func commonLabels(group []*subject) string {
	common := labels.Set{}
	for key, value := range group[0].GetLabels() {
		shared := true
		for _, s := range group[1:] {
			other, ok := s.GetLabels()[key]
			shared = shared && ok && other == value
		}
		if shared {
			common[key] = value
		}
	}
	return common.String()
}

// read looks up what the cluster has of s now.
func (c client) read(ctx context.Context, s *subject) error {
	live, err := c.of(s.mapping, s.GetNamespace()).Get(ctx, s.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		live, err = nil, nil
	}
	s.live = live
	return err
}

// needsDryRuns refuses servers that would take a dry run for the real thing.
func (c client) needsDryRuns() error {
	if v, ok := c.Version(); ok && v.LessThan(dryRuns) {
		return fmt.Errorf("Kubernetes %s is too old for k8s.apply: dry runs, which the plan is made by, came with 1.13", v)
	}
	return nil
}
