package sql

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
)

// antdbVersion is version() of AntDB since 3.1; PostgreSQL's has no ADB in it.
var (
	antdbVersion    = regexp.MustCompile(`^PostgreSQL (\d+(?:\.\d+|beta\d+|rc\d+|devel)*) ADB (\S+) ([0-9a-f]{7,})? ?on `)
	postgresVersion = regexp.MustCompile(`^PostgreSQL (\d+(?:\.\d+|beta\d+|rc\d+|devel)*)\b`)
)

// judge tells AntDB from PostgreSQL.
func (i *Identity) judge(t *table) error {
	i.Product, i.Mode, i.Signs = "PostgreSQL", "standalone", []string{}
	m := antdbVersion.FindStringSubmatch(i.Version)
	if m != nil {
		i.Signs = append(i.Signs, "version()")
		i.AntDBVersion, i.Build = m[2], m[3]
	} else if m = postgresVersion.FindStringSubmatch(i.Version); m == nil {
		return fmt.Errorf("the server calls itself %.80q: neither PostgreSQL nor AntDB", i.Version)
	}
	if base := strings.Fields(i.ServerVersion); len(base) == 0 || base[0] != m[1] {
		return module.Explain(fmt.Errorf("version() says PostgreSQL %s, and server_version says %s: two servers, or something between them, answer here", m[1], i.ServerVersion),
			"go around the proxy or pool: on = the database container, without host", "version(): "+i.Version)
	}
	settings := false
	for _, sign := range []string{"grammar", "nls"} {
		if value, known := t.lookup(sign); known && value != "" {
			i.Signs = append(i.Signs, map[string]string{"grammar": "grammar", "nls": "nls_date_format"}[sign])
			settings = true
		}
	}
	if t.get("oracle") == "t" {
		i.Signs = append(i.Signs, "schema oracle")
	}
	if v := t.get("adb_version"); v != "" {
		i.Signs = append(i.Signs, "adb_version")
		i.Mode, i.AntDBVersion = "cluster", cmp.Or(i.AntDBVersion, v)
	}
	says := i.AntDBVersion != ""
	if says {
		i.Product = "AntDB"
	}
	i.Certain = says == settings
	return nil
}

// join adds what the cluster says of the pod.
func (i *Identity) join(where *site, container string) error {
	if where == nil {
		return nil
	}
	i.Cluster = where.name
	if where.pod == nil {
		return nil
	}
	i.Pod, i.KubeNode, i.Image = where.pod.Name, where.pod.Spec.NodeName, where.image(container)
	for _, c := range where.pod.Status.ContainerStatuses {
		if c.Name == cmp.Or(container, where.pod.Spec.Containers[0].Name) {
			i.ImageID = c.ImageID
		}
	}
	declared := where.env(container, "PATRONI_POSTGRESQL_DATA_DIR", "PGDATA")
	if declared != "" && i.DataDirectory != "" && declared != i.DataDirectory {
		return i.mixedUp("the server's data directory is %s, and the container of pod %s was given %s", i.DataDirectory, i.Pod, declared)
	}
	return nil
}

func (i *Identity) mixedUp(format string, args ...any) error {
	return module.Explain(fmt.Errorf(format, args...), "the step reached another server than the pod's own: look at host, port and PGHOST in the container", i.evidence())
}

// evidence is the server in one line.
func (i *Identity) evidence() string {
	parts := []string{i.Version, "system " + i.System, i.Role}
	if i.DataDirectory != "" {
		parts = append(parts, i.DataDirectory)
	}
	if i.Pod != "" {
		parts = append(parts, "pod "+i.Pod, "image "+i.Image+" ("+i.ImageID+")")
	}
	return strings.Join(parts, ", ")
}

// compare holds what was found to what the runbook expects; all that differs
// is told at once.
func (i *Identity) compare(where *site) error {
	var errs []error
	differs := func(arg, want, have, thing string) {
		errs = append(errs, module.At(arg, module.Explain(fmt.Errorf("%s is %s, and %s was expected", thing, cmp.Or(have, "not to be seen from here"), want),
			"this is another server than the one that is meant: look at on and host", i.evidence())))
	}
	for _, e := range []struct{ arg, want, have, thing string }{
		{"expect_mode", i.ExpectMode, i.Mode, "the build"}, {"expect_role", i.ExpectRole, i.Role, "the server"},
		{"expect_cluster", i.ExpectCluster, i.Cluster, "the database cluster of the pod"},
		{"expect_system_identifier", i.ExpectSystem, i.System, "the system identifier"},
	} {
		if e.want != "" && e.want != e.have {
			differs(e.arg, e.want, e.have, e.thing)
		}
	}
	if i.ExpectBuild != "" && (i.Build == "" || !strings.HasPrefix(i.Build, i.ExpectBuild) && !strings.HasPrefix(i.ExpectBuild, i.Build)) {
		differs("expect_build", i.ExpectBuild, cmp.Or(i.Build, "unknown ("+i.Product+")"), "the build")
	}
	if i.ExpectImageID != "" && digest(i.ExpectImageID) != digest(i.ImageID) {
		differs("expect_image_id", i.ExpectImageID, i.ImageID, "the image that runs")
	}
	if err := i.expectProduct(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) == 0 && i.ExpectRole != "" && where != nil && where.pod != nil && where.operator != nil {
		errs = append(errs, i.labelled(where))
	}
	return errors.Join(errs...)
}

func (i *Identity) expectProduct() error {
	switch {
	case i.ExpectProduct == "":
		return nil
	case i.ExpectProduct != i.Product:
		return module.At("expect_product", module.Explain(fmt.Errorf("the server is %s %s, and %s was expected", i.Product, i.ServerVersion, i.ExpectProduct),
			"another image runs than was meant, or the step reached another cluster: look at image_id and cluster", i.evidence()))
	case !i.Certain && i.Product == "AntDB":
		return module.At("expect_product", module.Explain(errors.New("version() says AntDB, and the server knows neither grammar nor nls_date_format"),
			"either it was built without foreign grammars (then leave out expect_product and look at version), or something answers in its place", i.evidence()))
	case !i.Certain:
		return module.At("expect_product", module.Explain(fmt.Errorf("version() says PostgreSQL, and the server has AntDB's %s", strings.Join(i.Signs, ", ")),
			"something between here and the server answers version()", i.evidence()))
	}
	return nil
}

// labelled finds a pod whose label says another role than its server: stale
// labels, or two primaries.
func (i *Identity) labelled(where *site) error {
	label := where.pod.Labels[where.operator.role]
	if label == "" || (label == "replica") == (i.Role == "replica") {
		return nil
	}
	return module.At("expect_role", module.Explain(fmt.Errorf("the server of pod %s is a %s, and its label %s says %s", i.Pod, i.Role, where.operator.role, label),
		"a failover is under way, or two servers take themselves for the primary: look with patroni.status", i.evidence()))
}

// digest is what two names of an image have in common: "docker-pullable://x@sha256:…"
// and "sha256:…" are the same.
func digest(id string) string {
	if at := strings.Index(id, "sha256:"); at >= 0 {
		return id[at:]
	}
	return id
}
