package store

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// choose picks one of the images.
func choose(all []candidate, pick string) (candidate, error) {
	match := all
	if pick != "" {
		match = slices.DeleteFunc(slices.Clone(all), func(c candidate) bool { return !c.called(pick) })
	}
	if len(match) > 1 { // of one name for several platforms, this machine's
		here := slices.DeleteFunc(slices.Clone(match), func(c candidate) bool { return !strings.HasPrefix(c.platform, "linux/"+runtime.GOARCH) })
		alike := !slices.ContainsFunc(match, func(c candidate) bool { return !slices.Equal(c.names, match[0].names) })
		if len(here) == 1 && alike {
			match = here
		}
	}
	list := make([]string, len(all))
	for i, c := range all {
		list[i] = c.String()
	}
	slices.Sort(list) // Docker saves them in any order
	switch {
	case len(match) == 1:
		return match[0], nil
	case len(all) == 0:
		return candidate{}, foreign("the archive lists no image")
	case len(match) == 0:
		return candidate{}, &Fault{Text: fmt.Sprintf("the archive has no image %s", pick), Remedy: "it has " + strings.Join(list, "; ")}
	}
	return candidate{}, &Fault{
		Text:   fmt.Sprintf("the archive holds %d images: %s", len(all), strings.Join(list, "; ")),
		Remedy: `pick one by adding "#" and its name, or the beginning of its ID, to the path of the archive`,
	}
}

// called reports whether the image may be meant by pick: a name, or the
// beginning of the ID.
func (c candidate) called(pick string) bool {
	if hex := strings.TrimPrefix(pick, "sha256:"); len(hex) >= 6 && strings.HasPrefix(strings.TrimPrefix(c.id, "sha256:"), hex) {
		return true
	}
	return slices.ContainsFunc(c.names, func(n string) bool { return n == pick || familiar(n) == familiar(pick) })
}

// familiar is a name as Docker shows it, with its tag.
func familiar(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/")
	if !strings.Contains(name[strings.LastIndexByte(name, '/')+1:], ":") {
		name += ":latest"
	}
	return name
}

// fullNames leaves out what is no name, such as the bare tag of a layout.
func (c candidate) fullNames() []string {
	return slices.DeleteFunc(slices.Clone(c.names), func(n string) bool { return !strings.ContainsAny(n, "/:") })
}
