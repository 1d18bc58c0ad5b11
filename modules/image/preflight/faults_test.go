package preflight

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fault is a way in which an image is bad, and what must be said of it.
type fault struct {
	id       string
	verdict  Verdict
	config   func(settings)
	more     []addition
	want     Want
	evidence string // all pieces, joined by "…"
	remedy   string
	layer    int
}

const added = 4 // number of the first layer on top of the sample

func without(paths ...string) []addition {
	l := layer{}
	for _, p := range paths {
		dir, base, _ := cutLast(p)
		l[dir+"/.wh."+base] = text("")
	}
	return []addition{{"RUN rm " + strings.Join(paths, " "), l}}
}

func cutLast(p string) (dir, base string, ok bool) {
	i := strings.LastIndexByte(p, '/')
	return p[:i], p[i+1:], i > 0
}

func with(p string, e entry) []addition { return []addition{{"COPY x " + p, layer{p: e}}} }

// altered is a file of this machine with a change by the hand of the test.
func altered(t testing.TB, from string, change func([]byte) []byte) entry {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	got := change(slices.Clone(content))
	require.NotEqual(t, content, got, "the change changed nothing")
	return entry{content: got, mode: 0o755}
}

func replace(old, with string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(old), []byte(with)) }
}

// forARM makes an ELF file say that it is for arm64.
func forARM(b []byte) []byte {
	binary.LittleEndian.PutUint16(b[18:], 183)
	return b
}

func env(pairs ...string) func(settings) {
	return func(s settings) {
		var list []string
		for _, old := range s["Env"].([]string) {
			name, _, _ := strings.Cut(old, "=")
			if !slices.ContainsFunc(pairs, func(p string) bool { return strings.HasPrefix(p, name+"=") }) {
				list = append(list, old)
			}
		}
		s["Env"] = append(list, pairs...)
	}
}

func set(name string, value any) func(settings) { return func(s settings) { s[name] = value } }

// require holds a finding to what is expected of it.
func (c fault) require(t *testing.T) {
	t.Helper()
	made(t)
	config := usual()
	if c.config != nil {
		c.config(config)
	}
	got := judge(t, image(t, config, c.more...), c.want)[c.id]
	all := strings.Join(got.Evidence, "\n")
	require.Equal(t, string(c.verdict), got.Verdict, all)
	for _, piece := range strings.Split(c.evidence, "…") {
		require.Contains(t, all, piece)
	}
	require.Contains(t, got.Remedy, c.remedy)
	require.Equal(t, c.layer, got.Layer, all)
	if c.layer > 0 && c.id != "B6.18" {
		require.NotEmpty(t, got.History)
	}
}

// many keeps tests of many images out of the short run.
func many(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("makes a few dozen images")
	}
	made(t)
}

