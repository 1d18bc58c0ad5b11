package host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed service.hcl
var serviceExample string

// Service keeps a service of the machine running or stopped.
type Service struct {
	Name    string `hcl:"name" doc:"Name of the unit or init script, such as \"docker\"."`
	State   string `hcl:"state,optional" oneof:"started,stopped,restarted,reloaded" doc:"started and stopped are kept; restarted and reloaded are done at every apply. Without it the state stays."`
	Enabled *bool  `hcl:"enabled,optional" doc:"Whether it starts with the machine. Without it that stays."`

	Active  bool   `out:"active" doc:"Whether the service runs."`
	Manager string `out:"manager" doc:"What manages it: systemd or sysv."`

	have service // as Check saw it
}

// Info describes host.service.
func (*Service) Info() module.Info {
	return module.Info{
		Name:    "host.service",
		Summary: "Keep a service running or stopped, now and at boot.",
		Doc: `Speaks to systemd, and where that does not run to the scripts in /etc/init.d. To restart a service only when its
configuration changed, restart it from a ` + "`host.command`" + ` whose ` + "`unless`" + ` can tell.

A service that does not start fails the step with the end of its status and journal.`,
		On:      []string{conn.Local, conn.SSH},
		Example: serviceExample,
	}
}

// Validate checks what the tags cannot say.
func (s *Service) Validate() error {
	if s.Name == "" || strings.ContainsAny(s.Name, "/ \n") || strings.HasPrefix(s.Name, "-") {
		return module.At("name", fmt.Errorf("%q is no name of a service", s.Name))
	}
	if s.State == "" && s.Enabled == nil {
		return module.At("state", errors.New("say what to keep: state, enabled, or both"))
	}
	return nil
}

// serviceScript prints what manages the service $1 and how it is. An init
// script's status is its exit status (LSB: 0 runs, 1 and 2 died, 3 stopped).
const serviceScript = `LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/sbin:/sbin
if s=$(systemctl show -p LoadState -p ActiveState -p SubState -p UnitFileState "$1" 2>/dev/null) && [ -n "$s" ]; then
  echo Manager=systemd
  printf '%s\n' "$s"
  exit 0
fi
[ -d /etc/init.d ] || { echo Manager=none; exit 0; }
echo Manager=sysv
[ -x "/etc/init.d/$1" ] || { echo LoadState=not-found; exit 0; }
echo LoadState=loaded
if "/etc/init.d/$1" status >/dev/null 2>&1 </dev/null; then echo ActiveState=active; else echo ActiveState=inactive; fi
set -- /etc/rc[2345].d/S[0-9][0-9]"$1" /etc/rc.d/rc[2345].d/S[0-9][0-9]"$1"
for f; do [ -e "$f" ] && { echo UnitFileState=enabled; exit 0; }; done
echo UnitFileState=disabled
`

// service is what serviceScript saw.
type service struct {
	manager string // systemd, sysv, none
	load    string // loaded, not-found, masked, …
	active  string // active, inactive, failed, activating, …
	sub     string
	file    string // enabled, disabled, static, …
}

func (s service) running() bool { return s.active == "active" || s.active == "reloading" }
func (s service) enabled() bool { return strings.HasPrefix(s.file, "enabled") || s.file == "alias" }

func parseService(out string) service {
	var s service
	fields := map[string]*string{
		"Manager": &s.manager, "LoadState": &s.load, "ActiveState": &s.active, "SubState": &s.sub, "UnitFileState": &s.file,
	}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if f, ok := fields[key]; ok {
			*f = value
		}
	}
	return s
}

// Check asks how the service is, in one command.
func (s *Service) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	res, err := env.Run(ctx, conn.Look(serviceScript, s.Name))
	if err != nil {
		return module.NoChange, fmt.Errorf("look at the service %s: %w", s.Name, err)
	}
	s.have = parseService(res.Stdout)
	if s.have.manager == "none" {
		return module.NoChange, fmt.Errorf("neither systemd nor /etc/init.d manages services on %s", env.Target)
	}
	s.Manager = s.have.manager
	diffs := s.diff()
	switch {
	case s.State == "restarted" || s.State == "reloaded":
		return module.Change{Action: module.Run, Summary: strings.TrimSuffix(s.State, "ed") + " " + s.Name, Diff: diffs}, nil
	case len(diffs) > 0:
		return module.Change{Action: module.Update, Summary: s.Name + ": " + summaryOf(diffs), Diff: diffs}, nil
	}
	s.Active = s.have.running()
	return module.NoChange, nil
}

