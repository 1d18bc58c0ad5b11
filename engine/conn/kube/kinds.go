package kube

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"
)

// kinds is the RESTMapper of a cluster. A server from 1.30 on tells all that it
// has in two answers (1.26 did too, in a format that the client no longer
// takes); an older one in an answer for each version of each group, some
// thirty. Such a server is asked step by step: for the versions that a question
// names, and for the rest only where no other way leads on.
type kinds struct {
	meta.ResettableRESTMapper // knows everything, once it had to be asked
	all                       discovery.CachedDiscoveryInterface
	server                    discovery.DiscoveryInterface
	stepwise                  bool

	mu       sync.Mutex
	versions map[schema.GroupVersion][]metav1.APIResource // nil for a version that is not served
	groups   map[string]string                            // group to its preferred version; "" for one that is not served
}

// preferred are the places where the names that people use most are looked up
// first. They come before all other groups on every server, "extensions"
// excepted, which once had the same kinds.
var preferred = []schema.GroupVersion{{Version: "v1"}, {Group: "apps", Version: "v1"}, {Group: "batch", Version: "v1"}}

// successors have the kinds that servers before 1.22 serve in the group
// "extensions" as well, and name there first.
var successors = []string{"apps", "networking.k8s.io", "policy"}

func newKinds(server discovery.DiscoveryInterface, stepwise bool) *kinds {
	all := memory.NewMemCacheClient(server)
	full := restmapper.NewShortcutExpander(restmapper.NewDeferredDiscoveryRESTMapper(all), all, nil)
	k := &kinds{ResettableRESTMapper: full.(meta.ResettableRESTMapper), all: all, server: server, stepwise: stepwise}
	k.forget()
	return k
}

func (k *kinds) forget() {
	k.versions, k.groups = map[schema.GroupVersion][]metav1.APIResource{}, map[string]string{}
}

// Reset makes the next question go to the server.
func (k *kinds) Reset() {
	k.mu.Lock()
	k.forget()
	k.mu.Unlock()
	k.ResettableRESTMapper.Reset()
}

// RESTMapping finds the resource of a kind; of one version where one is named.
func (k *kinds) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if !k.stepwise || len(versions) != 1 || versions[0] == "" {
		return k.ResettableRESTMapper.RESTMapping(kind, versions...)
	}
	gv := schema.GroupVersion{Group: kind.Group, Version: versions[0]}
	resources, err := k.resources(gv)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(resources, func(r metav1.APIResource) bool { return r.Kind == kind.Kind && !isSubresource(r) })
	if at < 0 {
		return nil, &meta.NoKindMatchError{GroupKind: kind, SearchedVersions: versions}
	}
	m := &meta.RESTMapping{Resource: gv.WithResource(resources[at].Name), GroupVersionKind: gv.WithKind(kind.Kind), Scope: meta.RESTScopeRoot}
	if resources[at].Namespaced {
		m.Scope = meta.RESTScopeNamespace
	}
	return m, nil
}

// KindFor finds a kind by its plural, singular or short name.
func (k *kinds) KindFor(name schema.GroupVersionResource) (schema.GroupVersionKind, error) {
	if k.stepwise && name.Version == "" {
		kind, err := k.quick(name.GroupResource())
		if err != nil || kind.Kind != "" {
			return kind, err
		}
	}
	kind, err := k.ResettableRESTMapper.KindFor(name)
	if err != nil || kind.Group != "extensions" || name.Group != "" {
		return kind, err
	}
	for _, group := range successors {
		if m, err := k.ResettableRESTMapper.RESTMapping(schema.GroupKind{Group: group, Kind: kind.Kind}); err == nil {
			return m.GroupVersionKind, nil
		}
	}
	return kind, nil
}

// quick looks where the name most likely stands. The zero kind means that it is
// not there.
func (k *kinds) quick(name schema.GroupResource) (schema.GroupVersionKind, error) {
	places := preferred
	if name.Group != "" {
		version, err := k.preferredVersion(name.Group)
		if err != nil || version == "" {
			return schema.GroupVersionKind{}, err
		}
		places = []schema.GroupVersion{{Group: name.Group, Version: version}}
	}
	for _, gv := range places {
		resources, err := k.resources(gv)
		if err != nil {
			return schema.GroupVersionKind{}, err
		}
		for _, r := range resources {
			if !isSubresource(r) && isCalled(r, name.Resource) {
				return gv.WithKind(r.Kind), nil
			}
		}
	}
	return schema.GroupVersionKind{}, nil
}

// isCalled takes the kind in place of a singular that servers before 1.28 do
// not tell.
func isCalled(r metav1.APIResource, name string) bool {
	return name == r.Name || name == r.SingularName || name == strings.ToLower(r.Kind) || slices.Contains(r.ShortNames, name)
}

func isSubresource(r metav1.APIResource) bool { return strings.Contains(r.Name, "/") }

// resources are those of one version of a group; none when it is not served.
func (k *kinds) resources(gv schema.GroupVersion) ([]metav1.APIResource, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.versions[gv]; ok {
		return known, nil
	}
	list, err := k.server.ServerResourcesForGroupVersion(gv.String())
	if apierrors.IsNotFound(err) {
		k.versions[gv] = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k.versions[gv] = list.APIResources
	return list.APIResources, nil
}

// preferredVersion is empty for a group that is not served.
func (k *kinds) preferredVersion(group string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.groups[group]; ok {
		return known, nil
	}
	var answer metav1.APIGroup
	raw, err := k.server.RESTClient().Get().AbsPath("/apis", group).DoRaw(context.Background())
	if apierrors.IsNotFound(err) {
		k.groups[group] = ""
		return "", nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil {
		return "", err
	}
	k.groups[group] = answer.PreferredVersion.Version
	return k.groups[group], nil
}

// silent are the versions of groups that the server announces, and for which
// nobody answers: behind them are other servers (metrics.k8s.io and the like).
func (k *kinds) silent() []string {
	var failed *discovery.ErrGroupDiscoveryFailed
	if _, _, err := k.all.ServerGroupsAndResources(); !errors.As(err, &failed) {
		return nil
	}
	var names []string
	for gv := range failed.Groups {
		names = append(names, gv.String())
	}
	slices.Sort(names)
	return names
}
