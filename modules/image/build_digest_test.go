package image

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
)

// engineWith is an engine that has images of these IDs.
type engineWith struct {
	conn.Host
	ids map[string]string
}

func (e engineWith) Run(_ context.Context, cmd conn.Cmd) (conn.Result, error) {
	var infos []imageInfo
	for _, ref := range cmd.Args[3:] {
		if id, ok := e.ids[ref]; ok {
			infos = append(infos, imageInfo{ID: id, RepoTags: []string{ref}})
		}
	}
	text, err := json.Marshal(infos)
	return conn.Result{Stdout: string(text)}, err
}

func TestDigestCoversAllThatGoesIn(t *testing.T) {
	const file = `ARG BASE=from:1
FROM ${BASE} AS one
RUN --mount=type=bind,from=mounted:1,target=/m true
COPY --from=copied:1 /a /a
RUN <<EOF
echo of a here-document
EOF
COPY a /b
`
	type input struct {
		dockerfile, a, more string
		ids                 map[string]string
	}
	usual := func() input {
		return input{file, "content", "", map[string]string{"from:1": "sha256:1", "mounted:1": "sha256:2", "copied:1": "sha256:3", "other:1": "sha256:1"}}
	}
	digest := func(in input) string {
		step := on[Build](t, engineWith{ids: in.ids}, `context = "`+folder(t, map[string]string{"Dockerfile": in.dockerfile, "a": in.a})+`"
			tags = ["x:1"]
			`+in.more)
		plan, err := step.Module().(*Build).plan(t.Context(), step.Env())
		require.NoError(t, err)
		require.Empty(t, plan.missing)
		return plan.digest
	}
	was := digest(usual())
	for name, change := range map[string]func(*input){
		"base image":           func(in *input) { in.ids["from:1"] = "sha256:9" },
		"image of COPY --from": func(in *input) { in.ids["copied:1"] = "sha256:9" },
		"image of RUN --mount": func(in *input) { in.ids["mounted:1"] = "sha256:9" },
		"ARG before FROM":      func(in *input) { in.more = `args = { BASE = "other:1" }` },
		"here-document":        func(in *input) { in.dockerfile = strings.Replace(file, "echo of", "echo about", 1) },
		"file":                 func(in *input) { in.a = "other" },
		"label":                func(in *input) { in.more = `labels = { a = "b" }` },
		"stage":                func(in *input) { in.more = `stage = "one"` },
		"date":                 func(in *input) { in.more = "source_date_epoch = 1" },
		"frontend":             func(in *input) { in.dockerfile = "# syntax=docker/dockerfile:1\n" + file },
	} {
		in := usual()
		change(&in)
		require.NotEqual(t, was, digest(in), name)
	}
	for name, change := range map[string]func(*input){
		"nothing":           func(*input) {},
		"builder":           func(in *input) { in.more = `builder = "classic"` },
		"other builder":     func(in *input) { in.more = `builder = "buildkit"` },
		"cache":             func(in *input) { in.more = "cache = false" },
		"ignored rules":     func(in *input) { in.more = `lint_ignore = ["crlf"]` },
		"network":           func(in *input) { in.more = `network = "none"` },
		"image of no stage": func(in *input) { in.ids["unrelated:1"] = "sha256:9" },
	} {
		in := usual()
		change(&in)
		require.Equal(t, was, digest(in), name)
	}
}
