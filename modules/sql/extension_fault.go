package sql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
)

// impossible says what Apply could not do, while it is still a plan.
func (e *Extension) impossible(ctx context.Context, s *session, env *module.Env) error {
	refuse := func(arg, remedy, format string, args ...any) error {
		return module.Refuse(module.At(arg, module.Explain(fmt.Errorf(format, args...), remedy)))
	}
	now := e.now
	switch v := e.target(); {
	case now.standard == "" && !now.found:
		return e.missing(ctx, s, env)
	case e.lacksPreload():
		return refuse("name", preloadRemedy(e.Name), "extension %s works only when the server loads its library at the start, and shared_preload_libraries does not have it", e.Name)
	case v != "" && v != now.version && !now.known:
		return refuse("version", "the versions that are there: "+strings.Join(now.versions, ", "), "this server has no version %s of extension %s", v, e.Name)
	case v != "" && now.found && v != now.version && !now.path:
		return refuse("version", "keep what is there, or drop the extension and let this step create it anew", "extension %s cannot go from version %s to %s: no script leads there", e.Name, now.version, v)
	case e.Schema != "" && now.noSchema:
		return refuse("schema", "create it first (container.exec, or a migration)", "there is no schema %s in database %s", e.Schema, e.Database)
	case e.Schema != "" && now.found && e.Schema != now.schema && !now.relocatable:
		return refuse("schema", "write schema = \""+now.schema+"\", or drop the extension and let this step create it anew", "extension %s is in schema %s and cannot be moved", e.Name, now.schema)
	case !now.found && len(now.needs) > 0 && !e.Cascade:
		return refuse("name", "create them by steps of their own, or set cascade = true", "extension %s needs %s", e.Name, strings.Join(now.needs, ", "))
	}
	return nil
}

// contrib are the extensions that come with PostgreSQL itself, in a package of
// their own.
var contrib = []string{"adminpack", "amcheck", "autoinc", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dblink", "dict_int", "dict_xsyn",
	"earthdistance", "file_fdw", "fuzzystrmatch", "hstore", "insert_username", "intagg", "intarray", "isn", "lo", "ltree", "moddatetime", "old_snapshot",
	"pageinspect", "pg_buffercache", "pg_freespacemap", "pg_prewarm", "pg_stat_statements", "pg_surgery", "pg_trgm", "pg_visibility", "pg_walinspect",
	"pgcrypto", "pgrowlocks", "pgstattuple", "postgres_fdw", "refint", "seg", "sslinfo", "tablefunc", "tcn", "tsm_system_rows", "tsm_system_time",
	"unaccent", "uuid-ossp", "xml2"}

// missing says where the extension's files would have to be, and what brings
// them.
func (e *Extension) missing(ctx context.Context, s *session, env *module.Env) error {
	folder := "the server's extension folder"
	if t, err := s.query(ctx, "select setting from pg_catalog.pg_config where name = 'SHAREDIR'"); err == nil { // superusers only
		folder = t.get("setting") + "/extension"
	}
	packages := fmt.Sprintf("postgresql-%d-%s (Debian) or %s_%d (RPM)", e.now.release, strings.ReplaceAll(e.Name, "_", "-"), e.Name, e.now.release)
	if slices.Contains(contrib, e.Name) {
		packages = fmt.Sprintf("postgresql-contrib (Debian: part of postgresql-%d) or postgresql%[1]d-contrib (RPM), for AntDB its contrib modules (make install-world-contrib-recurse)", e.now.release)
	}
	where := ""
	if place, err := siteOf(ctx, env, e.Host); err == nil && place != nil && place.pod != nil {
		where = place.image(env.Target.Container)
	}
	remedy := "install " + packages + " on the server's machine; it must fit this server's build"
	if where != "" {
		remedy = fmt.Sprintf("build it into the image %s (%s), against that server's pg_config, and roll the image out", where, packages)
	}
	return module.Refuse(module.At("name", module.Explain(fmt.Errorf("this server does not have extension %s: there is no %[1]s.control in %s", e.Name, folder), remedy)))
}

// needsPreload recognises the complaint of a library that came too late.
func needsPreload(err error) bool {
	f := faultOf(err)
	return f != nil && strings.Contains(f.Message, "shared_preload_libraries")
}

func preloadRemedy(name string) string {
	return fmt.Sprintf("add %s to shared_preload_libraries and restart the server: under Patroni by patroni.config, else in postgresql.conf", name)
}
