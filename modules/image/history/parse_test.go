package history

import (
	"testing"

	"github.com/stretchr/testify/require"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// lines are the instructions that rows become.
func lines(config *v1.Config, rows ...Row) (list []string) {
	for _, s := range Declare(Read(rows, config), nil) {
		if text := s.String(); text != "" {
			list = append(list, text)
		}
	}
	return list
}

func TestRowsOfEveryBuilderBecomeInstructions(t *testing.T) {
	const sum = "9cbf3b8c13d54459e430a65d7c520515a793b316673b6ed77c48a72b7554652e"
	for name, c := range map[string]struct{ row, want string }{
		"classic run":                  {`/bin/sh -c echo hi`, `RUN echo hi`},
		"classic exec form":            {`mkdir /data`, `RUN ["mkdir", "/data"]`},
		"classic cmd":                  {`/bin/sh -c #(nop)  CMD ["a" "b c" "d\"e"]`, `CMD ["a", "b c", "d\"e"]`},
		"classic cmd, shell form":      {`/bin/sh -c #(nop)  CMD ["/bin/sh" "-c" "exec \"$@\""]`, `CMD exec "$@"`},
		"classic empty entrypoint":     {`/bin/sh -c #(nop)  ENTRYPOINT []`, `ENTRYPOINT []`},
		"classic env":                  {`/bin/sh -c #(nop)  ENV A=two words B=$x`, `ENV A="two words" B="\$x"`},
		"classic label":                {`/bin/sh -c #(nop)  LABEL org.x.name=CentOS Base Image org.x.v=1`, `LABEL org.x.name="CentOS Base Image" org.x.v=1`},
		"classic volume":               {`/bin/sh -c #(nop)  VOLUME [/a /b]`, `VOLUME ["/a", "/b"]`},
		"classic volume with a blank":  {`/bin/sh -c #(nop)  VOLUME [/a b /c]`, `VOLUME ["/a b", "/c"]`},
		"classic workdir":              {`/bin/sh -c #(nop) WORKDIR /x`, `WORKDIR /x`},
		"classic copy":                 {`/bin/sh -c #(nop) COPY file:` + sum + ` in /x `, `COPY /x`},
		"classic chown glued":          {`/bin/sh -c #(nop) COPY --chown=26:0file:` + sum + ` in /x `, `COPY --chown=26:0 /x`},
		"classic onbuild":              {`/bin/sh -c #(nop)  ONBUILD RUN make`, `ONBUILD RUN make`},
		"health to 28":                 {`HEALTHCHECK &{["CMD-SHELL" "echo ok || exit 1"] "5s" "3s" "0s" '\x03'}`, `HEALTHCHECK --interval=5s --timeout=3s --retries=3 CMD echo ok || exit 1`},
		"health with start interval":   {`HEALTHCHECK &{["CMD" "/bin/x" "a b"] "1m0s" "0s" "5s" "2s" '\x00'}`, `HEALTHCHECK --start-interval=2s --interval=1m0s --start-period=5s CMD ["/bin/x", "a b"]`},
		"health of 25":                 {`HEALTHCHECK &{[CMD-SHELL curl -f http://localhost/ || exit 1] 5s 3s 0s 0s 3}`, `HEALTHCHECK --interval=5s --timeout=3s --retries=3 CMD curl -f http://localhost/ || exit 1`},
		"health of 29":                 {`HEALTHCHECK {Test:[CMD-SHELL pg_isready] Interval:5s Timeout:3s StartPeriod:0s StartInterval:0s Retries:3}`, `HEALTHCHECK --interval=5s --timeout=3s --retries=3 CMD pg_isready`},
		"no health check":              {`/bin/sh -c #(nop)  HEALTHCHECK &{["NONE"] "0s" "0s" "0s" '\x00'}`, `HEALTHCHECK NONE`},
		"buildkit run":                 {`RUN /bin/sh -c echo hi # buildkit`, `RUN echo hi`},
		"buildkit run with arguments":  {`RUN |1 A=1 /bin/sh -c echo $A # buildkit`, "ARG A=1\nRUN echo $A"},
		"buildkit expose to 27":        {`EXPOSE map[5432/tcp:{} 8009/udp:{}]`, `EXPOSE 5432 8009/udp`},
		"buildkit expose of 28":        {`EXPOSE [5432/tcp 80/tcp]`, `EXPOSE 5432 80`},
		"buildkit copy":                {`COPY --chown=1:2 a b /dest/ # buildkit`, `COPY --chown=1:2 a b /dest/`},
		"buildkit script":              {"RUN /bin/sh -c set -e\n# note\necho \"a\\b\"\n # buildkit", "RUN [\"/bin/sh\", \"-c\", \"\\\nset -e\\n\\\n\\u0023 note\\n\\\necho \\\"a\\\\b\\\"\\n\\\n\"]"},
		"buildkit here-document":       {"RUN /bin/sh -c cat <<EOF > /x\nhi\nEOF # buildkit", "RUN [\"/bin/sh\", \"-c\", \"\\\ncat \\u003c<EOF > /x\\n\\\nhi\\n\\\nEOF\\\n\"]"},
		"buildah env":                  {`/bin/sh -c #(nop) ENV PATH="${PGROOT}/bin:${PATH}"`, `ENV PATH="${PGROOT}/bin:${PATH}"`},
		"buildah env, old form":        {`/bin/sh -c #(nop) ENV LANG en_US.utf-8`, `ENV LANG=en_US.utf-8`},
		"buildah env, old, with blank": {`/bin/sh -c #(nop) ENV A b c`, `ENV A b c`},
		"buildah copy":                 {`/bin/sh -c #(nop) ADD bin/common /opt/cpm/bin`, `ADD bin/common /opt/cpm/bin`},
		"buildah volume":               {`/bin/sh -c #(nop) VOLUME ["/a", "/b"]`, `VOLUME ["/a", "/b"]`},
		"bash":                         {`/bin/bash -o pipefail -c a | b`, `RUN ["/bin/bash", "-o", "pipefail", "-c", "a | b"]`},
		"brackets are no list":         {`/bin/sh -c [ -f /x ] && echo y`, `RUN [ -f /x ] && echo y`},
	} {
		t.Run(name, func(t *testing.T) {
			have := lines(nil, Row{By: c.row, Layer: -1})
			text := ""
			for i, l := range have {
				if i > 0 {
					text += "\n"
				}
				text += l
			}
			require.Equal(t, c.want, text)
		})
	}
}

func TestRowsThatAreNoInstructionAreLeftToTheirFiles(t *testing.T) {
	for _, by := range []string{
		"", "bazel build ...", "jib-maven-plugin:3.4", "# debian.sh --arch 'amd64' out/ 'bookworm' '@1'", "/bin/bash", "crane append",
		"RUN /dev/pipes/EOF # buildkit",
	} {
		steps := Read([]Row{{By: by, Layer: 0}}, nil)
		require.Empty(t, steps[0].Verb, by)
		require.Empty(t, steps[0].String(), by)
	}
}

func TestArgumentsEndWhereTheNextBegins(t *testing.T) {
	arg := func(names ...string) (rows []Row) {
		for _, n := range names {
			rows = append(rows, Row{By: "/bin/sh -c #(nop)  ARG " + n, Empty: true, Layer: -1})
		}
		return rows
	}
	for name, c := range map[string]struct {
		rows    []Row
		want    []Pair
		script  string
		argv    []string
		guessed bool
	}{
		"blanks in values": {
			append(arg("A", "B"), Row{By: `|2 A=x y B=-c z /bin/sh -c make`}), []Pair{{Name: "A", Value: "x y"}, {Name: "B", Value: "-c z"}}, "make", nil, false,
		},
		"= in values": {
			append(arg("OPTS", "Z"), Row{By: `|2 OPTS=a=1 b=2 Z=3 /bin/sh -c make`}), []Pair{{Name: "OPTS", Value: "a=1 b=2"}, {Name: "Z", Value: "3"}}, "make", nil, false,
		},
		"empty value": {
			append(arg("A"), Row{By: `|1 A= /bin/sh -c true`}), []Pair{{Name: "A"}}, "true", nil, false,
		},
		"the command calls a shell, too": {
			append(arg("A"), Row{By: `|1 A=1 /bin/sh -c /bin/sh -c "echo B=2"`}), []Pair{{Name: "A", Value: "1"}}, `/bin/sh -c "echo B=2"`, nil, false,
		},
		"exec form, values known from elsewhere": {
			append(arg("A", "B"), Row{By: `|2 A=1 B=x y=z mkdir /a`}, Row{By: `|2 A=1 B=x y=z /bin/sh -c true`}),
			[]Pair{{Name: "A", Value: "1"}, {Name: "B", Value: "x y=z"}}, "", []string{"mkdir", "/a"}, true,
		},
		"nothing declares them": {
			[]Row{{By: `|1 OPTS=-c a=1 /bin/sh -c make`}}, []Pair{{Name: "OPTS", Value: "-c a=1"}}, "make", nil, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range Read(c.rows, nil) {
				if s.Verb != "RUN" {
					continue
				}
				require.Equal(t, c.want, s.Args)
				require.Equal(t, c.script, s.Script)
				require.Equal(t, c.argv, s.Argv)
				require.Equal(t, c.guessed, len(s.Guesses) > 0, s.Guesses)
				return
			}
		})
	}
}

