package history

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBasesAreRecognised(t *testing.T) {
	const add = "/bin/sh -c #(nop) ADD file:9cbf3b8c13d54459e430a65d7c520515a793b316673b6ed77c48a72b7554652e in / "
	for name, c := range map[string]struct {
		rows []Row
		name string
		own  int
		sure Certainty
		says string
	}{
		"debian": {[]Row{{By: "# debian.sh --arch 'amd64' out/ 'bookworm' '@1749513600'", Comment: "debuerreotype 0.15"}, {By: `CMD ["bash"]`}, {By: "ENV A=1"}},
			"debian:bookworm", 2, Likely, "Debian's image builder"},
		"alpine": {[]Row{{By: "ADD alpine-minirootfs-3.20.1-x86_64.tar.gz / # buildkit"}, {By: `CMD ["/bin/sh"]`}, {By: "ENV A=1"}},
			"alpine:3.20.1", 2, Likely, "Alpine's root file system"},
		"ubuntu": {[]Row{{By: "/bin/sh -c #(nop)  ARG RELEASE"}, {By: "/bin/sh -c #(nop)  LABEL org.opencontainers.image.ref.name=ubuntu"},
			{By: "/bin/sh -c #(nop)  LABEL org.opencontainers.image.version=22.04"}, {By: add}, {By: `/bin/sh -c #(nop)  CMD ["/bin/bash"]`}, {By: "RUN /bin/sh -c x # buildkit"}},
			"ubuntu:22.04", 5, Likely, "org.opencontainers.image.ref.name"},
		"centos": {[]Row{{By: add}, {By: "/bin/sh -c #(nop)  LABEL org.label-schema.name=CentOS Base Image org.label-schema.build-date=20191001"},
			{By: `/bin/sh -c #(nop)  CMD ["/bin/bash"]`}, {By: "/bin/sh -c x"}}, "centos:7.7.1908", 3, Likely, "20191001"},
		"buildah's note": {[]Row{{By: add}, {By: `/bin/sh -c #(nop)  CMD ["/bin/bash"]`}, {By: "/bin/sh -c x"},
			{By: "/bin/sh -c y", Comment: "FROM docker.io/library/centos:7"}, {By: "/bin/sh -c z", Comment: "FROM c55e865a07e2"}},
			"docker.io/library/centos:7", 3, Stated, "buildah noted"},
		"a label": {[]Row{{By: add}, {By: `/bin/sh -c #(nop)  CMD ["/bin/bash"]`}, {By: "LABEL org.opencontainers.image.base.name=site/base:3"}, {By: "ENV A=1"}},
			"site/base:3", 2, Stated, "the label org.opencontainers.image.base.name"},
		"only its end": {[]Row{{By: add}, {By: "/bin/sh -c #(nop)  ENV A=1"}, {By: "RUN /bin/sh -c x # buildkit"}, {By: "ENV B=1"}},
			"", 2, None, "Docker's classic builder, those above by BuildKit"},
		"none": {[]Row{{By: "COPY a /a # buildkit"}, {By: "ENV B=1"}}, "", 0, None, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := GuessBase(Read(c.rows, nil))
			require.Equal(t, c.name, b.Name)
			require.Equal(t, c.own, b.Rows)
			require.Equal(t, c.sure, b.Sure)
			require.Contains(t, strings.Join(b.Reasons, "\n"), c.says)
		})
	}
}

func TestReleaseFilesNameBases(t *testing.T) {
	for _, c := range [][3]string{
		{"ID=\"centos\"\nVERSION_ID=\"7\"\n", "CentOS Linux release 7.7.1908 (Core)\n", "centos:7.7.1908"},
		{"ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n", "", "debian:bookworm"},
		{"ID=ubuntu\nVERSION_ID=\"22.04\"\nVERSION_CODENAME=jammy\n", "", "ubuntu:22.04"},
		{"ID=\"ol\"\nVERSION_ID=\"8.9\"\n", "", "oraclelinux:8.9"},
		{"ID=\"rhel\"\nVERSION_ID=\"8.5\"\n", "", "registry.access.redhat.com/ubi8:8.5"},
		{"ID=arch\n", "", "arch:latest"},
		{"", "", ""},
	} {
		name, _ := NameByRelease(c[0], c[1])
		require.Equal(t, c[2], name)
	}
}
