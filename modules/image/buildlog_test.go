package image

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/modules/image/dockerfile"
)

// readLog feeds a build's output to a log and gives what came of it.
func readLog(t *testing.T, file, output string) (phases []string, done, total int64, err error) {
	t.Helper()
	text, err := os.Open(file)
	require.NoError(t, err)
	defer text.Close()
	parsed, err := dockerfile.Parse(text)
	require.NoError(t, err)
	env := moduletest.Env(t, nil)
	env.Phase = func(name string) { phases = append(phases, name) }
	env.Progress = func(n, of int64, unit string) {
		require.LessOrEqual(t, n, of)
		done, total = n, of
	}
	log := newBuildLog(env, "Dockerfile", parsed)
	out := log.stream()
	for part := range strings.SplitAfterSeq(output, "o") { // streams come in pieces
		_, err = out.Write([]byte(part))
		require.NoError(t, err)
	}
	out.flush()
	return phases, done, total, log.explain(&conn.ExitError{Code: 1}, "x:1", "test")
}

// The output is of Docker 29, in which two stages ran side by side.
func TestOutputOfBuildKit(t *testing.T) {
	output, err := os.ReadFile("testdata/heredoc.buildkit.txt")
	require.NoError(t, err)
	phases, done, total, err := readLog(t, "testdata/heredoc.Dockerfile", string(output))
	require.Equal(t, []string{"step server 1/3", "step stage-1 2/4", "step server 2/3", "step server 3/3", "step stage-1 3/4", "step stage-1 4/4"}, phases)
	require.Equal(t, []int64{6, 7}, []int64{done, total}, "all but the step that failed")
	require.EqualError(t, err, "build x:1 at RUN <<EOF (echo the evidence...) (Dockerfile:8): a RUN line failed")
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Equal(t, []string{"the evidence"}, explained.Evidence)
}

func TestOutputOfTheClassicBuilder(t *testing.T) {
	phases, done, total, err := readLog(t, "testdata/heredoc.Dockerfile", `Sending build context to Docker daemon  2.048kB
Step 1/9 : FROM base-sh:1 AS server
 ---> d17f0f078cfc
Step 2/9 : WORKDIR /w
 ---> Using cache
 ---> 0123456789ab
Step 3/9 : RUN echo one
 ---> Running in 0123456789ab
sh: echo: not found
The command '/bin/sh -c echo one' returned a non-zero code: 127
`)
	require.Equal(t, []string{"step 1/9", "step 2/9", "step 3/9"}, phases)
	require.Equal(t, []int64{2, 9}, []int64{done, total})
	require.EqualError(t, err, "build x:1 at RUN echo one (Dockerfile:3): a RUN line failed")
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Evidence[0], "sh: echo: not found")
	require.NotContains(t, explained.Evidence[0], "Using cache")
}

func TestFaultsOfBuilds(t *testing.T) {
	for output, means := range map[string]string{
		"Error response from daemon: dockerfile parse error line 4: unknown instruction: |7":   "a line of `docker history` stands in the Dockerfile as it is",
		"write /var/lib/docker/tmp/x: no space left on device":                                 "the disk of the Docker engine is full",
		"pull access denied for crunchydata/x, repository does not exist":                      "a base image is not there and cannot be pulled",
		"standard_init_linux.go:211: exec user process caused \"exec format error\"":           "a program of the image is for another architecture",
		"COPY failed: stat /var/lib/docker/tmp/docker-builder1/x: no such file or directory":   "a file to copy is not in the context",
		"Error response from daemon: Error processing tar file(exit status 1): unexpected EOF": "the context did not arrive whole",
		"ERROR: BuildKit is enabled but the buildx component is missing or broken.":            "BuildKit is asked for and docker has no buildx",
	} {
		_, _, _, err := readLog(t, "testdata/heredoc.Dockerfile", output+"\n")
		require.EqualError(t, err, "build x:1: "+means)
	}
	_, _, _, err := readLog(t, "testdata/heredoc.Dockerfile", "something nobody knows\n")
	require.EqualError(t, err, "build x:1 on test: something nobody knows")
}
