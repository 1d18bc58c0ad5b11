package rootfs

import (
	"fmt"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"
)

func TestWasteIsWhatNoPathLeadsToAndWhatIsThereTwice(t *testing.T) {
	text := func(c string, n int) string { return strings.Repeat(c, n) }
	tree := read(t,
		[]string{"opt/a " + text("a", 9000), "opt/b " + text("b", 8000), "opt/c " + text("c", 7000), "opt/tiny x"},
		[]string{"opt/.wh.a", "usr/a " + text("a", 9000), "opt/b " + text("b", 8000), "opt/c " + text("C", 7000), "opt/c " + text("D", 7000)},
		[]string{"srv/b " + text("b", 8000), "srv/b2 => srv/b", "opt/.wh.tiny", "srv/tiny x", "srv/other " + text("o", 8000)},
		[]string{"srv/.wh.b2"},
	)
	w, err := tree.Waste(t.Context(), nil)
	require.NoError(t, err)
	var got []string
	for _, f := range w.Files {
		got = append(got, fmt.Sprintf("%s %d %s %d by %d = %s", f.Path, f.Size, f.Why, f.Layer+1, f.By+1, f.Same))
	}
	require.Equal(t, []string{
		"/opt/a 9000 deleted 1 by 2 = /usr/a",
		"/opt/b 8000 rewritten 1 by 2 = ",
		"/srv/b 8000 copy 3 by 3 = /opt/b",
		"/opt/c 7000 overwritten 1 by 2 = ",
		"/opt/c 7000 overwritten 2 by 2 = ",
		"/opt/tiny 1 deleted 1 by 3 = ",
	}, got)
	require.Equal(t, int64(39001), w.Bytes)
	require.Equal(t, []int64{24001, 7000, 8000, 0}, w.Layers)
}

func TestALayerThatIsThereTwiceIsStoredOnce(t *testing.T) {
	same := []string{"a " + strings.Repeat("a", 9000)}
	w, err := read(t, same, same).Waste(t.Context(), nil)
	require.NoError(t, err)
	require.Zero(t, w.Bytes)
}

func TestHardLinksAreNoWaste(t *testing.T) {
	tree := read(t, []string{"a " + strings.Repeat("a", 9000), "b => a"}, []string{".wh.a"})
	w, err := tree.Waste(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, w.Files, "the other name keeps the bytes")
	tree = read(t, []string{"a 1", "b => a"}, []string{".wh.a", ".wh.b"})
	w, err = tree.Waste(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, w.Files, 1, "once for both names")
}

func TestCommandsReadLikeTheDockerfile(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	for given, want := range map[string]string{
		"/bin/sh -c #(nop)  ENV A=b":                         "ENV A=b",
		"/bin/sh -c #(nop) COPY file:" + hash + " in /opt/ ": "COPY file:0123456789ab in /opt/",
		"/bin/sh -c yum -y install a && \t\tyum clean all":   "RUN yum -y install a && yum clean all",
		"|2 A=1 B=two words /bin/sh -c make":                 "RUN make",
		"RUN |1 A=1 /bin/sh -c make # buildkit":              "RUN make",
		"RUN /bin/sh -c make # buildkit":                     "RUN make",
		"COPY --chown=26 a b # buildkit":                     "COPY --chown=26 a b",
		"WORKDIR /pgdata":                                    "WORKDIR /pgdata",
		"/bin/sh -c #(nop) ADD bin/common /opt/cpm/bin":      "ADD bin/common /opt/cpm/bin",
		"bazel build //x":                                    "bazel build //x",
		"":                                                   "(no record)",
		"|1 A=/bin/bash -lc x":                               "RUN |1 A=/bin/bash -lc x",
	} {
		require.Equal(t, want, Command(v1.History{CreatedBy: given}), given)
	}
	require.Equal(t, "Imported from -", Command(v1.History{Comment: "Imported from -"}))
}

func TestHistoryMapsToLayersOnlyWhenTheCountsAgree(t *testing.T) {
	c := &v1.ConfigFile{RootFS: v1.RootFS{DiffIDs: make([]v1.Hash, 2)}, History: []v1.History{
		{CreatedBy: "ADD"}, {CreatedBy: "ENV", EmptyLayer: true}, {CreatedBy: "RUN"},
	}}
	steps, err := History(c)
	require.NoError(t, err)
	require.Equal(t, []string{"ADD", "RUN"}, []string{steps[0].CreatedBy, steps[1].CreatedBy})
	c.History = c.History[:2]
	_, err = History(c)
	var mismatch *HistoryError
	require.ErrorAs(t, err, &mismatch)
	require.ErrorContains(t, err, "names 1 layers and the image has 2")
}
