package shell

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const wordy = `# says what it was given
first=$1

shift
for word; do
	# one after another
	printf '%s %s # "%s"\n' "$first" "$#" "$word"
done
exit 7
`

func TestShorterScriptsDoTheSame(t *testing.T) {
	say := func(script string) (string, int) {
		cmd := exec.Command("sh", "-c", script, "sh", "it's", "a b", `"$HOME"`)
		out, err := cmd.Output()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		return string(out), exit.ExitCode()
	}
	out, code := say(wordy)
	require.Equal(t, 7, code)
	require.Equal(t, 2, strings.Count(out, "\n"))
	for name, script := range map[string]string{"lean": Lean(wordy), "packed": Packed(wordy), "both": Packed(Lean(wordy))} {
		got, code := say(script)
		require.Equal(t, out, got, name)
		require.Equal(t, 7, code, name)
	}
	require.Less(t, len(Lean(wordy)), len(wordy))
	long := strings.Repeat(wordy, 20)
	require.Less(t, len(Packed(long)), len(long)/3)
}
