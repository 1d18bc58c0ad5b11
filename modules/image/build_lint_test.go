package image

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
)

func TestTrapsAreToldWithTheChange(t *testing.T) {
	b := at(t, "builder")
	dir := folder(t, map[string]string{"Dockerfile": `FROM scratch
ARG V=1
RUN export V=2 && make
RUN export V=3 && make install
ADD http://site/x /x
`})
	var said []string
	step := on[Build](t, b, `context = "`+dir+`"
		tags = ["traps:latest"]`)
	step.Env().Logf = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, module.Create, change.Action)
	require.Equal(t, []string{
		"warning: Dockerfile: the image is called traps:latest [tag-latest]",
		"  nodes with an older image of that name go on using it, and Kubernetes pulls `latest` from a registry each time",
		"  give every build a name of its own, such as antdb-ha:4.1-461fafc",
		"warning: Dockerfile:3: export sets V [export-over-arg]",
		"warning: Dockerfile:4: export sets V [export-over-arg]",
		"  the ARG or ENV of that name has no say in this line: changing it changes half of the image",
		"  leave the export out, and give the ARG its value by args",
		"warning: Dockerfile:5: ADD fetches http://site/x [add-url]",
		"  a site without the internet cannot build this, and nobody notices when the file changes",
		"  put the file into the context, or add --checksum=sha256:…",
	}, said)
}

func TestWhatCannotWorkStopsThePlan(t *testing.T) {
	b := at(t, "builder")
	files := map[string]string{"Dockerfile": "FROM scratch\nCOPY a.tar.gz /tmp/\nRUN tar -xf a.tar.gz\n", "a.tar.gz": "<html>404</html>"}
	body := `context = "` + folder(t, files) + `"
		tags = ["stopped:1"]
		`
	_, _, err := on[Build](t, b, body).Check()
	var arg *module.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "dockerfile", arg.Arg)
	require.ErrorContains(t, err, "Dockerfile:2: a.tar.gz (16 B) is a web page; nothing can unpack it [archive-broken] (1 of 2 faults)")
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Remedy, `lint_ignore = ["archive-broken"]`)
	require.Contains(t, explained.Evidence[0], "Dockerfile:3: tar reads a.tar.gz, which is /a.tar.gz here; line 2 puts it at /tmp/a.tar.gz")

	change, _, err := on[Build](t, b, body+`lint_ignore = ["archive-broken", "tar-elsewhere"]`).Check()
	require.NoError(t, err)
	require.True(t, change.Wanted())
	require.ErrorContains(t, on[Build](t, b, body+`lint_ignore = ["tar-elswhere"]`).Validate(), `there is no rule "tar-elswhere": the rules are add-extracts, `)
}
