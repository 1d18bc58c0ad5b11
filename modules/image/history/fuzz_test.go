package history_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/modules/image/dockerfile"
	"github.com/adbsql/antdbctl/modules/image/history"
)

// FuzzRow holds every row to becoming instructions that a Dockerfile can have:
// none that is unknown, and as many as there were steps.
func FuzzRow(f *testing.F) {
	for _, seed := range [][2]string{
		{"/bin/sh -c #(nop)  CMD [\"a\" \"b\"]", ""},
		{"|2 A=1 B=x y /bin/sh -c echo $A && echo \"b  c\"  && true", ""},
		{"RUN |1 A=1 /bin/sh -c set -e\n# x\necho\\\n # buildkit", "buildkit.dockerfile.v0"},
		{"/bin/sh -c #(nop) COPY --chown=1:2dir:9cbf3b8c13d54459e430a65d7c520515a793b316673b6ed77c48a72b7554652e in /x y ", ""},
		{"HEALTHCHECK &{[\"CMD\" \"x\"] \"5s\" \"3s\" \"0s\" '\\x03'}", "buildkit.dockerfile.v0"},
		{"/bin/sh -c #(nop) LABEL a=\"b c\"\t\td=e", "FROM docker.io/library/centos:7"},
		{"/bin/sh -c echo \\", ""},
		{"ARG B=x\nRUN y", ""},
		{"USER x\\", "buildkit.dockerfile.v0"},
		{"LABEL org.opencontainers.image.base.name=x\nRUN y", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	known := map[string]bool{}
	for _, verb := range strings.Fields("ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR") {
		known[verb] = true
	}
	f.Fuzz(func(t *testing.T, by, comment string) {
		rows := []history.Row{{By: "/bin/sh -c #(nop)  ARG A", Layer: -1}, {By: by, Comment: comment, Layer: 0}, {By: "CMD [\"end\"]", Layer: -1}}
		steps := history.Declare(history.Read(rows, nil), nil)
		d := &history.Dockerfile{Of: "fuzz", Steps: steps}
		file, err := dockerfile.Parse(strings.NewReader(d.String()))
		require.NoError(t, err)
		for _, in := range file.Instructions {
			require.True(t, known[in.Verb], "%q became\n%s", by, d)
		}
		last := file.Instructions[len(file.Instructions)-1]
		require.Equal(t, `CMD ["end"]`, last.Verb+" "+last.Text, "%q became\n%s", by, d)
	})
}

// FuzzText holds the reader of tables to errors instead of panics, and what it
// reads to becoming a Dockerfile.
func FuzzText(f *testing.F) {
	f.Add("IMAGE  CREATED  CREATED BY  SIZE  COMMENT\n<missing>   2 weeks ago   RUN /bin/sh -c a\nb # buildkit   1B   buildkit.dockerfile.v0\n")
	f.Add("{\"CreatedBy\":\"ENV A=1\"}\n")
	f.Add("6fa6649d6216\t6 周前\t|1 A=1 /bin/sh -c x\t0B\t\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := history.ReadText(strings.NewReader(text))
		if err != nil {
			return
		}
		require.NotEmpty(t, rows)
		steps := history.Read(rows, nil)
		base := history.GuessBase(steps)
		d := &history.Dockerfile{Of: "fuzz", Base: base, Steps: history.Declare(steps[base.Rows:], nil)}
		file, err := dockerfile.Parse(strings.NewReader(d.String()))
		require.NoError(t, err)
		require.NotEmpty(t, file.Instructions)
	})
}
