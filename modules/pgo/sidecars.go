package pgo

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// kubeletLists is how many images a kubelet reports unless it is told
// otherwise. A node that reports as many may have more.
const kubeletLists = 50

// sidecarsThere refuses a container whose image no node has: it comes under the
// database image's own prefix and tag, where nobody may have thought of it, and
// one container that cannot start keeps the whole pod from being ready.
func (c *Cluster) sidecarsThere(ctx context.Context, p *place) error {
	type sidecar struct {
		arg, image string
	}
	var asked []sidecar
	for _, s := range []struct {
		arg string
		on  bool
	}{{"metrics", c.Metrics}, {"badger", c.Badger}} {
		if name := p.names.sidecars[s.arg]; s.on && name != "" {
			ref := c.ref()
			asked = append(asked, sidecar{s.arg, imageRef{ref.prefix, name, ref.tag}.String()})
		}
	}
	if len(asked) == 0 {
		return nil
	}
	nodes, err := p.kube.Clientset().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		return nil // then the pod's events will tell
	}
	if err != nil {
		return fmt.Errorf("look which images the nodes have: %w", err)
	}
	for _, s := range asked {
		if !mayHave(nodes.Items, s.image) {
			return module.At(s.arg, module.Explain(fmt.Errorf("%s adds a container of %s, and no node has that image", s.arg, s.image),
				"bring it to the nodes first (image.tag and image.ship), or leave "+s.arg+" out"))
		}
	}
	return nil
}

// mayHave reports whether a node that takes pods has the image, as far as can
// be known.
func mayHave(nodes []corev1.Node, image string) bool {
	for _, node := range nodes {
		if node.Spec.Unschedulable {
			continue
		}
		if len(node.Status.Images) >= kubeletLists {
			return true
		}
		for _, has := range node.Status.Images {
			for _, name := range has.Names {
				if familiar(name) == familiar(image) || !strings.Contains(image, "/") && strings.HasSuffix(name, "/"+image) {
					return true
				}
			}
		}
	}
	return false
}