func TestFaultsOfTheServer(t *testing.T) {
	many(t)
	for name, c := range map[string]fault{
		"one folder too many": {id: "B6.1", verdict: Fail, want: Want{Root: "/usr"}, evidence: "there is no /usr/bin/postgres…there is a " + root + "/bin/postgres", remedy: "one folder too many", layer: 2},
		"no shared files":     {id: "B6.1", verdict: Fail, more: without(share + "/postgres.bki"), evidence: "there is no " + share + "/postgres.bki…deletes", remedy: "side by side", layer: added},
		"a script as server":  {id: "B6.1", verdict: Fail, more: with(root+"/bin/postgres", script("#!/bin/sh\n")), evidence: "cannot be read: no ELF file", layer: added},
		"no server, no rest":  {id: "B6.6", verdict: Unknown, config: env("PGROOT=/opt"), evidence: "see B6.1"},
		"argument not given":  {id: "B6.1", verdict: Fail, config: env("PGROOT=/usr/pgsql-"), evidence: "there is no /usr/pgsql-/bin/postgres", remedy: "--build-arg PG_MAJOR"},
		"another major":       {id: "B6.2", verdict: Fail, want: Want{Major: "11"}, evidence: "is not of major 11, which pg_major asks for", remedy: "pg_major", layer: 2},
		"no version": {id: "B6.2", verdict: Unknown, more: with(root+"/bin/postgres", altered(t, sample.root+"/bin/postgres", func(b []byte) []byte {
			return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("postgres (Postgre"), []byte("pastgres (Postgre")), []byte("\x00PostgreSQL "), []byte("\x00Postgres-- "))
		})), evidence: "no version among its texts"},
		"a program is missing":  {id: "B6.3", verdict: Fail, more: without(root + "/bin/pg_rewind"), evidence: root + "/bin/pg_rewind is missing…deletes", layer: added},
		"no pg_config":          {id: "B6.3", verdict: Warn, more: without(root + "/bin/pg_config"), evidence: "no extension can be built"},
		"not executable":        {id: "B6.3", verdict: Fail, more: with(root+"/bin/initdb", entry{from: sample.root + "/bin/initdb", mode: 0o640}), evidence: "cannot be executed by uid 26: mode 0640", remedy: "chmod 755", layer: added},
		"built for a cluster":   {id: "B6.4", verdict: Fail, more: with(root+"/bin/initdb", altered(t, sample.root+"/bin/initdb", replace("The database cluster will be initialized", nodeName+strings.Repeat(" ", 6)))), evidence: "node name is mandatory", remedy: "--disable-cluster", layer: added},
		"initdb is gone":        {id: "B6.4", verdict: Fail, more: without(root + "/bin/initdb"), evidence: "initdb", layer: added},
		"initdb without sample": {id: "B6.4", verdict: Fail, more: without(share + "/postgresql.conf.sample"), evidence: "postgresql.conf.sample", layer: added},
		"another catalog": {id: "B6.19", verdict: Fail, more: with(root+"/bin/postgres", altered(t, sample.root+"/bin/postgres", func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("PG_"+sample.major+"_2"), []byte("PG_"+sample.major+"_3"))
		})), evidence: "catalog version 3", remedy: "pgBackRest does not know", layer: added},
		"other nodes":         {id: "B6.20", verdict: Fail, want: Want{Arch: "arm64"}, evidence: "the image is for amd64, the nodes are arm64", remedy: "--platform=linux/arm64", layer: 2},
		"server of an ARM":    {id: "B6.20", verdict: Fail, more: with(root+"/bin/postgres", altered(t, sample.root+"/bin/postgres", forARM)), evidence: "the server is built for arm64, not amd64", layer: added},
		"locale is missing":   {id: "B6.5", verdict: Fail, more: without("/usr/lib/locale/en_US.utf8/LC_CTYPE"), evidence: "no locale en_US.utf-8", remedy: "localedef -i en_US -f UTF-8 en_US.UTF-8", layer: 1},
		"archive is damaged":  {id: "B6.5", verdict: Warn, more: with("/usr/lib/locale/locale-archive", text("nonsense that is long enough for a header")), evidence: "no locale-archive of glibc", remedy: "localedef"},
		"wide open to others": {id: "B6.11", verdict: Fail, more: []addition{{"RUN chmod 700 lib", layer{root + "/lib": {dir: true, mode: 0o700}}}}, evidence: "uid 26 may not read " + root + "/lib (owner 0:0, mode 0700)", remedy: "chmod -R a+rX", layer: added},
		"data not writable":   {id: "B6.11", verdict: Fail, more: []addition{{"RUN mkdir", layer{"/pgdata": owned(0, 0, 0o755)}}}, evidence: "/pgdata is not writable by uid 26: owner 0:0, mode 0755", remedy: "chown -R 26:26 /pgdata", layer: added},
		"tmp not writable":    {id: "B6.11", verdict: Fail, more: []addition{{"RUN mkdir /tmp", layer{"/tmp": owned(0, 0, 0o755)}}}, evidence: "may not write to /tmp", remedy: "chmod 1777 /tmp", layer: added},
		"group without right": {id: "B6.11", verdict: Warn, more: []addition{{"RUN chmod", layer{"/pgdata": owned(26, 26, 0o700)}}}, evidence: "mode 0700", remedy: "chmod -R g=u /pgdata", layer: added},
		"unknown uid":         {id: "B6.11", verdict: Fail, more: with("/etc/passwd", text("root:x:0:0::/:/bin/sh\n")), evidence: "no uid 26", remedy: "useradd -u 26", layer: added},
	} {
		t.Run(name, c.require)
	}
}

