package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The test binary plays antdbctl itself, so that the scripts see what a user sees.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"antdbctl": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			examples, err := os.Getwd()
			env.Setenv("EXAMPLES", examples+"/../../examples")
			return err
		},
	})
}
