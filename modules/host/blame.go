package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"syscall"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// blameScript tells, after a write to $1 failed, what may be the reason: the
// connection's user, the folder, its space, and whether the user $2 and the
// group $3 exist. Protocols such as SFTP say no more than "failure".
const blameScript = `LC_ALL=C; export LC_ALL
echo "uid $(id -u)"
echo "user $(id -un 2>/dev/null || id -u)"
d=${1%/*}; d=${d:-/}
[ -z "$2" ] || id -u "$2" >/dev/null 2>&1 || case $2 in *[!0-9]*) echo "nouser $2";; esac
[ -z "$3" ] || grep -q "^$3:" /etc/group || getent group "$3" >/dev/null 2>&1 || case $3 in *[!0-9]*) echo "nogroup $3";; esac
e=$d
until [ -e "${e:-/}" ]; do e=${e%/*}; done
echo "nearest ${e:-/}"
[ -d "${e:-/}" ] || { echo notdir; exit 0; }
[ -w "${e:-/}" ] && [ -x "${e:-/}" ] || echo readonly
echo "space $(df -Pk "${e:-/}" | tail -n 1)"
echo "inodes $(df -Pi "${e:-/}" 2>/dev/null | tail -n 1)"
`

// circumstances is what blameScript saw.
type circumstances struct {
	uid, user       string
	noUser, noGroup bool
	nearest         string // the lowest folder of the path that exists
	notDir          bool   // nearest is no folder
	readOnly        bool   // the user may not write there
	free            int64  // bytes; -1 when unknown
	mount           string
	noInodes        bool
}

// blame explains err, which came of writing size bytes to p, makesParents
// saying whether missing folders are made on the way. Errors of the connection
// and of the context stay as they are.
func blame(ctx context.Context, env *module.Env, p string, m meta, size int64, makesParents bool, err error) error {
	if err == nil || ctx.Err() != nil || errors.As(err, new(*conn.Unreachable)) {
		return err
	}
	err = fmt.Errorf("write %s: %w", p, err)
	res, lookErr := env.Run(ctx, conn.Script(blameScript, p, m.owner, m.group))
	if lookErr != nil {
		return module.At(setArg(err), err)
	}
	c := parseCircumstances(res.Stdout)
	where := env.Target.String()
	switch {
	case c.noUser:
		return module.At("owner", module.Explain(fmt.Errorf("there is no user %q on %s", m.owner, where),
			"create the user before this step, or correct the name", err.Error()))
	case c.noGroup:
		return module.At("group", module.Explain(fmt.Errorf("there is no group %q on %s", m.group, where),
			"create the group before this step, or correct the name", err.Error()))
	case c.notDir:
		return module.At("path", module.Explain(fmt.Errorf("%s on %s is no folder", c.nearest, where),
			"correct the path, or move away what stands in its place", err.Error()))
	case c.nearest != path.Dir(p) && !makesParents:
		return module.At("path", module.Explain(fmt.Errorf("the folder %s does not exist on %s", path.Dir(p), where),
			"add a host.directory step for it and refer to that step's path", err.Error()))
	case c.readOnly:
		return module.At("path", refused(fmt.Errorf("%s may not write in %s on %s: %w", c.user, c.nearest, where, fs.ErrPermission), c.uid, err))
	case c.noInodes:
		return module.At("path", module.Explain(fmt.Errorf("no inode is left on %s of %s", c.mount, where),
			"remove files there; nothing of this step was left behind", err.Error()))
	case c.free >= 0 && c.free < size || errors.Is(err, syscall.ENOSPC):
		return module.At("path", module.Explain(
			fmt.Errorf("no space left on %s of %s: %s free, %s needed", c.mount, where, bytesText(c.free), bytesText(size)),
			"free some space there; nothing of this step was left behind", err.Error()))
	case c.uid != "0" && (m.owner != "" || m.group != ""):
		arg := setArg(err)
		if arg == "path" {
			arg = "owner"
		}
		return module.At(arg, refused(fmt.Errorf("%s may not give %s to %s: %w", c.user, p, m, fs.ErrPermission), c.uid, err))
	}
	return module.At(setArg(err), err)
}

// refused is err with what to do about missing rights.
func refused(err error, uid string, cause error) error {
	remedy := "connect as root, or set sudo = true in the target block"
	if uid == "0" {
		remedy = "root may not either: the file system is mounted read-only, or the folder is immutable (lsattr -d)"
	}
	return module.Explain(err, remedy, cause.Error())
}

func parseCircumstances(out string) circumstances {
	c := circumstances{free: -1}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "uid":
			c.uid = value
		case "user":
			c.user = value
		case "nouser":
			c.noUser = true
		case "nogroup":
			c.noGroup = true
		case "nearest":
			c.nearest = value
		case "notdir":
			c.notDir = true
		case "readonly":
			c.readOnly = true
		case "space":
			if f, ok := parseDf(value); ok {
				c.free, c.mount = f.FreeBytes, f.Mount
			}
		case "inodes":
			// Some file systems have no count of inodes and show "-" or all zeros.
			f := strings.Fields(value)
			c.noInodes = len(f) >= 6 && f[3] == "0" && f[1] != "0" && f[1] != "-"
		}
	}
	return c
}

// parseDf reads a line of `df -Pk`. Device and mount point may have blanks, so
// the numbers in the middle are the anchor.
func parseDf(line string) (Disk, bool) {
	f := strings.Fields(line)
	for i := 1; i+4 < len(f); i++ {
		total, err1 := strconv.ParseInt(f[i], 10, 64)
		used, err2 := strconv.ParseInt(f[i+1], 10, 64)
		free, err3 := strconv.ParseInt(f[i+2], 10, 64)
		if err1 != nil || err2 != nil || err3 != nil || !strings.HasSuffix(f[i+3], "%") {
			continue
		}
		return Disk{
			Device:     strings.Join(f[:i], " "),
			Mount:      strings.Join(f[i+4:], " "),
			TotalBytes: total * 1024,
			UsedBytes:  used * 1024,
			FreeBytes:  free * 1024,
			TotalGiB:   gib(total * 1024),
			FreeGiB:    gib(free * 1024),
		}, true
	}
	return Disk{}, false
}
