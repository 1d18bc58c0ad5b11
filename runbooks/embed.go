// Package runbooks is what comes ready with antdbctl: runbooks and playbooks to
// use or copy, and the knowledge base of its diagnosis.
package runbooks

import (
	"embed"
	"io/fs"
)

//go:embed diagnosis
var knowledge embed.FS

// Diagnosis is the knowledge base: files of signatures, and in fixes the
// runbooks that take causes away.
func Diagnosis() fs.FS {
	sub, err := fs.Sub(knowledge, "diagnosis")
	if err != nil {
		panic(err) // its name is a constant, and valid
	}
	return sub
}
