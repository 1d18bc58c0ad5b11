package pgo

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/adbsql/antdbctl/engine/module"
)

// imageRef is an image as the operator sees it.
type imageRef struct{ prefix, name, tag string }

func (c *Cluster) ref() imageRef { return refOf(c.Image) }

func refOf(path string) imageRef {
	tag := "latest"
	slash := strings.LastIndexByte(path, '/')
	if colon := strings.LastIndexByte(path, ':'); colon > slash {
		path, tag = path[:colon], path[colon+1:]
	}
	if slash < 0 {
		return imageRef{"", path, tag}
	}
	return imageRef{path[:slash], path[slash+1:], tag}
}

func (r imageRef) String() string {
	if r.prefix == "" {
		return r.plain()
	}
	return r.prefix + "/" + r.plain()
}

// plain is the image without its prefix, as PGO 4 has it on record.
func (r imageRef) plain() string { return r.name + ":" + r.tag }

// familiar leaves out what runtimes add to a short name.
func familiar(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "library/")
}

// unsafePassword matches what the image's first start cannot take: a sed
// script puts the password into SQL.
var unsafePassword = regexp.MustCompile(`[^A-Za-z0-9]`)

// Validate has the apiserver's rules that can be known beforehand.
func (c *Cluster) Validate() error {
	if faults := validation.IsDNS1035Label(c.Name); len(faults) > 0 {
		return module.At("name", fmt.Errorf("%q is no name for a cluster: %s", c.Name, faults[0]))
	}
	if c.Name == "all" {
		return module.At("name", fmt.Errorf("\"all\" is no name for a cluster: the operator means every cluster by it"))
	}
	ref := c.ref()
	switch {
	case strings.Contains(c.Image, "@"):
		return module.At("image", fmt.Errorf("%s: PGO takes an image by tag, not by digest", c.Image))
	case ref.name == "" || ref.tag == "" || strings.ContainsAny(c.Image, " \t"):
		return module.At("image", fmt.Errorf("%q is no image of the form PREFIX/NAME:TAG", c.Image))
	case c.Replicas < 0:
		return module.At("replicas", fmt.Errorf("a cluster cannot have %d replicas", c.Replicas))
	case c.Replicas > 0 && !c.WaitBackup:
		return module.At("wait_backup", fmt.Errorf("replicas come only after the first backup: leave wait_backup true, or replicas 0"))
	case unsafePassword.MatchString(c.Password.Reveal()):
		return module.At("password", fmt.Errorf("the password may hold letters and digits only: the image's first start breaks on others"))
	case c.NodeLabel != "" && strings.Count(c.NodeLabel, "=") != 1:
		return module.At("node_label", fmt.Errorf("%q is not of the form KEY=VALUE", c.NodeLabel))
	}
	return errors.Join(c.validateLabels(), c.validateDeadlines(), c.validateSizes())
}

func (c *Cluster) validateSizes() error {
	for _, q := range append(c.Resources.list(), setting{arg: "storage_size", value: c.StorageSize}, setting{arg: "backup_size", value: c.BackupSize}) {
		if _, err := resource.ParseQuantity(q.value); err != nil && q.value != "" {
			arg := q.arg
			if q.name != "" {
				arg = "resources"
			}
			return module.At(arg, fmt.Errorf("%s %q is no quantity such as 500m, 2 or 10Gi", q.arg, q.value))
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(c.BackupSchedule)) {
		if kind != "full" && kind != "diff" && kind != "incr" {
			return module.At("backup_schedule", fmt.Errorf("%q is no kind of backup: write full, diff or incr", kind))
		}
		if cron := c.BackupSchedule[kind]; len(strings.Fields(cron)) != 5 {
			return module.At("backup_schedule", fmt.Errorf("%s: %q is not of cron's five fields: minute, hour, day of the month, month, day of the week", kind, cron))
		}
	}
	return nil
}

func (c *Cluster) validateLabels() error {
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		value := c.Labels[key]
		faults := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...)
		if len(faults) > 0 {
			return module.At("labels", fmt.Errorf("label %s=%s: %s", key, value, faults[0]))
		}
	}
	for _, policy := range c.Policies {
		if policy == "" || strings.Contains(policy, ",") {
			return module.At("policies", fmt.Errorf("%q is no name of a policy", policy))
		}
	}
	return nil
}
