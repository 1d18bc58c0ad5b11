package preflight

import (
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/adbsql/antdbctl/modules/image/dockerfile"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

// Lines finds the lines of a Dockerfile that made an image's layers, from the
// base up; 0 for a layer of which that is not certain. Layers of the base are
// those of the FROM line. Builders keep the instructions in the history, in
// their order and each in its own words, so the two are laid side by side from
// the end on, as far as they agree.
func Lines(f *dockerfile.File, config *v1.ConfigFile) []int {
	steps, err := rootfs.History(config)
	if err != nil {
		return nil
	}
	lines := make([]int, len(steps))
	layer := len(steps) - 1
	list := lastStage(f)
	for row := len(config.History) - 1; row >= 0 && len(list) > 0; row-- {
		h := config.History[row]
		for verb(rootfs.Command(h)) != "ARG" && len(list) > 1 && list[len(list)-1].Verb == "ARG" {
			list = list[:len(list)-1] // not every builder records it
		}
		in := list[len(list)-1]
		if in.Verb == "FROM" {
			for ; layer >= 0; layer-- {
				lines[layer] = in.Line
			}
			break
		}
		if !same(in, rootfs.Command(h)) {
			break
		}
		list = list[:len(list)-1]
		if !h.EmptyLayer {
			lines[layer] = in.Line
			layer--
		}
	}
	return lines
}

// lastStage is the FROM that the result is made from, and what follows it.
func lastStage(f *dockerfile.File) []dockerfile.Instruction {
	var list []dockerfile.Instruction
	for _, in := range f.Instructions {
		if in.Verb == "FROM" {
			list = nil
		}
		list = append(list, in)
	}
	return list
}

func verb(command string) string {
	word, _, _ := strings.Cut(command, " ")
	return word
}

// same reports whether a step of the history can be the instruction. Of most
// only the verb is compared, for builders expand the rest.
func same(in dockerfile.Instruction, command string) bool {
	if in.Verb != verb(command) {
		return false
	}
	script := strings.Join(strings.Fields(in.Script()), " ")
	if in.Verb != "RUN" || script == "" || len(in.Heredocs) > 0 {
		return true
	}
	return strings.HasSuffix(command, script)
}
