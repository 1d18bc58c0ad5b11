package lang

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/secret"
)

// useAll is a step that uses the named secrets.
func useAll(names ...string) string {
	var b strings.Builder
	b.WriteString("\nstep \"sql.role\" \"use\" {\n  role = \"x\"\n  secrets = {\n")
	for _, n := range names {
		b.WriteString("    " + n + " = secret." + n + "\n")
	}
	b.WriteString("  }\n}\n")
	return b.String()
}

func revealed(t *testing.T, r *Runbook) map[string]string {
	t.Helper()
	ex, diags := r.Step("use").Expand(r.Scope())
	noFaults(t, diags)
	args, diags := ex.Instances[0].Decode(r.Scope())
	noFaults(t, diags)
	out := map[string]string{}
	for name, v := range args.GetAttr("secrets").AsValueMap() {
		out[name] = v.EncapsulatedValue().(*secret.Value).Reveal()
	}
	return out
}

func encrypted(t *testing.T, text string) (file, identity string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, id.Recipient())
	require.NoError(t, err)
	_, err = w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, armored.Close())
	return out.String(), id.String()
}

func TestSecretsOfEveryOrigin(t *testing.T) {
	cipher, identity := encrypted(t, "from age\n")
	dir := folder(t, map[string]string{
		"keys/pw":    "from file\n",
		"keys/x.age": cipher,
		"keys/id":    "# a comment\n" + identity + "\n",
		"main.hcl": `
locals { keys = "keys" }
secret "env"   { env = "PW" }
secret "file"  { file = "${local.keys}/pw" }
secret "aged"  {
  age {
    file     = "keys/x.age"
    identity = "keys/id"
  }
}
secret "aged2" {
  age {
    file         = "keys/x.age"
    identity_env = "AGE_ID"
  }
}
secret "made" {
  generate = { length = 30, charset = "ab" }
  file     = "made/pw"
}
secret "unused" { env = "NOT_SET" }
` + useAll("env", "file", "aged", "aged2", "made"),
	})
	lookup := env(map[string]string{"PW": "from env", "AGE_ID": identity})
	var hidden secret.Redactor
	resolve := func() map[string]string {
		r, diags := Load(filepath.Join(dir, "main.hcl"), Options{Registry: modules, LookupEnv: lookup})
		noFaults(t, diags)
		noFaults(t, r.ResolveSecrets(t.Context(), &hidden))
		return revealed(t, r)
	}
	first := resolve()
	made := first["made"]
	require.Equal(t, map[string]string{"env": "from env", "file": "from file", "aged": "from age", "aged2": "from age", "made": made}, first)
	require.Len(t, made, 30)
	require.Empty(t, strings.Trim(made, "ab"))
	require.Equal(t, "(secret), (secret), (secret)", hidden.Redact("from env, from age, "+made))
	info, err := os.Stat(filepath.Join(dir, "made/pw"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	require.Equal(t, first, resolve(), "a generated secret stays what it is")
	left, err := os.ReadDir(filepath.Join(dir, "made"))
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestMissingSecretsAreReportedAtTheirBlocks(t *testing.T) {
	cipher, _ := encrypted(t, "x")
	_, stranger := encrypted(t, "y")
	dir := folder(t, map[string]string{
		"x.age": cipher, "id": stranger, "broken": "AGE-SECRET-KEY-1NOTONE", "empty": "",
		"main.hcl": `secret "env" { env = "PW" }
secret "file" { file = "none" }
secret "empty" { file = "empty" }
secret "stranger" {
  age {
    file = "x.age"
    identity = "id"
  }
}
secret "broken" {
  age {
    file = "x.age"
    identity = "broken"
  }
}` + useAll("env", "file", "empty", "stranger", "broken"),
	})
	r, diags := Load(dir, Options{Registry: modules, LookupEnv: noEnv})
	noFaults(t, diags)
	diags = r.ResolveSecrets(t.Context(), nil)
	var lines []int
	text := diags.Error()
	for _, d := range diags {
		lines = append(lines, d.Subject.Start.Line)
		text += d.Detail
	}
	require.Equal(t, []int{1, 2, 3, 4, 10}, lines)
	require.Contains(t, text, "the environment variable PW is not set")
	require.NotContains(t, text, "AGE-SECRET-KEY-1NOTONE")
}

func TestSecretsAreUnknownUntilTheyAreRead(t *testing.T) {
	r := load(t, `secret "pw" { env = "PW" }`+useAll("pw"), func(o *Options) { o.LookupEnv = env(map[string]string{"PW": "hunter2"}) })
	ex, diags := r.Step("use").Expand(r.Scope())
	noFaults(t, diags)
	args, diags := ex.Instances[0].Decode(r.Scope())
	noFaults(t, diags)
	require.Equal(t, cty.UnknownVal(secret.Type), args.GetAttr("secrets").Index(cty.StringVal("pw")))
	noFaults(t, r.ResolveSecrets(t.Context(), nil))
	require.Equal(t, map[string]string{"pw": "hunter2"}, revealed(t, r))
}

func TestSettingsOfTargets(t *testing.T) {
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	r := load(t, `
secret "pw" { env = "PW" }
target "ssh" "nodes" {
  hosts          = ["n1"]
  password       = secret.pw
  identity       = "~/.ssh/lab"
  known_hosts    = ["known", "/etc/known"]
  host_key_check = "accept-new"
  sudo           = true
  sudo_password  = "plain"
  jump           = "gate"
  max_sessions   = 4
  ssh_config     = "config"
}
target "docker" "builder" {
  host = "unix:///x"
  via  = target.nodes.hosts["n1"]
}
target "docker" "db" { container = "antdb" }
target "kubernetes" "lab" {
  kubeconfig = "kube"
  context    = "lab"
  namespace  = "pgo"
}`, func(o *Options) { o.LookupEnv = env(map[string]string{"PW": "hunter2"}) })
	noFaults(t, r.ResolveSecrets(t.Context(), nil))
	all, diags := r.Settings()
	noFaults(t, diags)
	ssh := all["nodes"]
	require.Equal(t, "hunter2", ssh.Password.Reveal())
	require.Equal(t, "plain", ssh.SudoPassword.Reveal())
	require.Equal(t, []string{filepath.Join(home, ".ssh/lab")}, ssh.IdentityFiles)
	require.Equal(t, []string{filepath.Join(r.Dir, "known"), "/etc/known"}, ssh.KnownHosts)
	require.Equal(t, filepath.Join(r.Dir, "config"), ssh.ConfigFile)
	require.True(t, ssh.Sudo)
	require.Equal(t, []any{"accept-new", "gate", 4}, []any{ssh.HostKeyCheck, ssh.Jump, ssh.MaxSessions})
	require.Equal(t, "n1", all["builder"].Via.Address)
	require.Equal(t, "unix:///x", all["builder"].DockerHost)
	require.Equal(t, "container", all["db"].Kind)
	require.Equal(t, []string{filepath.Join(r.Dir, "kube"), "lab", "pgo"}, []string{all["lab"].Kubeconfig, all["lab"].Context, all["lab"].Namespace})
	require.Contains(t, all, "local")
}

func TestNullLeavesAnArgumentOut(t *testing.T) {
	r := load(t, `
variable "no" { default = null }
target "ssh" "nodes" {
  hosts        = ["n1"]
  user         = var.no
  port         = var.no
  identity     = var.no
  known_hosts  = var.no
  password     = var.no
  sudo         = var.no
  max_sessions = var.no
  jump         = var.no
}
target "docker" "d" {
  host      = var.no
  via       = var.no
  container = var.no
}
step "host.file" "f" {
  path    = "/f"
  timeout = var.no
  confirm = var.no
  retry {
    attempts = 2
    delay    = var.no
    backoff  = var.no
  }
}`)
	all, diags := r.Settings()
	noFaults(t, diags)
	require.Equal(t, conn.Settings{Kind: conn.SSH}, all["nodes"])
	require.Equal(t, conn.Settings{Kind: conn.Docker}, all["d"])
	require.Equal(t, conn.Target{Kind: conn.Docker, Name: "d", Config: "d"}, r.Targets[1].Hosts[0])
	require.Equal(t, &Retry{Attempts: 2, Backoff: 1}, r.Step("f").Retry)
	require.Zero(t, r.Step("f").Timeout)
}
