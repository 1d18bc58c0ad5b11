package sql

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// noSession marks that a login was refused.
type noSession struct {
	error
	starting bool // the server is up, but takes no sessions yet
}

func (n *noSession) Unwrap() error { return n.error }

func isStarting(err error) bool {
	n := (*noSession)(nil)
	return errors.As(err, &n) && n.starting
}

// refusal is a way in which a server, or a driver, says no to a login. psql
// gives no SQLSTATE then, and the text may be in the server's language.
type refusal struct {
	state    string
	texts    []string // any of these; * stands for anything
	arg      string   // "password": what the runbook calls it
	remedy   string
	starting bool
}

var refusals = []refusal{
	{state: badPassword, texts: []string{"password authentication failed", "认证失败"}, arg: "password",
		remedy: "compare the password with the server's; one whose VALID UNTIL has passed is refused with the same words"},
	{texts: []string{"no password supplied", "fe_sendauth"}, arg: "password", remedy: "this server asks for a password: say which"},
	{texts: []string{"authentication method 10 not supported", "SCRAM authentication requires libpq version 10"}, arg: "user",
		remedy: "this client is older than SCRAM: use a newer one, or keep the role's password as md5 (sql.role with encryption = \"md5\")"},
	{state: noDatabase, texts: []string{"database \"* does not exist", "数据库 \"* 不存在"}, arg: "database"},
	{state: badLogin, texts: []string{"no pg_hba.conf entry", "pg_hba.conf rejects", "没有用于主机", "pg_hba.conf 记录"}, arg: "host",
		remedy: "pg_hba.conf has no line that lets this in: its lines are tried in order, by connection type, database, user and address " +
			"(the operator's pg_hba has no line for IPv6); under Patroni it is part of the configuration (patroni.config)"},
	{state: tooMany, texts: []string{"too many connections for role", "角色 \"* 的连接太多", "由角色\"* 发起的连接太多了"}, arg: "user",
		remedy: "the role's connection limit is reached: look at pg_stat_activity, or raise it (sql.role, connection_limit)"},
	{state: tooMany, texts: []string{"too many connections for database", "数据库 \"* 的连接数太多"}, arg: "database",
		remedy: "the database's connection limit is reached: look at pg_stat_activity, or raise it (sql.database, connection_limit)"},
	{state: tooMany, texts: []string{"too many clients", "remaining connection slots are reserved", "connection limit exceeded", "已经有太多的客户", "已经有太多客户端", "剩下的连接槽"},
		remedy: "max_connections is reached: look in pg_stat_activity for who holds them, end those or put a pool before the server; raising it needs a restart (patroni.config)"},
	{state: badLogin, texts: []string{"role \"", "角色 \"", "Peer authentication failed", "对等认证失败"}, arg: "user"},
	{state: notNow, texts: []string{"is shutting down", "正在关闭"},
		remedy: "the server is being stopped: wait until it is up again, or find out who stops it"},
	{state: notNow, texts: []string{"is starting up", "in recovery mode", "not yet accepting connections", "not accepting connections", "启动中", "正在启动", "恢复模式", "还没有接受连接", "不接受连接"},
		remedy: "the server is starting or recovers from a crash: its log tells how far it is; retry = … repeats the step", starting: true},
}

// noSuchDatabase reports that a login failed for want of its database.
func noSuchDatabase(err error) bool {
	arg := (*module.ArgError)(nil)
	if !errors.As(err, &arg) || arg.Arg != "database" {
		return false
	}
	r := known(stateOf(err), err.Error())
	return r != nil && r.state == noDatabase
}

// known finds what a server meant by a state, which may be missing, and a text,
// which may be in a language that is not among these; nil for what is new.
func known(state, text string) *refusal {
	var found *refusal
	for i, r := range refusals {
		if state != "" && state != r.state {
			continue
		}
		if r.says(text) {
			return &refusals[i]
		}
		if state != "" {
			found = &refusals[i] // the last of a state is its most common
		}
	}
	return found
}

func (r refusal) says(text string) bool {
	return slices.ContainsFunc(r.texts, func(say string) bool {
		rest := text
		for part := range strings.SplitSeq(say, "*") {
			at := strings.Index(rest, part)
			if at < 0 {
				return false
			}
			rest = rest[at+len(part):]
		}
		return true
	})
}

// refused says why there is no session, and which argument to look at.
func (l login) refused(err error) error {
	if errors.As(err, new(*conn.Unreachable)) {
		return err
	}
	arg, remedy := "", ""
	if l.host != "" {
		arg = "host"
	}
	wire := (*net.OpError)(nil)
	r := known(stateOf(err), err.Error())
	switch {
	case errors.As(err, &wire):
		err = wire // the driver says it once for each way it tried
		remedy = "check that a server listens at that address and port, and that no firewall is in between"
	case r != nil:
		arg, remedy = r.arg, r.remedy
	}
	if arg == "password" {
		arg = l.passwordArg
	}
	err = &noSession{fmt.Errorf("connect to %s: %w", l, err), r != nil && r.starting}
	if remedy != "" {
		err = module.Explain(err, remedy)
	}
	if arg == "" {
		return err
	}
	return module.At(arg, err)
}
