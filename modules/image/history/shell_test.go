package history

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// unwrap is what a builder reads: continuation lines joined.
func unwrap(text string) string { return strings.ReplaceAll(text, "\\\n", "") }

func TestWrappedCommandsMeanTheSame(t *testing.T) {
	shell, err := exec.LookPath("sh")
	require.NoError(t, err)
	piece := rapid.SampledFrom([]string{
		"echo one", "echo 'a  b'", `echo "c   d $(echo "e  f")"`, "echo a\\ \\ b", "X=1", "true", "false", "echo `echo  g`",
		"if true; then echo h; fi", "for i in 1  2  3; do echo $i; done", "{ echo k; }", "( echo l )", "echo ${X:-\"m  n\"}", "echo -n   --long-option=value   more",
		"case x in x) echo o;; esac",
	})
	rapid.Check(t, func(rt *rapid.T) {
		pieces := rapid.SliceOfN(piece, 1, 9).Draw(rt, "pieces")
		script := pieces[0]
		for _, p := range pieces[1:] {
			script += rapid.SampledFrom([]string{" && ", " || ", "; ", "   && ", " \t&& \t", " | "}).Draw(rt, "joint") + p
		}
		text := wrap("RUN", script)
		for line := range strings.Lines(text) {
			require.False(rt, strings.HasPrefix(strings.TrimSpace(line), "#"), text)
		}
		want, wantErr := exec.Command(shell, "-c", script).CombinedOutput()
		have, haveErr := exec.Command(shell, "-c", strings.TrimPrefix(unwrap(text), "RUN ")).CombinedOutput()
		require.Equal(rt, string(want), string(have), text)
		require.Equal(rt, wantErr == nil, haveErr == nil, text)
	})
}

func TestLongCommandsAreBrokenWhereAPersonWould(t *testing.T) {
	for script, want := range map[string]string{
		"apt-get update && apt-get install -y curl": "RUN apt-get update && apt-get install -y curl",
		"yum -y update \t&& yum -y install \t\t--setopt=skip_missing_names_on_install=False \t\tbind-utils \t\tgettext \t&& yum -y clean all": `RUN yum -y update \
    && yum -y install \
        --setopt=skip_missing_names_on_install=False \
        bind-utils \
        gettext \
    && yum -y clean all`,
		`set -eux; if [ -n "$PATRONI_VER" ]; then pip3 install "patroni[kubernetes]==${PATRONI_VER}"; else echo "no version of Patroni was given" >&2; exit 1; fi; rm -rf /root/.cache`: `RUN set -eux; \
    if [ -n "$PATRONI_VER" ]; then \
        pip3 install "patroni[kubernetes]==${PATRONI_VER}"; \
    else \
        echo "no version of Patroni was given" >&2; \
        exit 1; \
    fi; \
    rm -rf /root/.cache`,
		`echo 'a  #  quoted;  text  stays  as  it  is,  however  long  it  may  be,  since  its  blanks  count'`:   `RUN echo 'a  #  quoted;  text  stays  as  it  is,  however  long  it  may  be,  since  its  blanks  count'`,
		`true # a comment is the end of a command, so nothing in a line that has one is moved about at all, never`: `RUN true # a comment is the end of a command, so nothing in a line that has one is moved about at all, never`,
	} {
		require.Equal(t, want, wrap("RUN", script))
	}
}
