// Package modules is the catalogue: every verb that a runbook can speak.
package modules

import (
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/backup"
	"github.com/adbsql/antdbctl/modules/container"
	"github.com/adbsql/antdbctl/modules/host"
	"github.com/adbsql/antdbctl/modules/image"
	"github.com/adbsql/antdbctl/modules/k8s"
	"github.com/adbsql/antdbctl/modules/patroni"
	"github.com/adbsql/antdbctl/modules/pgo"
	"github.com/adbsql/antdbctl/modules/sql"
)

// Catalogue lists the modules that come with antdbctl.
func Catalogue() *module.Registry {
	return module.NewRegistry(
		module.Of[backup.Check](),
		module.Of[backup.Collect](),
		module.Of[backup.Run](),
		module.Of[container.Exec](),
		module.Of[host.Collect](),
		module.Of[host.Command](),
		module.Of[host.Directory](),
		module.Of[host.Facts](),
		module.Of[host.File](),
		module.Of[host.Line](),
		module.Of[host.Service](),
		module.Of[image.Build](),
		module.Of[image.Check](),
		module.Of[image.Collect](),
		module.Of[image.Inspect](),
		module.Of[image.Load](),
		module.Of[image.Recover](),
		module.Of[image.Save](),
		module.Of[image.Ship](),
		module.Of[image.Tag](),
		module.Of[k8s.Apply](),
		module.Of[k8s.Collect](),
		module.Of[k8s.Get](),
		module.Of[k8s.Logs](),
		module.Of[k8s.Nodes](),
		module.Of[k8s.Wait](),
		module.Of[patroni.Collect](),
		module.Of[patroni.Config](),
		module.Of[patroni.Drill](),
		module.Of[patroni.Status](),
		module.Of[patroni.Switchover](),
		module.Of[pgo.Cluster](),
		module.Of[pgo.Collect](),
		module.Of[pgo.User](),
		module.Of[sql.Collect](),
		module.Of[sql.Database](),
		module.Of[sql.Extension](),
		module.Of[sql.Grant](),
		module.Of[sql.Identity](),
		module.Of[sql.Query](),
		module.Of[sql.Role](),
		module.Of[sql.Vantage](),
	)
}
