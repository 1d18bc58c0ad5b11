package image

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
)

// answers is an engine that gives one answer, as such engines gave it.
type answers struct {
	conn.Host
	text string
}

func (a answers) Run(context.Context, conn.Cmd) (conn.Result, error) {
	return conn.Result{Stdout: a.text}, nil
}

func TestBuilderOfEveryEngine(t *testing.T) {
	const plugin = `[{"SchemaVersion":"0.1.0","Vendor":"Docker Inc.","Version":"v0.12.1","Name":"buildx","Path":"/usr/libexec/docker/cli-plugins/docker-buildx"}]`
	version := func(client, server, api, os string) string {
		return `{"Client":{"Version":"` + client + `","ApiVersion":"` + api + `"},"Server":{"Version":"` + server + `","ApiVersion":"` + api + `","Os":"` + os + `"}}` + "\n"
	}
	overlay, containerd := `[["Backing Filesystem","extfs"]]`+"\n", `[["driver-type","io.containerd.snapshotter.v1"]]`+"\n"
	for name, c := range map[string]struct {
		answer, want, network string
		kind                  string
		modern, containerd    bool
		err                   string
	}{
		"18.06":               {version("18.06.3-ce", "18.06.3-ce", "1.38", "linux") + overlay, "auto", "", classic, false, false, ""},
		"18.06, buildkit":     {version("18.06.3-ce", "18.06.3-ce", "1.38", "linux") + overlay, buildkit, "", "", false, false, "has no BuildKit"},
		"18.09":               {version("18.09.8", "18.09.8", "1.39", "linux") + overlay, "auto", "host", buildkit, false, false, ""},
		"20.10":               {version("20.10.24+dfsg1", "20.10.24+dfsg1", "1.41", "linux") + overlay + "[]\n", "auto", "", buildkit, false, false, ""},
		"20.10, classic":      {version("20.10.24+dfsg1", "20.10.24+dfsg1", "1.41", "linux") + overlay + "[]\n", classic, "", classic, false, false, ""},
		"own network":         {version("20.10.24", "20.10.24", "1.41", "linux") + overlay + "[]\n", "auto", "corp", classic, false, false, ""},
		"own network, wanted": {version("20.10.24", "20.10.24", "1.41", "linux") + overlay + "[]\n", buildkit, "corp", "", false, false, "into the network corp"},
		"28 with buildx":      {version("28.2.2", "28.2.2", "1.50", "linux") + overlay + plugin, "auto", "", buildkit, true, false, ""},
		"29 with containerd":  {version("29.0.0", "29.0.0", "1.52", "linux") + containerd + plugin, "auto", "", buildkit, true, true, ""},
		"28 without":          {version("28.2.2", "28.2.2", "1.50", "linux") + overlay + "[]\n", "auto", "", classic, true, false, ""},
		"28 without, wanted":  {version("28.2.2", "28.2.2", "1.50", "linux") + overlay + "[]\n", buildkit, "", "", true, false, "only with its buildx plugin"},
		"broken plugin":       {version("28.2.2", "28.2.2", "1.50", "linux") + overlay + `[{"Name":"buildx","Err":"exec format error"}]`, "auto", "", classic, true, false, ""},
		"windows":             {version("28.2.2", "28.2.2", "1.50", "windows") + "null\n" + plugin, "auto", "", classic, true, false, ""},
		"podman":              {`{"Client":{"APIVersion":"4.3.1","Version":"4.3.1","GoVersion":"go1.19.8","GitCommit":"","Built":0,"OsArch":"linux/amd64","Os":"linux"}}` + "\n", "auto", "", "", false, false, "is podman's"},
		"nonsense":            {"hello\n", "auto", "", "", false, false, "no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := docker{answers{text: c.answer}, "test"}.builder(t.Context(), c.want, c.network)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []any{c.kind, c.modern, c.containerd}, []any{got.kind, got.modern, got.containerd})
		})
	}
}

// A host with podman alone is played by programs of a folder: what they print
// is what podman 4.3 printed.
func TestHostWithPodmanAlone(t *testing.T) {
	const emulated = "#!/bin/sh\necho '[]'\necho 'Error: inspecting object: x:1: image not known' >&2\nexit 125\n"
	for name, c := range map[string]struct {
		programs map[string]string
		says     string
	}{
		"under its own name": {map[string]string{"podman": "#!/bin/sh\n"}, "podman but not docker"},
		"under docker's":     {map[string]string{"docker": emulated, "podman": "#!/bin/sh\n"}, "the docker command on test"},
		"nothing at all":     {nil, "docker is not installed"},
	} {
		t.Run(name, func(t *testing.T) {
			bin := t.TempDir()
			require.NoError(t, os.Symlink("/bin/sh", filepath.Join(bin, "sh")))
			for program, text := range c.programs {
				require.NoError(t, os.WriteFile(filepath.Join(bin, program), []byte(text), 0o755))
			}
			t.Setenv("PATH", bin)
			_, _, err := on[Build](t, local.New(), `context = "`+folder(t, map[string]string{"Dockerfile": "FROM scratch\n"})+`"
				tags = ["x:1"]`).Check()
			require.ErrorContains(t, err, c.says)
			var explained *module.Explained
			require.ErrorAs(t, err, &explained)
			require.NotEmpty(t, explained.Remedy)
		})
	}
}