func TestFaultsOfLibraries(t *testing.T) {
	many(t)
	lib, pgaudit := root+"/lib/", sample.root+"/lib/pgaudit.so"
	magic := string(words(56, uint32(number(sample.major)*100)))
	libpq := "/usr/lib/x86_64-linux-gnu/libpq.so.5"
	for name, c := range map[string]fault{
		"pgaudit deleted":   {id: "B6.6", verdict: Fail, more: without(lib + "pgaudit.so"), evidence: "could not access file \"pgaudit.so\"…layer 4 of 4 (RUN rm " + lib + "pgaudit.so) deletes…which came with layer 2", remedy: "PG_CONFIG=" + root + "/bin/pg_config", layer: added},
		"pgaudit elsewhere": {id: "B6.6", verdict: Fail, more: append(without(lib+"pgaudit.so"), with("/usr/lib64/pgsql/pgaudit.so", program(pgaudit))...), evidence: "there is one in /usr/lib64/pgsql/pgaudit.so", layer: added},
		"no control file":   {id: "B6.6", verdict: Warn, more: without(share + "/extension/pgaudit.control"), evidence: "CREATE EXTENSION pgaudit fails", remedy: "make install", layer: added},
		"no script":         {id: "B6.6", verdict: Warn, more: with(share+"/extension/pgaudit.control", text("default_version = '9.9'\n")), evidence: "leads to version 9.9 of pgaudit", layer: added},
		"of another major": {id: "B6.7", verdict: Fail, more: with(lib+"pgaudit.so", altered(t, pgaudit, func(b []byte) []byte {
			copy(b[bytes.Index(b, []byte(magic)):], words(28, 1100, 100, 32, 64, 1, 1))
			return b
		})), evidence: "is built for major 11, the server is of " + sample.major + "…version mismatch", remedy: "Build pgaudit again", layer: added},
		"of other limits":     {id: "B6.7", verdict: Fail, more: with(lib+"pgaudit.so", altered(t, pgaudit, replace(magic+"\x64\x00\x00\x00", magic+"\x65\x00\x00\x00"))), evidence: "built for a server of other limits", layer: added},
		"no magic block":      {id: "B6.7", verdict: Fail, more: with(lib+"pgaudit.so", altered(t, pgaudit, replace("Pg_magic_func", "Pg_tragic_fun"))), evidence: "missing magic block", layer: added},
		"a symbol too many":   {id: "B6.7", verdict: Fail, more: with(lib+"pgaudit.so", altered(t, pgaudit, replace("\x00palloc0\x00", "\x00pallocX\x00"))), evidence: "wants pallocX, which neither…undefined symbol", layer: added},
		"for another machine": {id: "B6.7", verdict: Fail, more: with(lib+"pgaudit.so", altered(t, pgaudit, forARM)), evidence: "is built for arm64, the server for amd64", layer: added},
		"cut short":           {id: "B6.7", verdict: Fail, more: with(lib+"pgaudit.so", altered(t, pgaudit, func(b []byte) []byte { return b[:2000] })), evidence: "damaged ELF file", layer: added},
		"a program instead":   {id: "B6.7", verdict: Fail, more: with(lib+"pgaudit.so", program("/bin/bash")), evidence: "PG_MODULE_MAGIC", layer: added},
		"missing, so no fit":  {id: "B6.7", verdict: Unknown, more: without(lib + "pgaudit.so"), evidence: "see B6.6"},
		"branch of another":   {id: "B6.8", verdict: Fail, more: with(share+"/extension/pgaudit.control", text("default_version = '1.3'\n")), evidence: "pgaudit 1.3 is for another major", remedy: "branch " + pgauditBranches[sample.major], layer: added},
		"no branch":           {id: "B6.8", verdict: Unknown, more: without(share + "/extension/pgaudit.control"), evidence: "see B6.6"},
		"libpq went away":     {id: "B6.9", verdict: Fail, more: without(libpq), evidence: "psycopg2: /usr/lib/python3/dist-packages/psycopg2/_psycopg.so wants libpq.so.5, which is not found…pgBackRest: …deletes a libpq.so.5", remedy: "Keep a libpq.so.5", layer: added},
		"libpq aside":         {id: "B6.9", verdict: Fail, more: append(without(libpq), with(lib+"libpq.so.5", program(libpq))...), evidence: "there is " + lib + "libpq.so.5, where the loader does not look", layer: added},
		"no psycopg2":         {id: "B6.9", verdict: Fail, more: without("/usr/lib/python3/dist-packages/psycopg2/_psycopg.so"), evidence: "no psycopg2", remedy: "python3-psycopg2"},
		"no pgBackRest":       {id: "B6.9", verdict: Fail, more: without("/usr/bin/pgbackrest"), evidence: "no pgbackrest in", remedy: "Install pgBackRest"},
		"no receiver":         {id: "B6.10", verdict: Fail, more: without(lib + "libpqwalreceiver.so"), evidence: "it is missing", remedy: "no standby", layer: added},
		"receiver, no libpq":  {id: "B6.10", verdict: Fail, more: without(libpq), evidence: "wants libpq.so.5, which is not found", layer: added},
		"libpq too old":       {id: "B6.10", verdict: Fail, more: with(libpq, altered(t, libpq, replace("\x00PQconninfo\x00", "\x00PQc0nninfo\x00"))), evidence: "undefined symbol: PQconninfo", remedy: "older libpq", layer: 2},
		"glibc too old":       {id: "B6.12", verdict: Fail, more: with("/usr/lib/x86_64-linux-gnu/libc.so.6", altered(t, "/lib/x86_64-linux-gnu/libc.so.6", replace("\x00GLIBC_2.34\x00", "\x00GLIBD_2.34\x00"))), evidence: "wants GLIBC_2.34, which /usr/lib/x86_64-linux-gnu/libc.so.6 does not define", remedy: "newer base", layer: 2},
		"no glibc":            {id: "B6.12", verdict: Fail, more: without("/usr/lib/x86_64-linux-gnu/libc.so.6"), evidence: "the image has none", layer: 2},
		"a library is gone":   {id: "B6.13", verdict: Fail, more: without("/usr/lib/x86_64-linux-gnu/libz.so.1"), evidence: "wants libz.so.1, which is not found", remedy: "ldconfig", layer: 2},
		"optional library":    {id: "B6.13", verdict: Warn, more: with(lib+"plextra.so", altered(t, sample.root+"/lib/libpqwalreceiver.so", replace("libpq.so.5", "libqq.so.5"))), evidence: "wants libqq.so.5", remedy: "that part"},
		"preloaded by YAML":   {id: "B6.17", verdict: Fail, more: with("/opt/cpm/conf/more.yml", text("postgresql:\n  parameters:\n    shared_preload_libraries: 'timescaledb, pgaudit'\n")), evidence: lib + "timescaledb.so is not there…more.yml preloads timescaledb, pgaudit", remedy: "shared_preload_libraries", layer: 2},
		"preloaded by wish":   {id: "B6.17", verdict: Fail, want: Want{Preload: []string{"auto_explain"}}, evidence: lib + "auto_explain.so is not there", layer: 2},
	} {
		t.Run(name, c.require)
	}
}

