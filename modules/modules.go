// Package modules is the catalogue: every verb that a runbook can speak.
package modules

import (
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/host"
)

// Catalogue lists the modules that come with antdbctl.
func Catalogue() *module.Registry {
	return module.NewRegistry(
		module.Of[host.Command](),
		module.Of[host.Directory](),
		module.Of[host.Facts](),
		module.Of[host.File](),
		module.Of[host.Line](),
		module.Of[host.Service](),
	)
}
