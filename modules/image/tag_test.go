package image

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
)

func TestTagMovesNames(t *testing.T) {
	b := at(t, "builder")
	one := image(t, b, "named:1", layered("named one"))
	args := `source = "named:1"
		tags = ["corp/named:latest", "named:stable"]`
	out := on[Tag](t, b, args).Converge(module.Create)
	require.Equal(t, one, out.GetAttr("id").AsString())
	require.Equal(t, "corp/named:latest", out.GetAttr("ref").AsString())

	two := image(t, b, "named:1", layered("named two"))
	on[Tag](t, b, args).Converge(module.Update)
	require.Equal(t, two, b.do(t, "docker", "image", "inspect", "--format", "{{.Id}}", "corp/named:latest"))

	require.NoError(t, on[Tag](t, b, args).Destroy())
	require.Equal(t, two, b.do(t, "docker", "image", "inspect", "--format", "{{.Id}}", "named:1"), "the source stays")
	require.Empty(t, b.do(t, "docker", "image", "ls", "-q", "corp/named"))

	_, _, err := on[Tag](t, b, `source = "unnamed:1"
		tags = ["x:1"]`).Check()
	var arg *module.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "source", arg.Arg)
}
