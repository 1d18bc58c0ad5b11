package preflight

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

// at puts a layer (from 0) at fault; the first one stays.
func (f *finding) at(layer int) {
	if f.Layer != 0 {
		return
	}
	f.Layer, f.History = layer+1, f.subject.step(layer)
}

// step is the line of the history that made a layer; empty when the history
// does not tell.
func (s *subject) step(layer int) string {
	steps, err := rootfs.History(s.config)
	if err != nil || layer >= len(steps) {
		return ""
	}
	line := rootfs.Command(steps[layer])
	if len(line) > 240 {
		line = line[:237] + "..."
	}
	return line
}

// layerName names a layer and its line.
func (s *subject) layerName(layer int) string {
	name := fmt.Sprintf("layer %d of %d", layer+1, len(s.tree.Layers))
	if line := s.step(layer); line != "" {
		name += " (" + line + ")"
	}
	return name
}

// absent says what became of a file that should be there, and puts the layer at
// fault: the one that took it away, else the one that brought what it belongs
// to.
func (f *finding) absent(p, belongs string) {
	s := f.subject
	by, from, gone := s.dropped(p)
	if gone {
		f.at(by)
		f.notef("%s deletes %s, which came with %s", s.layerName(by), p, s.layerName(from))
	}
	if e, ok := s.tree.Stat(belongs); ok && (!gone || e.Layer > by) {
		f.at(e.Layer)
		f.notef("%s brings %s without it", s.layerName(e.Layer), belongs)
	}
}

// dropped finds the last layer that deletes a path, and the layer it came from.
func (s *subject) dropped(p string) (by, from int, ok bool) {
	for n := len(s.tree.Layers) - 1; n > 0; n-- {
		if s.tree.Layers[n].Deleted == 0 {
			continue
		}
		for _, c := range s.tree.Changes(n) {
			if c.Op == rootfs.Deleted && c.Entry.Path == p {
				return n, c.Entry.Layer, true
			}
		}
	}
	return 0, 0, false
}

// elsewhere are the places where the image has a file of that name.
func (s *subject) elsewhere(name string) []string {
	var found []string
	for e := range s.tree.All() {
		if path.Base(e.Path) == name && e.Mode.IsRegular() {
			found = append(found, e.Path)
		}
	}
	return found
}

// droppedName finds the last layer that deletes a file of that name.
func (s *subject) droppedName(name string) (by int, ok bool) {
	for n := len(s.tree.Layers) - 1; n > 0; n-- {
		if s.tree.Layers[n].Deleted == 0 {
			continue
		}
		for _, c := range s.tree.Changes(n) {
			if c.Op == rootfs.Deleted && path.Base(c.Entry.Path) == name {
				return n, true
			}
		}
	}
	return 0, false
}

// readError is why a file cannot be read, without its name.
func readError(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "it is missing"
	}
	return err.Error()
}
