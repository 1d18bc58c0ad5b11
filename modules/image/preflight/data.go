package preflight

// vanilla are the catalog and control versions of PostgreSQL's releases. AntDB
// keeps those of the PostgreSQL it is made from, and pgBackRest knows a data
// directory by them.
var vanilla = map[string]struct{ catalog, control string }{
	"10": {"201707211", "1002"}, "11": {"201809051", "1100"}, "12": {"201909212", "1201"}, "13": {"202007201", "1300"},
	"14": {"202107181", "1300"}, "15": {"202209061", "1300"}, "16": {"202307071", "1300"}, "17": {"202406281", "1700"},
}

// B6.19: which data directories the server takes.
func (s *subject) data(f *finding) {
	v := s.server
	if v.postgres == nil {
		f.seeServer()
		return
	}
	if v.catalog == "" {
		f.unknownf("the server's catalog version is not among its texts")
		return
	}
	known, ok := vanilla[v.major]
	f.notef("it takes data directories of major %s with catalog version %s", v.major, v.catalog)
	switch {
	case !ok:
		f.unknownf("the versions of major %s are not known here", v.major)
	case v.catalog != known.catalog:
		f.failf("Take a released server: this one reads no data directory of another, and pgBackRest does not know it.",
			"catalog version %s, where major %s has %s", v.catalog, v.major, known.catalog)
		f.ofServer()
	default:
		f.notef("pgBackRest knows it: catalog version %s, control version %s", known.catalog, known.control)
	}
	if v.antdb != "" {
		f.notef("nothing stops it from starting on a data directory of PostgreSQL, whose catalogs lack AntDB's: use it with directories of its own alone")
	}
}

// wantedArch is the architecture that programs must be for.
func (s *subject) wantedArch() string {
	if s.want.Arch != "" {
		return s.want.Arch
	}
	return s.config.Architecture
}

// B6.20: the image and its server are for the nodes' machines.
func (s *subject) architecture(f *finding) {
	want := s.wantedArch()
	if s.config.OS != "" && s.config.OS != "linux" {
		f.failf("Build it for linux.", "the image is for %s", s.config.OS)
	}
	if s.config.Architecture != want {
		f.failf("Build it with --platform=linux/"+want+".", "the image is for %s, the nodes are %s: \"exec format error\"", s.config.Architecture, want)
	}
	if s.server.postgres == nil {
		f.notef("the image says %s", s.config.Architecture)
		return
	}
	if got := s.server.postgres.Arch; got != want {
		f.failf("Put the server for "+want+" into it.", "the server is built for %s, not %s: \"exec format error\"", got, want)
		f.ofServer()
		return
	}
	f.notef("image and server are for %s", want)
}
