package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// StateDir is the folder beside a runbook that holds its state and run logs.
const StateDir = ".antdbctl"

// stateDir is the folder of a runbook's state: StateDir for a runbook that is a
// folder, and one in there for a runbook that is a file, since several may lie
// together and call their steps alike.
func stateDir(path, dir string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Join(dir, StateDir, strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	}
	return filepath.Join(dir, StateDir)
}

// StateOf finds the folder of the state of a runbook, by its file or folder. A
// folder that holds one runbook's state will do for its file.
func StateOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return stateDir(path, filepath.Dir(path)), nil
	}
	own := stateDir(path, path)
	if _, err := os.Stat(filepath.Join(own, "state.json")); err == nil {
		return own, nil
	}
	found, err := filepath.Glob(filepath.Join(own, "*", "state.json"))
	if err != nil || len(found) == 0 {
		return own, err
	}
	var runbooks []string
	for _, file := range found {
		runbooks = append(runbooks, filepath.Join(path, filepath.Base(filepath.Dir(file))+".hcl"))
	}
	if len(runbooks) > 1 {
		return "", fmt.Errorf("%s has the states of several runbooks: say which, %s", path, strings.Join(runbooks, " or "))
	}
	return filepath.Dir(found[0]), nil
}
