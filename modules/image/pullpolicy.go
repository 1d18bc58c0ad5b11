package image

import (
	"fmt"
	"strings"
)

// latestTrap warns of names that Kubernetes treats in a way that defeats an
// image which was brought to the nodes; empty when there is none.
func latestTrap(names []string) string {
	for _, name := range names {
		if tag := name[strings.LastIndexByte(name, ':')+1:]; tag == "latest" {
			return fmt.Sprintf("%s: a container of tag latest that sets no imagePullPolicy gets Always, and is pulled from its registry whatever the node has; "+
				"one that sets IfNotPresent runs an older latest on a node that was missed. Give the image a tag of its own", familiar(name))
		}
	}
	return ""
}
