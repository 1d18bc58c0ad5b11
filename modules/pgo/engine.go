package pgo

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// What data volumes remember of the server that wrote them. AntDB and
// PostgreSQL of one major version have the same control file and start on each
// other's data, whose catalogs they then misread: nothing but a note tells.
const (
	engineAnnotation = "antdbctl.adbsql.com/engine"
	imageAnnotation  = "antdbctl.adbsql.com/image"
	systemAnnotation = "antdbctl.adbsql.com/system-identifier"
)

// The engines, as the argument says them.
const (
	engineAntDB      = "antdb"
	enginePostgreSQL = "postgresql"
)

func engineName(engine string) string {
	return map[string]string{engineAntDB: "AntDB", enginePostgreSQL: "PostgreSQL"}[engine]
}

// remembered is what a volume remembers, for a plan.
func remembered(claim *corev1.PersistentVolumeClaim) string {
	if engine := claim.Annotations[engineAnnotation]; engine != "" {
		return ", " + engineName(engine) + " by " + claim.Annotations[imageAnnotation]
	}
	return ""
}

// sameEngine refuses to put one engine on the other's data. An image of the name
// that wrote the data is taken to hold the same engine, of whatever tag.
func (c *Cluster) sameEngine(claim *corev1.PersistentVolumeClaim) error {
	wrote, by := claim.Annotations[engineAnnotation], claim.Annotations[imageAnnotation]
	switch {
	case wrote == "":
		return nil // from before volumes remembered
	case c.Engine == wrote, c.Engine == "" && refOf(by).name == c.ref().name:
		return nil
	case c.Engine == "":
		return module.At("image", module.Explain(
			fmt.Errorf("volume %s was written by %s (%s), and nothing says what %s holds", claim.Name, engineName(wrote), by, c.Image),
			fmt.Sprintf("if it holds %s too, say so: engine = %q; if not, let the data go first, or move it by dump and restore", engineName(wrote), wrote)))
	}
	return module.At("engine", module.Explain(
		fmt.Errorf("volume %s was written by %s (%s): %s would start on it and misread its catalogs", claim.Name, engineName(wrote), by, engineName(c.Engine)),
		fmt.Sprintf("take an image with %s, or let the data go first and move it by dump and restore", engineName(wrote))))
}

// otherImage guards data whose volumes remember nothing: an image of another
// name may hold another engine.
func (c *Cluster) otherImage(running string) error {
	if c.Engine != "" || refOf(running).name == c.ref().name {
		return nil
	}
	return module.At("image", module.Explain(
		fmt.Errorf("cluster %s runs %s, and nothing says that %s holds the same engine: AntDB and PostgreSQL misread each other's data", c.Name, running, c.Image),
		`say what the image holds: engine = "antdb" or "postgresql"; the volumes know which wrote them`))
}

// engineOf is the engine that wrote the volumes; "" where they remember none.
func engineOf(claims []corev1.PersistentVolumeClaim) string {
	for _, claim := range claims {
		if engine := claim.Annotations[engineAnnotation]; engine != "" {
			return engine
		}
	}
	return ""
}

// mayRun refuses an image for a cluster that has data, where it may hold another
// engine than wrote that data.
func (c *Cluster) mayRun(ctx context.Context, p *place, running string) error {
	claims, err := p.claimsOf(ctx)
	if err != nil {
		return err
	}
	for _, claim := range p.dataClaims(claims) {
		if claim.Annotations[engineAnnotation] == "" {
			return c.otherImage(running)
		}
		if err := c.sameEngine(&claim); err != nil {
			return err
		}
	}
	return nil
}

// identity is what a server says of itself.
type identity struct{ engine, system string }

// antdbVersion is how AntDB marks its version, from 3.1 on.
var antdbVersion = regexp.MustCompile(`^PostgreSQL \S+ ADB \S+`)

// identify asks a server who it is, inside its own pod.
func (p *place) identify(ctx context.Context, pod string) (identity, error) {
	host, err := p.kube.Container(ctx, p.namespace, pod, p.names.container)
	if err != nil {
		return identity{}, err
	}
	defer host.Close()
	res, err := host.Run(ctx, conn.Command("psql", "-XAtqc",
		"select version() || '|' || (select system_identifier from pg_control_system())", "-d", "postgres"))
	if err != nil {
		return identity{}, fmt.Errorf("ask %s who it is: %w", pod, err)
	}
	return readIdentity(res.Stdout), nil
}

// readIdentity reads VERSION|SYSTEM.
func readIdentity(text string) identity {
	version, system, _ := strings.Cut(strings.TrimSpace(text), "|")
	if antdbVersion.MatchString(version) {
		return identity{engineAntDB, system}
	}
	return identity{enginePostgreSQL, system}
}

// remember notes on the data volumes who writes them, and tells when that is
// not who was expected. A volume that cannot be noted on is only logged: the
// cluster serves.
func (c *Cluster) remember(ctx context.Context, env *module.Env, p *place, v *view) error {
	if v.primary() == nil {
		return nil
	}
	who, err := p.identify(ctx, v.primary().Name)
	if err != nil {
		env.Logf("the volumes do not learn their engine: %v", err)
		return nil
	}
	if c.Engine != "" && c.Engine != who.engine {
		return module.At("engine", fmt.Errorf("cluster %s serves, and it is %s, not %s", c.Name, engineName(who.engine), engineName(c.Engine)))
	}
	claims, err := p.claimsOf(ctx)
	if err != nil {
		return err
	}
	image := v.names.image(v.primary())
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{
		engineAnnotation: who.engine, imageAnnotation: image, systemAnnotation: who.system}}})
	if err != nil {
		return err
	}
	for _, claim := range p.dataClaims(claims) {
		if a := claim.Annotations; a[engineAnnotation] == who.engine && a[imageAnnotation] == image && a[systemAnnotation] == who.system {
			continue
		}
		_, err := p.kube.Clientset().CoreV1().PersistentVolumeClaims(p.namespace).Patch(ctx, claim.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		if err != nil {
			env.Logf("volume %s does not learn its engine: %v", claim.Name, err)
		}
	}
	return nil
}

// image is the image of a pod's database container, as its Deployment names it.
func (n *naming) image(pod *corev1.Pod) string {
	for _, container := range pod.Spec.Containers {
		if container.Name == n.container {
			return container.Image
		}
	}
	return ""
}