func (s *Service) diff() []module.Diff {
	var d []module.Diff
	if s.Enabled != nil && *s.Enabled != s.have.enabled() {
		d = append(d, module.Diff{Path: "enabled", Before: s.atBoot(), After: fmt.Sprint(*s.Enabled)})
	}
	if s.State == "started" && !s.have.running() || s.State == "stopped" && s.have.active != "inactive" && s.have.active != "failed" && s.have.load != "not-found" {
		d = append(d, module.Diff{Path: "state", Before: s.now(), After: s.State})
	}
	return d
}

// atBoot and now name what is, in the words of the arguments where they fit.
func (s *Service) atBoot() string {
	switch s.have.file {
	case "enabled":
		return "true"
	case "disabled":
		return "false"
	case "":
		return "missing"
	}
	return s.have.file
}

func (s *Service) now() string {
	switch {
	case s.have.load == "not-found":
		return "missing"
	case s.have.running():
		return "started"
	case s.have.active == "inactive":
		return "stopped"
	}
	return s.have.active
}

// Apply makes the service as it is wanted, enabling before starting.
func (s *Service) Apply(ctx context.Context, env *module.Env) error {
	where := env.Target.String()
	switch {
	case s.have.load == "not-found":
		return module.At("name", module.Explain(fmt.Errorf("there is no service %q on %s", s.Name, where),
			"install its package before this step, or correct the name"))
	case s.have.load == "masked" && s.State != "stopped":
		return module.At("name", module.Explain(fmt.Errorf("the service %s is masked on %s", s.Name, where),
			"somebody forbade it to start; if that is over: systemctl unmask "+s.Name))
	}
	if s.Enabled != nil && *s.Enabled != s.have.enabled() {
		if s.have.manager == "systemd" && s.have.file != "disabled" && s.have.file != "enabled" && s.have.file != "enabled-runtime" {
			return module.At("enabled", fmt.Errorf("the unit %s is %q on %s: it cannot be enabled or disabled", s.Name, s.have.file, where))
		}
		if _, err := env.Run(ctx, conn.Script(manageScript, s.Name, onOff(*s.Enabled), s.have.manager)); err != nil {
			return module.At("enabled", s.refused(err, ""))
		}
	}
	verbs := map[string]string{"restarted": "restart", "reloaded": "reload", "started": "start", "stopped": "stop"}
	verb := verbs[s.State]
	if verb == "" || s.State == "started" && s.have.running() || s.State == "stopped" && !s.have.running() && s.have.active != "activating" {
		return nil
	}
	if _, err := env.Run(ctx, conn.Script(manageScript, s.Name, verb, s.have.manager)); err != nil {
		return module.At("state", s.refused(fmt.Errorf("%s %s on %s: %w", verb, s.Name, where, err), s.evidence(ctx, env)))
	}
	s.Active = verb != "stop"
	return nil
}

func onOff(on bool) string {
	if on {
		return "enable"
	}
	return "disable"
}

// manageScript does $2 (start, stop, restart, reload, enable, disable) to the
// service $1 of the manager $3. What an init script starts may keep the
// script's output open for ever, so that goes to a file and not to us.
const manageScript = `LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/sbin:/sbin
if [ "$3" = systemd ]; then exec systemctl "$2" "$1"; fi
case $2 in
enable|disable)
  if command -v update-rc.d >/dev/null; then
    [ "$2" = disable ] || update-rc.d "$1" defaults || exit
    exec update-rc.d "$1" "$2"
  fi
  command -v chkconfig >/dev/null || { echo "neither update-rc.d nor chkconfig is there" >&2; exit 1; }
  if [ "$2" = enable ]; then exec chkconfig "$1" on; else exec chkconfig "$1" off; fi ;;
esac
said=$(mktemp) || exit
"/etc/init.d/$1" "$2" </dev/null >"$said" 2>&1
code=$?
cat "$said" >&2
rm -f "$said"
exit $code
`

// evidence is the end of what the service says of itself.
func (s *Service) evidence(ctx context.Context, env *module.Env) string {
	if s.have.manager != "systemd" {
		return ""
	}
	script := `systemctl status --no-pager --full --lines 0 "$1"; journalctl --no-pager --quiet --output short --lines 15 --unit "$1"; exit 0`
	res, err := env.Run(ctx, conn.Script(script, s.Name))
	if err != nil {
		return "" // the failure itself is reported; that its reason can't be had is no news
	}
	return strings.TrimSpace(res.Stdout)
}

// refused adds to a failure what the service said and what to do.
func (s *Service) refused(err error, evidence string) error {
	var lines []string
	if evidence != "" {
		lines = append(lines, evidence)
	}
	remedy := fmt.Sprintf("see what it says: journalctl --unit %s", s.Name)
	if s.have.manager == "sysv" {
		remedy = "see what its own log says"
	}
	return module.Explain(err, remedy+"; without root, set sudo = true in the target block", lines...)
}