func TestArgumentsAreDeclaredOnceBeforeTheirFirstUse(t *testing.T) {
	for name, c := range map[string]struct {
		rows []string
		want []string
	}{
		"the value that was given": {
			[]string{`/bin/sh -c #(nop)  ARG A`, `|1 A=5 /bin/sh -c echo $A`}, []string{"ARG A=5", "RUN echo $A"},
		},
		"not the default": {
			[]string{`/bin/sh -c #(nop)  ARG A=1`, `|1 A=5 /bin/sh -c echo $A`}, []string{"ARG A=5", "RUN echo $A"},
		},
		"declared again": {
			[]string{`/bin/sh -c #(nop)  ARG A=1`, `|1 A=1 /bin/sh -c echo $A`, `/bin/sh -c #(nop)  ARG A=1`, `|1 A=1 /bin/sh -c echo $A`},
			[]string{"ARG A=1", "RUN echo $A", "RUN echo $A"},
		},
		"an ENV has the value": {
			[]string{`ENV A=1`, `RUN |1 A=1 /bin/sh -c echo $A # buildkit`}, []string{"ENV A=1", "RUN echo $A"},
		},
		"used by a label before": {
			[]string{`/bin/sh -c #(nop) LABEL v="${A}"`, `|1 A=1 /bin/sh -c echo $A`}, []string{"ARG A=1", `LABEL v="${A}"`, "RUN echo $A"},
		},
		"the list of a later line": {
			[]string{`|1 A=1 /bin/sh -c true`, `/bin/sh -c #(nop) ARG A`, `|1 A=1 /bin/sh -c echo $A`}, []string{"RUN true", "ARG A=1", "RUN echo $A"},
		},
		"a default of other arguments": {
			[]string{`/bin/sh -c #(nop) ARG A`, `/bin/sh -c #(nop) ARG B=x/${A}`, `|2 A=1 B=x/1 /bin/sh -c echo $B`}, []string{"ARG A=1", "ARG B=x/${A}", "RUN echo $B"},
		},
		"a new value half-way": {
			[]string{`ARG A=1`, `RUN |1 A=1 /bin/sh -c echo $A # buildkit`, `ARG A=2`, `RUN |1 A=2 /bin/sh -c echo $A # buildkit`},
			[]string{"ARG A=1", "RUN echo $A", "ARG A=2", "RUN echo $A"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var rows []Row
			for _, by := range c.rows {
				rows = append(rows, Row{By: by, Layer: -1})
			}
			require.Equal(t, c.want, lines(nil, rows...))
		})
	}
}

func TestConfigurationSettlesWhatTheHistoryLeavesOpen(t *testing.T) {
	config := &v1.Config{
		Env:     []string{"A=x B=y", "C=z"},
		Labels:  map[string]string{"a": "b c=d"},
		Volumes: map[string]struct{}{"/a /b": {}, "/c": {}},
		Shell:   []string{"/bin/my shell", "-c"},
		OnBuild: []string{"RUN make"},
		User:    "26",
	}
	rows := []Row{{By: "ENV A=old n=1 C=old"}, {By: "ENV A=x B=y C=z"}, {By: "LABEL a=b c=d"}, {By: "VOLUME [/a /b /c]"}, {By: "SHELL [/bin/my shell -c]"}}
	require.Equal(t, []string{`ENV A="old n=1" C=old`, `ENV A="x B=y" C=z`, `LABEL a="b c=d"`, `VOLUME ["/a /b", "/c"]`, `SHELL ["/bin/my shell", "-c"]`}, lines(config, rows...))
	var more []string
	for _, s := range Missing(Read(rows, config), config) {
		more = append(more, s.String())
	}
	require.Equal(t, []string{"ONBUILD RUN make", "USER 26"}, more, "settings without a row")
}
