package dockerfile

import (
	"strconv"
	"strings"
)

// UpTo leaves the stages out that come after the wanted one, which is given by
// name or number; empty means the last. An unknown name leaves all in: the
// builder will complain in its own words.
func (f *File) UpTo(target string) *File {
	if target == "" {
		return f
	}
	n, inTarget := 0, false
	for i, in := range f.Instructions {
		if in.Verb != "FROM" {
			continue
		}
		if inTarget {
			return &File{Instructions: f.Instructions[:i], Syntax: f.Syntax, CRLF: f.CRLF}
		}
		inTarget = in.From().Name == strings.ToLower(target) || strconv.Itoa(n) == target
		n++
	}
	return f
}

// Bases are the images that a build needs to find or pull, each once, in order
// of appearance: those of FROM lines, of COPY --from and of RUN --mount. args
// are the values given to the build.
func (f *File) Bases(args map[string]string) []string {
	var (
		found  []string
		global = map[string]string{}
		stages = map[string]bool{"scratch": true}
		n      int
	)
	add := func(image string) {
		if image != "" && !stages[strings.ToLower(image)] && !strings.Contains(image, "$") {
			found = append(found, image)
			stages[strings.ToLower(image)] = true
		}
	}
	for _, in := range f.Instructions {
		switch in.Verb {
		case "ARG":
			if n == 0 {
				declare(global, in, args)
			}
		case "FROM":
			s := in.From()
			add(Expand(s.Image, global))
			if s.Name != "" {
				stages[s.Name] = true
			}
			stages[strconv.Itoa(n)] = true
			n++
		case "COPY":
			from, _ := in.Flag("from")
			add(from)
		case "RUN":
			for _, image := range in.mounted() {
				add(image)
			}
		}
	}
	return found
}

// mounted are the stages and images whose files a RUN sees by --mount.
func (in Instruction) mounted() (from []string) {
	flags, _ := in.Flags()
	for _, flag := range flags {
		if flag.Name != "mount" {
			continue
		}
		for option := range strings.SplitSeq(flag.Value, ",") {
			if image, ok := strings.CutPrefix(option, "from="); ok {
				from = append(from, image)
			}
		}
	}
	return from
}

// Need is something that only newer builders can do.
type Need struct {
	Line int
	What string
	New  bool // the BuildKit of engines before 23.0 cannot do it either
}

// Needs lists what the file asks of its builder beyond the classic one, in
// order.
func (f *File) Needs() (needs []Need) {
	for _, in := range f.Instructions {
		if len(in.Heredocs) > 0 {
			needs = append(needs, Need{Line: in.Line, What: "a here-document", New: true})
		}
		flags, _ := in.Flags()
		for _, flag := range flags {
			switch in.Verb + " --" + flag.Name {
			case "RUN --mount", "RUN --network", "RUN --security", "COPY --chmod", "ADD --chmod":
				needs = append(needs, Need{Line: in.Line, What: in.Verb + " --" + flag.Name})
			case "COPY --link", "ADD --link", "COPY --parents", "COPY --exclude", "ADD --exclude", "ADD --checksum", "ADD --keep-git-dir", "ADD --unpack":
				needs = append(needs, Need{Line: in.Line, What: in.Verb + " --" + flag.Name, New: true})
			}
		}
	}
	return needs
}
