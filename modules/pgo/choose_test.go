package pgo

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// site is a step that says nothing of an apiserver, on a cluster with those API groups.
func site(t *testing.T, a *kubeAPI, args string) *Cluster {
	t.Helper()
	entry := module.Of[Cluster]()
	step := moduletest.New(t, entry, a.cluster(t), "name = \"hippo\"\nimage = \"antdb-ha\"\nnamespace = \"pgouser1\"\n"+args, nil)
	c := step.Module().(*Cluster)
	c.getenv = noVariables
	_, err := c.home(t.Context(), step.Env())
	if err != nil {
		t.Log(err)
		c.at = nil
	}
	return c
}

func TestTheGenerationIsFoundByLooking(t *testing.T) {
	known := func(kind, version string) object {
		return object{"apiVersion": version, "kind": kind, "metadata": object{"name": "hippo", "namespace": "pgouser1"}, "spec": object{"ccpimage": "antdb-ha", "ccpimagetag": "latest"}}
	}
	v4, v5 := known("Pgcluster", "crunchydata.com/v1"), known("PostgresCluster", "postgres-operator.crunchydata.com/v1beta1")
	for name, c := range map[string]struct {
		groups []string
		have   map[string][]object
		args   string
		want   string // "" is a refusal
	}{
		"only Pgclusters":              {[]string{groupV4}, nil, "", generationResource},
		"only PostgresClusters":        {[]string{"apps", groupV5}, nil, "", generationV5},
		"both, and the old one has it": {[]string{groupV4, groupV5}, map[string][]object{"pgclusters": {v4}}, "", generationResource},
		"both, and the new one has it": {[]string{groupV4, groupV5}, map[string][]object{"postgresclusters": {v5}}, "", generationV5},
		"both, and neither has it":     {[]string{groupV4, groupV5}, nil, "", ""},
		"neither":                      {[]string{"apps"}, nil, "", ""},
		"said":                         {[]string{groupV4, groupV5}, nil, `generation = "v5"`, generationV5},
	} {
		t.Run(name, func(t *testing.T) {
			a := &kubeAPI{groups: c.groups, kinds: c.have}
			if a.kinds == nil {
				a.kinds = map[string][]object{}
			}
			found := site(t, a, c.args)
			if c.want == "" {
				require.Nil(t, found.at)
				return
			}
			require.NotNil(t, found.at)
			want, err := choiceOf(c.want)
			require.NoError(t, err)
			require.Equal(t, want.open(found.at).generation(), found.at.driver.generation())
		})
	}
}

// The apiserver's version decides between the generations that have one.
func TestTheApiserversVersionDecides(t *testing.T) {
	mismatch := exchange{request: "POST /showclusters", body: showHippo, status: http.StatusOK, answer: `{"Results":null,"Code":"error","Msg":"pgo client and server version mismatch"}`}
	says := func(version string) exchange {
		return exchange{request: "GET /version", status: http.StatusOK, answer: `{"Version":"` + version + `","Code":"ok","Msg":"apiserver version"}`}
	}
	other := strings.Replace(showHippo, "4.2.1", "4.2.2", 1)
	for name, c := range map[string]struct {
		script    []exchange
		args      string
		arg, text string // of the refusal
	}{
		"another patch":       {[]exchange{mismatch, says("4.2.2"), {request: "POST /showclusters", body: other, status: http.StatusOK, answer: absent}}, "", "", ""},
		"another patch, said": {[]exchange{mismatch, says("4.2.2"), {request: "POST /showclusters", body: other, status: http.StatusOK, answer: absent}}, `generation = "4.2"`, "", ""},
		"in between":          {[]exchange{mismatch, says("4.6.2")}, "", "api", "the PGO apiserver is 4.6.2, and pgo.cluster speaks 4.2 and 4.7 only"},
		"not what was said":   {[]exchange{mismatch, says("4.7.10")}, `generation = "4.2"`, "generation", "the PGO apiserver is 4.7.10, not 4.2"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOperator(t, c.script)
			change, _, err := hippo(t, o, &kubeAPI{groups: []string{groupV4}, kinds: map[string][]object{}}, c.args).Check()
			if c.arg != "" {
				requireAt(t, err, c.arg, c.text)
				return
			}
			require.NoError(t, err)
			require.Equal(t, module.Create, change.Action)
			require.Empty(t, o.unknown)
		})
	}
}

func TestALookIsCheap(t *testing.T) {
	for args, want := range map[string]int{`generation = "4.2"`: 4, "": 5} {
		o, a := newOperator(t, nil), hippoObjects(t)
		a.drop("pods", "hippo-rcan")
		o.answers(initialized(t))
		step := hippo(t, o, a, args)
		a.asked = nil // of the opening
		change, _, err := step.Check()
		require.NoError(t, err)
		require.False(t, change.Wanted())
		require.Len(t, a.asked, want, "%v", a.asked)
		require.Len(t, o.asked, 1)
	}
}