// words is how the magic block of an extension begins.
func words(list ...uint32) (out []byte) {
	for _, w := range list {
		out = binary.LittleEndian.AppendUint32(out, w)
	}
	return out
}

func number(major string) (n int) {
	for _, r := range major {
		n = n*10 + int(r-'0')
	}
	return n
}

func TestFaultsOfWhatSurroundsTheServer(t *testing.T) {
	many(t)
	meta := "/usr/lib/python3/dist-packages/patroni-3.0.2.dist-info/METADATA"
	start := operatorEntrypoint
	for name, c := range map[string]fault{
		"no Patroni":           {id: "B6.14", verdict: Fail, more: without("/usr/local/bin/patroni"), evidence: "there is no patroni", remedy: "Install Patroni"},
		"Patroni unlike label": {id: "B6.14", verdict: Fail, config: set("Labels", map[string]string{"patroni.version": "1.6.3"}), evidence: "the label patroni.version says 1.6.3, the image has 3.0.2", layer: 1},
		"old, no kubernetes":   {id: "B6.14", verdict: Fail, more: with(meta, text("Version: 1.6.3\n")), evidence: "needs the Python package kubernetes", remedy: "patroni[kubernetes]==1.6.3", layer: 1},
		"no metadata":          {id: "B6.14", verdict: Unknown, more: without(meta), evidence: "no metadata"},
		"no interpreter":       {id: "B6.14", verdict: Fail, more: without("/usr/bin/python3"), evidence: "run by /usr/bin/python3, which is not in the image", layer: 1},
		"no scripts":           {id: "B6.15", verdict: Fail, more: without("/opt/cpm"), evidence: "there are no scripts", remedy: "images/antdb-ha"},
		"script not runnable":  {id: "B6.15", verdict: Fail, more: with("/opt/cpm/bin/liveness.sh", text("#!/bin/bash\n")), evidence: "not executable by uid 26", remedy: "chmod 755", layer: added},
		"script without shell": {id: "B6.15", verdict: Fail, more: with("/opt/cpm/bin/x.sh", script("echo\n")), evidence: "it has no #! line", layer: added},
		"yq is called":         {id: "B6.15", verdict: Fail, more: with("/opt/cpm/bin/y.sh", script("#!/bin/bash\na=$(/opt/cpm/bin/yq r x.yaml a)\n")), evidence: "calls yq, which is not in the image", remedy: "Install yq"},
		"yq of an ARM":         {id: "B6.15", verdict: Fail, more: append(with("/opt/cpm/bin/y.sh", script("#!/bin/bash\nyq m -x a b\n")), with("/opt/cpm/bin/yq", altered(t, "/bin/bash", forARM))...), evidence: "/opt/cpm/bin/yq is for arm64", layer: 5},
		"nothing starts":       {id: "B6.16", verdict: Fail, config: func(s settings) { delete(s, "Entrypoint"); delete(s, "Cmd") }, evidence: "no ENTRYPOINT and no CMD", remedy: start},
		"no entrypoint":        {id: "B6.16", verdict: Fail, config: func(s settings) { delete(s, "Entrypoint") }, evidence: "no ENTRYPOINT, only CMD", remedy: start},
		"CMD taken away":       {id: "B6.16", verdict: Fail, config: func(s settings) { delete(s, "Cmd") }, evidence: "starts no Patroni", remedy: "takes the base's CMD away"},
		"another entrypoint":   {id: "B6.16", verdict: Warn, config: set("Entrypoint", []string{"/bin/bash"}), evidence: "ENTRYPOINT is [\"/bin/bash\"]", remedy: start},
		"entrypoint is gone":   {id: "B6.16", verdict: Fail, more: without(start), evidence: start + " is not in the image…deletes", layer: added},
		"root":                 {id: "B6.16", verdict: Fail, config: set("User", ""), evidence: "run as root", remedy: "USER 26"},
		"another user":         {id: "B6.16", verdict: Fail, config: set("User", "1000:1000"), evidence: "uid 1000", remedy: "USER 26"},
		"user by name":         {id: "B6.16", verdict: Pass, config: set("User", "postgres"), evidence: "USER postgres"},
		"no PGROOT":            {id: "B6.16", verdict: Fail, config: env("PGROOT="), evidence: "no PGROOT", remedy: "ENV PGROOT=" + root},
		"half a PGROOT":        {id: "B6.16", verdict: Fail, config: env("PGROOT=/usr/pgsql-"), evidence: "an argument without a value", remedy: "--build-arg PG_MAJOR"},
		"PATH without server":  {id: "B6.16", verdict: Fail, config: env("PATH=/usr/local/bin:/usr/bin:/bin"), evidence: "PATH does not lead", remedy: "ENV PATH=" + root},
		"no locale":            {id: "B6.16", verdict: Warn, config: env("LC_ALL=", "LANG="), evidence: "sets no locale", remedy: "en_US.utf-8"},
		"secret in history":    {id: "B6.18", verdict: Fail, more: []addition{{"RUN |1 DB_PASSWORD=hunter2 /bin/sh -c true", layer{"/x": text("x")}}}, evidence: "the history holds a secret: DB_PASSWORD=", remedy: "--mount=type=secret", layer: added},
		"secret in an address": {id: "B6.18", verdict: Fail, more: []addition{{"ADD https://bob:hunter2@example.com/a.tar.gz /", layer{"/x": text("x")}}}, evidence: "a password in a https address", layer: added},
		"secret in the ENV":    {id: "B6.18", verdict: Fail, config: env("PGPASSWORD=hunter2"), evidence: "the environment holds a secret: PGPASSWORD=", remedy: "public"},
		"key in a layer":       {id: "B6.18", verdict: Warn, more: with("/root/.ssh/id_rsa", text("key")), evidence: "/root/.ssh/id_rsa is in the image", layer: added},
		"key below a layer":    {id: "B6.18", verdict: Warn, more: append(with("/root/.ssh/id_rsa", text("key")), without("/root/.ssh/id_rsa")...), evidence: "layer 5 deletes /root/.ssh/id_rsa (in layer 4)"},
		"no secrets":           {id: "B6.18", verdict: Pass, config: env("PGPASSFILE=/x", "POSTGRES_PASSWORD=$FROM", "SECRET=", "password_encryption=md5"), evidence: "MiB in 3 layers"},
	} {
		t.Run(name, c.require)
	}
}

func TestSecretsAreNeverRepeated(t *testing.T) {
	made(t)
	img := image(t, nil, addition{"RUN |1 DB_PASSWORD=hunter2 /bin/sh -c curl https://bob:hunter2@x/", layer{"/usr/lib64/x": text("x")}})
	for _, f := range judge(t, img, Want{}) {
		require.NotContains(t, strings.Join(f.Evidence, " ")+f.Remedy+f.History, "hunter2", f.ID)
	}
}
