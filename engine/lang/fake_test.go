package lang

import (
	"context"
	"errors"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// The modules of these tests. They do nothing: the language looks at their
// structs alone.

type idle struct{}

func (idle) Check(context.Context, *module.Env) (module.Change, error) { return module.NoChange, nil }
func (idle) Apply(context.Context, *module.Env) error                  { return nil }

type build struct {
	idle
	Context string            `hcl:"context" doc:"Folder."`
	Tags    []string          `hcl:"tags,optional" doc:"Names."`
	Args    map[string]string `hcl:"args,optional" doc:"Build arguments."`
	Wait    time.Duration     `hcl:"wait,optional" default:"5m" doc:"Patience."`
	ID      string            `out:"id" doc:"Content address."`
	Ref     string            `out:"ref" doc:"First tag."`
}

func (*build) Info() module.Info {
	return module.Info{Name: "image.build", On: []string{conn.Local, conn.Docker}}
}

type ship struct {
	idle
	From  conn.Target `hcl:"from,optional" doc:"Where the image is."`
	Image string      `hcl:"image" doc:"Image."`
	Via   string      `hcl:"via,optional" oneof:"auto,star" doc:"Way."`
	Bytes int         `out:"bytes" doc:"Bytes sent."`
}

func (*ship) Info() module.Info {
	return module.Info{Name: "image.ship", On: []string{conn.SSH}}
}

type cluster struct {
	idle
	Name     string       `hcl:"name" doc:"Name."`
	Image    string       `hcl:"image,optional" doc:"Image."`
	Password secret.Value `hcl:"password,optional" doc:"Of the apiserver."`
	Primary  conn.Target  `out:"primary" doc:"The database's container."`
	PodIP    string       `out:"pod_ip" doc:"Address."`
	Login    secret.Value `out:"login" doc:"Password of the superuser."`
}

func (*cluster) Info() module.Info {
	return module.Info{Name: "pgo.cluster", On: []string{conn.Kubernetes}}
}

type role struct {
	idle
	Role     string                  `hcl:"role" doc:"Name."`
	Password secret.Value            `hcl:"password,optional" doc:"Password."`
	Secrets  map[string]secret.Value `hcl:"secrets,optional" doc:"More of them."`
	Limit    int                     `hcl:"limit,optional" default:"-1" doc:"Connections."`
}

func (*role) Info() module.Info {
	return module.Info{Name: "sql.role", On: []string{conn.Container, conn.Local}}
}

func (r *role) Validate() error {
	if r.Role == "postgres" {
		return module.At("role", errors.New("the superuser is not managed"))
	}
	if r.Password.Reveal() != "" && len(r.Password.Reveal()) < 100 {
		return module.At("password", errors.New("too short"))
	}
	return nil
}

type query struct {
	idle
	SQL  string    `hcl:"sql" doc:"Statement."`
	Host string    `hcl:"host,optional" doc:"Address."`
	TLS  *tls      `hcl:"tls,block" doc:"Encryption."`
	Out  cty.Value `out:"rows" doc:"Rows."`
}

type tls struct {
	Cert string `hcl:"cert" doc:"File."`
}

func (*query) Info() module.Info {
	return module.Info{Name: "sql.query", On: []string{conn.Container, conn.Local, conn.SSH}, ReadOnly: true}
}

type file struct {
	idle
	Path    string `hcl:"path" doc:"Path."`
	Content string `hcl:"content,optional" doc:"Text."`
	Sum     string `out:"sum" doc:"SHA-256."`
}

func (*file) Info() module.Info {
	return module.Info{Name: "host.file", On: []string{conn.Local, conn.SSH}}
}

var modules = module.NewRegistry(module.Of[build](), module.Of[ship](), module.Of[cluster](), module.Of[role](),
	module.Of[query](), module.Of[file]())
