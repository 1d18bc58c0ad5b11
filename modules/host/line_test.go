package host

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestLineExampleParses(t *testing.T) { moduletest.Example(t, module.Of[Line]()) }

func TestLineEdits(t *testing.T) {
	for name, c := range map[string]struct {
		step         Line
		before, want string
	}{
		"there already":               {Line{Line: "b"}, "a\nb\n", "a\nb\n"},
		"there without a line end":    {Line{Line: "b"}, "a\nb", "a\nb"},
		"added at the end":            {Line{Line: "b"}, "a\n", "a\nb\n"},
		"added after an open end":     {Line{Line: "b"}, "a", "a\nb\n"},
		"added to nothing":            {Line{Line: "b"}, "", "b\n"},
		"added with CRLF":             {Line{Line: "b"}, "a\r\nc\r\n", "a\r\nc\r\nb\r\n"},
		"in place of a match":         {Line{Line: "p = 1", Match: `^p\s*=`}, "a\np=2\nz\n", "a\np = 1\nz\n"},
		"in place of all matches":     {Line{Line: "p = 1", Match: `^#?p\s*=`}, "#p=2\na\np=3\n", "p = 1\na\n"},
		"matches while there":         {Line{Line: "p = 1", Match: `^#p`}, "a\n#p = 0\np = 1\n", "a\np = 1\n"},
		"the match itself":            {Line{Line: "p = 1", Match: `^p`}, "p = 1\n", "p = 1\n"},
		"the match itself, twice":     {Line{Line: "p = 1", Match: `^p`}, "p = 1\np = 1\n", "p = 1\n"},
		"after the last of a kind":    {Line{Line: "x", InsertAfter: `^a`}, "a1\na2\nb\n", "a1\na2\nx\nb\n"},
		"before the first of a kind":  {Line{Line: "x", InsertBefore: `^b`}, "a\nb1\nb2\n", "a\nx\nb1\nb2\n"},
		"after nothing of the kind":   {Line{Line: "x", InsertAfter: `^q`}, "a\n", "a\nx\n"},
		"absent by text":              {Line{Line: "b", State: "absent"}, "a\nb\nc\nb\n", "a\nc\n"},
		"absent by match":             {Line{Match: "^b", State: "absent"}, "a\nb1\nb2\n", "a\n"},
		"absent and not there":        {Line{Line: "b", State: "absent"}, "a", "a"},
		"absent and nothing else":     {Line{Line: "b", State: "absent"}, "b\n", ""},
		"a line that holds the other": {Line{Line: "b"}, "ab\n", "ab\nb\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.step.edit(c.before)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestLineEditedTwiceIsEditedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([ab#=]{0,3}\r?\n){0,6}[ab]{0,2}`)
		l := Line{
			Line:         rapid.StringMatching(`[ab#=]{1,3}`).Draw(t, "line"),
			Match:        rapid.SampledFrom([]string{"", "a", "^a", "b$", "^#?a="}).Draw(t, "match"),
			State:        rapid.SampledFrom([]string{"present", "absent"}).Draw(t, "state"),
			InsertBefore: rapid.SampledFrom([]string{"", "^b", "a"}).Draw(t, "before"),
		}
		once, err := l.edit(text.Draw(t, "text"))
		require.NoError(t, err)
		twice, err := l.edit(once)
		require.NoError(t, err)
		require.Equal(t, once, twice)
		has := strings.Contains("\n"+strings.ReplaceAll(once, "\r\n", "\n")+"\n", "\n"+l.Line+"\n")
		if l.State == "present" || l.Match == "" {
			require.Equal(t, l.State == "present", has)
		}
	})
}

