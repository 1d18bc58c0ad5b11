package image

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
)

func TestLoadRefusesWhatIsNoImage(t *testing.T) {
	n := at(t, "node")
	dir := folder(t, map[string]string{"text.tar": "hello"})
	for path, want := range map[string]string{dir + "/none.tar": "there is no", dir + "/text.tar": "no image archive"} {
		_, _, err := on[Load](t, n, `path = "`+path+`"`).Check()
		var arg *module.ArgError
		require.ErrorAs(t, err, &arg)
		require.Equal(t, "path", arg.Arg)
		require.ErrorContains(t, err, want)
	}
	require.Error(t, on[Load](t, n, `path = "relative.tar"`).Validate())
}
