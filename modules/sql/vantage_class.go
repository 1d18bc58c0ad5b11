package sql

import (
	"context"
	"errors"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/adbsql/antdbctl/engine/conn"
)

// class is the kind of thing that keeps a login from working.
type class int

const (
	otherClass class = iota
	noEntryClass
	rejectClass
	peerClass
	badPasswordClass
	noDatabaseClass
	noRoleClass
	refusedClass
	timeoutClass
	noNameClass
	noRouteClass
	noForwardClass
	noSlotClass
	notYetClass
	unreachableClass
)

// What psql prints has no codes, so texts decide where it must be; the Chinese
// ones are PostgreSQL's own translations.
var classTexts = []struct {
	class class
	texts []string
}{
	{rejectClass, []string{"pg_hba.conf rejects", "pg_hba.conf 拒绝"}},
	{noEntryClass, []string{"pg_hba.conf"}},
	{peerClass, []string{"Peer authentication failed", "Ident authentication failed"}},
	{badPasswordClass, []string{"password authentication failed", "认证失败", "no password supplied"}},
	{noSlotClass, []string{"too many clients", "remaining connection slots", "connection limit exceeded"}},
	{notYetClass, []string{"starting up", "shutting down", "in recovery mode", "not accepting connections"}},
	{noForwardClass, []string{"administratively prohibited"}},
	{noNameClass, []string{"could not translate host name", "no such host", "Name or service not known", "Temporary failure in name resolution"}},
	{timeoutClass, []string{"timeout expired", "timed out", "i/o timeout", "deadline exceeded"}},
	{noRouteClass, []string{"No route to host", "no route to host", "Network is unreachable", "network is unreachable"}},
	{refusedClass, []string{"Connection refused", "connection refused", "No such file or directory"}},
}

var (
	missingRole     = regexp.MustCompile(`role "[^"]*" (does not exist|is not permitted to log in)`)
	missingDatabase = regexp.MustCompile(`database "[^"]*" does not exist`)
)

func classOf(err error) class {
	switch {
	case err == nil:
		return otherClass
	case errors.As(err, new(*conn.Unreachable)):
		return unreachableClass
	case stateOf(err) == badPassword:
		return badPasswordClass
	case stateOf(err) == noDatabase:
		return noDatabaseClass
	}
	text := err.Error()
	for _, c := range classTexts {
		if slices.ContainsFunc(c.texts, func(t string) bool { return strings.Contains(text, t) }) {
			return c.class
		}
	}
	switch {
	case missingRole.MatchString(text):
		return noRoleClass
	case missingDatabase.MatchString(text):
		return noDatabaseClass
	case errors.Is(err, syscall.ECONNREFUSED):
		return refusedClass
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return noRouteClass
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return timeoutClass
	case errors.As(err, new(*net.DNSError)):
		return noNameClass
	}
	return otherClass
}
