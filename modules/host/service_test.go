package host

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestServiceExampleParses(t *testing.T) { moduletest.Example(t, module.Of[Service]()) }

// fakeSystemctl stands in for systemd, which does not run where tests run: a
// machine of its own would be needed. Units are folders of $UNITS with a file
// for each property; `broken` fails to start. It answers as systemd 252 does.
const fakeSystemctl = `#!/bin/sh
cd "$UNITS" || exit 1
verb=$1
for unit; do :; done
prop() { if [ -e "$unit/$1" ]; then cat "$unit/$1"; else echo "$2"; fi; }
echo "$*" >>calls
case $verb in
show)
  if [ -d "$unit" ]; then load=loaded; else load=not-found; fi
  printf 'LoadState=%s\nActiveState=%s\nSubState=%s\nUnitFileState=%s\n' \
    "$(prop load $load)" "$(prop active inactive)" dead "$([ -d "$unit" ] && prop file disabled)" ;;
enable) echo enabled >"$unit/file" ;;
disable) echo disabled >"$unit/file" ;;
start|restart)
  if [ "$unit" = broken ]; then
    echo failed >"$unit/active"
    echo "Job for broken.service failed because the control process exited with error code." >&2
    exit 1
  fi
  echo active >"$unit/active" ;;
stop) echo inactive >"$unit/active" ;;
reload) ;;
status) echo "x $unit.service - failed (Result: exit-code)"; exit 3 ;;
esac
`

// fakeSystemd gives a host whose systemctl is the fake, and the folder of units.
func fakeSystemd(t *testing.T, units ...string) (conn.Host, string) {
	t.Helper()
	dir := t.TempDir()
	bin := dir + "/bin"
	require.NoError(t, os.Mkdir(bin, 0o755))
	write(t, bin+"/systemctl", strings.Replace(fakeSystemctl, "$UNITS", dir, 1), 0o755)
	write(t, bin+"/journalctl", "#!/bin/sh\necho \"broken[42]: cannot bind port 5432\"\n", 0o755)
	for _, u := range units {
		require.NoError(t, os.Mkdir(dir+"/"+u, 0o755))
	}
	return withPath{local.New(), bin + ":" + os.Getenv("PATH")}, dir
}

// verbs are the commands that changed something.
func verbs(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(read(t, dir+"/calls")) {
		if !strings.HasPrefix(line, "show") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

func TestServiceIsEnabledAndStartedOnce(t *testing.T) {
	h, dir := fakeSystemd(t, "docker")
	step := stepOn[Service](t, h, dir, "name = \"docker\"\nstate = \"started\"\nenabled = true")
	counted := &counter{Host: h}
	step.Env().Host = counted
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, 1, counted.commands)
	require.Equal(t, "docker: enabled false → true, state stopped → started", change.Summary)
	require.Empty(t, verbs(t, dir), "Check changed something")

	out := step.Converge(module.Update)
	require.True(t, out.GetAttr("active").True())
	require.Equal(t, "systemd", out.GetAttr("manager").AsString())
	require.Equal(t, []string{"enable docker", "start docker"}, verbs(t, dir))

	stepOn[Service](t, h, dir, "name = \"docker\"\nstate = \"stopped\"").Converge(module.Update)
	stepOn[Service](t, h, dir, "name = \"docker\"\nenabled = false").Converge(module.Update)
	require.Equal(t, []string{"enable docker", "start docker", "stop docker", "disable docker"}, verbs(t, dir))
}

func TestServiceIsRestartedEachTime(t *testing.T) {
	h, dir := fakeSystemd(t, "docker")
	step := stepOn[Service](t, h, dir, "name = \"docker\"\nstate = \"restarted\"")
	for range 2 {
		change, _, err := step.Apply()
		require.NoError(t, err)
		require.Equal(t, module.Run, change.Action)
		require.Equal(t, "restart docker", change.Summary)
	}
	reload, _, err := stepOn[Service](t, h, dir, "name = \"docker\"\nstate = \"reloaded\"").Apply()
	require.NoError(t, err)
	require.Equal(t, "reload docker", reload.Summary)
	require.Equal(t, []string{"restart docker", "restart docker", "reload docker"}, verbs(t, dir))
}

func TestServiceThatDoesNotStartShowsItsJournal(t *testing.T) {
	h, dir := fakeSystemd(t, "broken")
	step := stepOn[Service](t, h, dir, "name = \"broken\"\nstate = \"started\"")
	_, _, err := step.Apply()
	aboutArg(t, err, "state", "start broken", "control process exited")
	var why *module.Explained
	require.ErrorAs(t, err, &why)
	require.Contains(t, strings.Join(why.Evidence, "\n"), "cannot bind port 5432")
	require.Contains(t, why.Remedy, "journalctl --unit broken")

	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, "broken: state failed → started", change.Summary)
}

