package history

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const id = "sha256:6fa6649d6216073998f01dda971f94075e06d483e122702a549175a7da31167a"

func TestTablesAreReadWhateverTheirColumns(t *testing.T) {
	want := []Row{
		{By: "/bin/sh -c #(nop) ADD file:0 in /", Layer: -1},
		{By: `RUN /bin/sh -c echo "a  b" # buildkit`, Comment: "buildkit.dockerfile.v0", Layer: -1},
	}
	for name, text := range map[string]string{
		"docker": "IMAGE      CREATED         CREATED BY     SIZE    COMMENT\n" +
			id + "   2 weeks ago     RUN /bin/sh -c echo \"a  b\" # buildkit   1.2kB   buildkit.dockerfile.v0\n" +
			"<missing>   About a minute ago   /bin/sh -c #(nop) ADD file:0 in /    203MB               \n",
		"podman": "ID   CREATED   CREATED BY   SIZE   COMMENT\n" +
			"6fa6649d6216  Less than a second ago  RUN /bin/sh -c echo \"a  b\" # buildkit  1.2 kB  buildkit.dockerfile.v0\n" +
			"<missing>     N/A  /bin/sh -c #(nop) ADD file:0 in /  203 MB\n",
		"numbers": "IMAGE  CREATED AT  CREATED BY  SIZE  COMMENT\n" +
			id + "   2026-11-23T05:18:39Z   RUN /bin/sh -c echo \"a  b\" # buildkit   1234   buildkit.dockerfile.v0\n" +
			"<missing>   2026-11-23T05:18:39+01:00   /bin/sh -c #(nop) ADD file:0 in /    203000000\n",
		"another language": id + "   6 周前   RUN /bin/sh -c echo \"a  b\" # buildkit   1.2kB   buildkit.dockerfile.v0\n" +
			"<missing>   vor 3 Monaten   /bin/sh -c #(nop) ADD file:0 in /    203MB\n",
		"tabs": id + "\t2 weeks ago\tRUN /bin/sh -c echo \"a  b\" # buildkit\t1.2kB\tbuildkit.dockerfile.v0\n" +
			"<missing>\t2 weeks ago\t/bin/sh -c #(nop) ADD file:0 in /\t203MB\n",
		"within a document": "# docker history --no-trunc x\r\nIMAGE  CREATED  CREATED BY  SIZE  COMMENT\r\n" +
			id + "   2 weeks ago     RUN /bin/sh -c echo \"a  b\" # buildkit   1.2kB   buildkit.dockerfile.v0\r\n" +
			"<missing>   2 weeks ago   /bin/sh -c #(nop) ADD file:0 in /    203MB    \r\n\r\n```\r\nand so on\r\n0c3a5a666929  no row  of this\r\n",
		"json": `{"ID":"x","CreatedBy":"RUN /bin/sh -c echo \"a  b\" # buildkit","Comment":"buildkit.dockerfile.v0","Size":"1B"}` + "\n" +
			`{"ID":"x","CreatedBy":"/bin/sh -c #(nop) ADD file:0 in /"}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := ReadText(strings.NewReader(text))
			require.NoError(t, err)
			for i := range rows {
				rows[i].Created = ""
			}
			require.Equal(t, want, rows)
		})
	}
}

func TestCommandsOfSeveralLinesAreOneRow(t *testing.T) {
	script := "IMAGE   CREATED   CREATED BY   SIZE   COMMENT\n" +
		id + "   2 weeks ago   RUN /bin/sh -c set -e\n\n  echo one\necho two\n # buildkit   12B       buildkit.dockerfile.v0\n" +
		"<missing>   2 weeks ago   ENV A=1   0B\n"
	rows, err := ReadText(strings.NewReader(script))
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, "RUN /bin/sh -c set -e\n\n  echo one\necho two\n # buildkit", rows[1].By)

	long := id + "   2 weeks ago   RUN /bin/sh -c " + strings.Repeat("echo some words; ", 20) + "true # buildkit   12B   buildkit.dockerfile.v0"
	var broken strings.Builder
	for rest := long; rest != ""; {
		n := min(80, len(rest))
		broken.WriteString(rest[:n] + "\n")
		rest = rest[n:]
	}
	rows, err = ReadText(strings.NewReader(broken.String()))
	require.NoError(t, err)
	require.Equal(t, "RUN /bin/sh -c "+strings.Repeat("echo some words; ", 20)+"true # buildkit", rows[0].By)
}

func TestTextThatIsNoHistoryIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"nothing":          {"", "no line begins with the ID of an image"},
		"prose":            {"This is a letter.\nIt has lines.\n", "no line begins with the ID of an image"},
		"images":           {"REPOSITORY   TAG   IMAGE ID   CREATED   SIZE\nx   1   0c3a5a666929   2 weeks ago   12MB\n", "no line begins"},
		"a Dockerfile":     {"FROM x\nRUN y\n", "no line begins"},
		"ids alone":        {id + "\n" + id + "\n", "no size"},
		"rows of nothing":  {id + "   2 weeks ago      0B\n", "no output of `docker history"},
		"other JSON":       {`{"Id": 1}` + "\n", "CreatedBy"},
		"JSON cut":         {`{"CreatedBy": "RUN`, "line 1"},
		"cut by docker":    {id + "   2 weeks ago   /bin/sh -c echo a long command that does not fit…   1B\n", "--no-trunc"},
		"cut by docker 18": {id + "   2 weeks ago   /bin/sh -c #(nop)  ENV PATH=/usr/local/sbi...   0B\n", "--no-trunc"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadText(strings.NewReader(c.text))
			require.ErrorContains(t, err, c.says)
		})
	}
}
