package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
)

// before is a runbook that was applied before the fault came into it.
const before = `step "host.file" "first" {
  path    = "${path.runbook}/first.txt"
  content = "1"
}
`

// Faults that show without looking at the world: nothing is touched, the state
// least of all, and the run after the mending goes on.
func TestFaultsOfTheRunbook(t *testing.T) {
	for _, tt := range []struct {
		name       string
		bad, good  string // what is added to the runbook
		says, todo string
	}{
		{
			name: "syntax error",
			bad:  "step \"host.file\" \"second\" {\n  path = \"${path.runbook}/second.txt\"\n  content = \"2 # FAULT\n}\n",
			good: "step \"host.file\" \"second\" {\n  path = \"${path.runbook}/second.txt\"\n  content = \"2\"\n}\n",
			says: "The closing quote is missing", todo: "ends on its own line",
		},
		{
			name: "unknown module",
			bad:  "step \"host.flie\" \"second\" { # FAULT\n  path = \"${path.runbook}/second.txt\"\n  content = \"2\"\n}\n",
			good: "step \"host.file\" \"second\" {\n  path = \"${path.runbook}/second.txt\"\n  content = \"2\"\n}\n",
			says: `Unknown module "host.flie"`, todo: `Did you mean "host.file"?`,
		},
		{
			name: "misspelt argument",
			bad:  "step \"host.file\" \"second\" {\n  path = \"${path.runbook}/second.txt\"\n  contnet = \"2\" # FAULT\n}\n",
			good: "step \"host.file\" \"second\" {\n  path = \"${path.runbook}/second.txt\"\n  content = \"2\"\n}\n",
			says: `Unknown argument "contnet"`, todo: `Did you mean "content"?`,
		},
		{
			name: "wrong type",
			bad:  "step \"host.file\" \"second\" {\n  path = \"${path.runbook}/second.txt\"\n  content = [\"2\"] # FAULT\n}\n",
			good: "step \"host.file\" \"second\" {\n  path = \"${path.runbook}/second.txt\"\n  content = \"2\"\n}\n",
			says: `Wrong type of argument "content"`, todo: "string required",
		},
		{
			name: "cycle",
			bad: "step \"host.file\" \"second\" { # FAULT\n  path = \"${path.runbook}/second.txt\"\n  content = step.third.path\n}\n" +
				"step \"host.file\" \"third\" {\n  path = \"${path.runbook}/third.txt\"\n  content = step.second.path\n}\n",
			good: "step \"host.file\" \"second\" {\n  path = \"${path.runbook}/second.txt\"\n  content = \"2\"\n}\n",
			says: "second → third → second", todo: "Take one of these references",
		},
		{
			name: "missing variable",
			bad:  "variable \"text\" { type = string } # FAULT\nstep \"host.file\" \"second\" {\n  path = \"${path.runbook}/second.txt\"\n  content = var.text\n}\n",
			good: "variable \"text\" {\n  type = string\n  default = \"2\"\n}\nstep \"host.file\" \"second\" {\n  path = \"${path.runbook}/second.txt\"\n  content = var.text\n}\n",
			says: `Missing variable "text"`, todo: "--var text=",
		},
		{
			name: "secret in a plain string",
			bad:  "secret \"word\" { env = \"FAULTS_WORD\" }\nstep \"host.file\" \"second\" {\n  path = \"${path.runbook}/second.txt\"\n  content = \"password=${secret.word}\" # FAULT\n}\n",
			good: "secret \"word\" { env = \"FAULTS_WORD\" }\nstep \"host.file\" \"second\" {\n  path = \"${path.runbook}/second.txt\"\n  secret_content = secret.word\n}\n",
			says: "Secret in a plain string", todo: "Here it can go to secret_content.",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBook(t, before)
			b.env = append(b.env, "FAULTS_WORD=from-the-environment")
			b.apply().done("first")
			kept := b.read(".antdbctl/book/state.json")

			b.write("book.hcl", before+tt.bad)
			b.apply().failed(fault{line: b.line(""), says: tt.says, remedy: tt.todo})
			b.run("validate").failed(fault{line: b.line(""), says: tt.says, remedy: tt.todo})
			require.Equal(t, kept, b.read(".antdbctl/book/state.json"))
			require.NoFileExists(t, b.path("second.txt"))

			b.write("book.hcl", before+tt.good)
			second := b.apply()
			second.done("second")
			require.Equal(t, []string{"first"}, second.steps(event.Unchanged))
		})
	}
}