func TestLineIsChangedInItsFile(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		write(t, dir+"/motd", "password = x\nwelcome\nbye\n", 0o640)
		step := stepOn[Line](t, h, dir, `
			path  = "DIR/motd"
			line  = "welcome to AntDB"
			match = "^welcome"`)
		change := onlyLooks(t, step, dir)
		require.Equal(t, dir+"/motd", change.Summary)
		require.Equal(t, []module.Diff{{Path: dir + "/motd", Before: "welcome\n", After: "welcome to AntDB\n"}}, change.Diff)
		step.Converge(module.Update)
		require.Equal(t, "password = x\nwelcome to AntDB\nbye\n", read(t, dir+"/motd"))
		require.Equal(t, os.FileMode(0o640), mode(t, dir+"/motd"))
		require.NoError(t, step.Destroy())
		require.Equal(t, "password = x\nbye\n", read(t, dir+"/motd"))
		require.NoError(t, step.Destroy())
	})
}

func TestLineMakesAndRemovesItsFileWhenItMay(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		step := stepOn[Line](t, h, dir, "path = \"DIR/motd\"\nline = \"hello\"")
		_, _, err := step.Apply()
		aboutArg(t, err, "path", "there is no file "+dir+"/motd")
		require.Contains(t, remedyOf(t, err), "create = true")

		step = stepOn[Line](t, h, dir, "path = \"DIR/motd\"\nline = \"hello\"\ncreate = true")
		require.Equal(t, module.Create, onlyLooks(t, step, dir).Action)
		step.Converge(module.Create)
		require.Equal(t, "hello\n", read(t, dir+"/motd"))
		require.Equal(t, os.FileMode(0o644), mode(t, dir+"/motd"))
		require.NoError(t, step.Destroy())
		require.NoFileExists(t, dir+"/motd")
	})
}

func TestAbsentLineOfAMissingFileIsFine(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		step := stepOn[Line](t, h, dir, "path = \"DIR/motd\"\nline = \"hello\"\nstate = \"absent\"")
		require.False(t, onlyLooks(t, step, dir).Wanted())
		write(t, dir+"/motd", "hello\nbye\n", 0o644)
		step.Converge(module.Update)
		require.Equal(t, "bye\n", read(t, dir+"/motd"))
	})
}

func TestLineFollowsALink(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		write(t, dir+"/real", "a\n", 0o600)
		require.NoError(t, os.Symlink("real", dir+"/link"))
		stepOn[Line](t, h, dir, "path = \"DIR/link\"\nline = \"b\"").Converge(module.Update)
		require.Equal(t, "a\nb\n", read(t, dir+"/real"))
		require.Equal(t, os.ModeSymlink, stat(t, dir+"/link").Mode().Type())
	})
}

func TestLineRefusesWhatIsNoTextFile(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		write(t, dir+"/binary", "a\x00b", 0o600)
		_, _, err := stepOn[Line](t, h, dir, "path = \"DIR/binary\"\nline = \"b\"").Check()
		aboutArg(t, err, "path", "no text file")
		_, _, err = stepOn[Line](t, h, dir, "path = \"DIR\"\nline = \"b\"").Check()
		aboutArg(t, err, "path", "is a directory")
		write(t, dir+"/large", strings.Repeat("0123456789abcde\n", lineLimit/16+1), 0o600)
		_, _, err = stepOn[Line](t, h, dir, "path = \"DIR/large\"\nline = \"b\"").Check()
		aboutArg(t, err, "path", "4.0 MiB")
	})
}

func TestLineRules(t *testing.T) {
	aboutArg(t, (&Line{Path: "etc", Line: "a"}).Validate(), "path", "not absolute")
	aboutArg(t, (&Line{Path: "/x", Line: "a\nb"}).Validate(), "line", "line end")
	aboutArg(t, (&Line{Path: "/x", State: "present", Match: "a"}).Validate(), "line", "to be there")
	aboutArg(t, (&Line{Path: "/x", State: "absent"}).Validate(), "match", "which line")
	aboutArg(t, (&Line{Path: "/x", Line: "a", Match: "("}).Validate(), "match", "missing closing )")
	aboutArg(t, (&Line{Path: "/x", Line: "a", InsertAfter: "["}).Validate(), "insert_after", "missing closing ]")
	aboutArg(t, (&Line{Path: "/x", Line: "a", InsertAfter: "a", InsertBefore: "b"}).Validate(), "insert_before", "exclude")
}
