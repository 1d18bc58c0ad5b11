package modules

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/engine/schema"
)

// ofEveryStep are the arguments and blocks that the language gives every step;
// a module's own may not have their names.
var ofEveryStep = []string{"on", "after", "for_each", "when", "retry", "timeout", "rolling", "confirm", "expect"}

func each(t *testing.T, test func(t *testing.T, e module.Entry)) {
	t.Helper()
	catalogue := Catalogue()
	for _, name := range catalogue.Names() {
		e, ok := catalogue.Lookup(name)
		require.True(t, ok)
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
}

func TestEveryModuleExplainsItself(t *testing.T) {
	kinds := []string{conn.Local, conn.SSH, conn.Docker, conn.Kubernetes, conn.Container}
	each(t, func(t *testing.T, e module.Entry) {
		require.Regexp(t, `^[a-z0-9]+\.[a-z]+(_[a-z]+)*$`, e.Name)
		require.Regexp(t, `^[A-Z].*[^.]\.$`, e.Summary)
		require.NotContains(t, e.Summary, "\n")
		require.NotEmpty(t, e.On, "it works nowhere")
		for _, kind := range e.On {
			require.Contains(t, kinds, kind)
		}
		require.False(t, e.ReadOnly && e.Outward, "what only looks changes no site")
		moduletest.Example(t, e)
	})
}

func TestArgumentsAndOutputsAreNamedAlike(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	var check func(t *testing.T, fields []schema.Field)
	check = func(t *testing.T, fields []schema.Field) {
		for _, f := range fields {
			require.Regexp(t, name, f.Name)
			require.Regexp(t, `[.)…]$`, f.Doc, "the doc of %q is no sentence", f.Name)
			if f.Block != nil {
				check(t, f.Block.Args)
			}
		}
	}
	each(t, func(t *testing.T, e module.Entry) {
		check(t, e.Args)
		check(t, e.Outputs)
		for _, f := range e.Args {
			require.False(t, slices.Contains(ofEveryStep, f.Name), "every step has %q already", f.Name)
		}
	})
}

// The address rule: image.build is modules/image/build.go, with its example
// build.hcl and its test build_test.go beside it.
func TestModulesLiveWhereTheirNamesSay(t *testing.T) {
	each(t, func(t *testing.T, e module.Entry) {
		family, verb, _ := strings.Cut(e.Name, ".")
		for _, file := range []string{verb + ".go", verb + ".hcl", verb + "_test.go"} {
			require.FileExists(t, filepath.Join(family, file))
		}
		example, err := os.ReadFile(filepath.Join(family, verb+".hcl"))
		require.NoError(t, err)
		require.Equal(t, string(example), e.Example)
	})
}

// Every defaults' tag is decoded when the spec is built, so building all specs
// finds the bad ones.
func TestEverySpecCanBeBuilt(t *testing.T) {
	each(t, func(t *testing.T, e module.Entry) {
		require.Len(t, e.Spec(), len(e.Args))
		_, err := e.JSONSchema()
		require.NoError(t, err)
		require.True(t, e.ValueType().IsObjectType())
	})
}