func TestMissingServiceFailsOnlyWhenItIsNeeded(t *testing.T) {
	h, dir := fakeSystemd(t)
	step := stepOn[Service](t, h, dir, "name = \"docker\"\nstate = \"started\"")
	change, _, err := step.Check()
	require.NoError(t, err, "a step before may install it")
	require.Equal(t, "docker: state missing → started", change.Summary)
	_, _, err = step.Apply()
	aboutArg(t, err, "name", `no service "docker"`)
	gone, _, err := stepOn[Service](t, h, dir, "name = \"docker\"\nstate = \"stopped\"\nenabled = false").Check()
	require.NoError(t, err)
	require.False(t, gone.Wanted(), gone.Summary)
}

func TestMaskedAndStaticUnitsAreExplained(t *testing.T) {
	h, dir := fakeSystemd(t, "docker")
	write(t, dir+"/docker/load", "masked\n", 0o644)
	_, _, err := stepOn[Service](t, h, dir, "name = \"docker\"\nstate = \"started\"").Apply()
	aboutArg(t, err, "name", "masked")
	require.Contains(t, remedyOf(t, err), "systemctl unmask docker")
	require.NoError(t, os.Remove(dir+"/docker/load"))
	write(t, dir+"/docker/file", "static\n", 0o644)
	_, _, err = stepOn[Service](t, h, dir, "name = \"docker\"\nenabled = true").Apply()
	aboutArg(t, err, "enabled", `"static"`)
}

// An init script needs no stand-in: where systemctl does not answer, those in
// /etc/init.d are what there is. This one is real and ours.
func TestServiceOfAnInitScript(t *testing.T) {
	needsRoot(t)
	if _, err := os.Stat("/etc/init.d"); err != nil {
		t.Skip("needs /etc/init.d")
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		t.Skip("needs a machine without systemd")
	}
	dir := t.TempDir()
	const name = "antdbctl-test-service"
	write(t, "/etc/init.d/"+name, `#!/bin/sh
### BEGIN INIT INFO
# Provides: `+name+`
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: test
### END INIT INFO
case $1 in
start) touch `+dir+`/runs ;;
stop) rm -f `+dir+`/runs ;;
status) [ -e `+dir+`/runs ] || exit 3 ;;
esac
`, 0o755)
	t.Cleanup(func() { require.NoError(t, os.Remove("/etc/init.d/"+name)) })
	h := local.New()
	out := stepOn[Service](t, h, dir, "name = \""+name+"\"\nstate = \"started\"").Converge(module.Update)
	require.Equal(t, "sysv", out.GetAttr("manager").AsString())
	require.FileExists(t, dir+"/runs")
	stepOn[Service](t, h, dir, "name = \""+name+"\"\nenabled = true").Converge(module.Update)
	stepOn[Service](t, h, dir, "name = \""+name+"\"\nenabled = false").Converge(module.Update)
	t.Cleanup(func() { removeLinks(t, name) })
	stepOn[Service](t, h, dir, "name = \""+name+"\"\nstate = \"stopped\"").Converge(module.Update)
	require.NoFileExists(t, dir+"/runs")

	missing := stepOn[Service](t, h, dir, "name = \"no-such-service\"\nstate = \"started\"")
	_, _, err := missing.Apply()
	aboutArg(t, err, "name", `no service "no-such-service"`)
}

func removeLinks(t *testing.T, name string) {
	t.Helper()
	for _, level := range []string{"0", "1", "2", "3", "4", "5", "6", "S"} {
		entries, err := os.ReadDir("/etc/rc" + level + ".d")
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), name) {
				require.NoError(t, os.Remove("/etc/rc"+level+".d/"+e.Name()))
			}
		}
	}
}

func TestPlaceWithoutServicesSaysSo(t *testing.T) {
	_, _, err := stepOn[Service](t, answering{Host: local.New(), stdout: "Manager=none\n"}, t.TempDir(), "name = \"docker\"\nstate = \"started\"").Check()
	require.ErrorContains(t, err, "neither systemd nor /etc/init.d")
}

func TestServiceRules(t *testing.T) {
	aboutArg(t, (&Service{Name: "a/b", State: "started"}).Validate(), "name", "no name")
	aboutArg(t, (&Service{Name: "--now", State: "started"}).Validate(), "name", "no name")
	aboutArg(t, (&Service{Name: "docker"}).Validate(), "state", "say what to keep")
}
