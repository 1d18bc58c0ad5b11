package k8s

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestGetReadsOneObjectOrAllWithALabel(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	applying(t, c, settings).Converge(module.Create)

	_, one, err := moduletest.New(t, module.Of[Get](), c, `
kind = "deploy"
name = "web"`, nil).Check()
	require.NoError(t, err)
	require.True(t, one.GetAttr("found").True())
	require.Equal(t, "web", one.GetAttr("object").GetAttr("metadata").GetAttr("name").AsString())

	_, all, err := moduletest.New(t, module.Of[Get](), c, `
kind     = "Deployment"
selector = "app=web"`, nil).Check()
	require.NoError(t, err)
	require.Equal(t, 1, all.GetAttr("objects").LengthInt())
}

func TestGetSaysWhatIsNotThere(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	_, out, err := moduletest.New(t, module.Of[Get](), c, `
kind = "configmap"
name = "nobody"`, nil).Check()
	require.NoError(t, err)
	require.False(t, out.GetAttr("found").True())

	_, _, err = moduletest.New(t, module.Of[Get](), c, `
kind = "Wombat"
name = "w"`, nil).Check()
	var arg *module.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "kind", arg.Arg)
}
