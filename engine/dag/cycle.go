package dag

import "slices"

// Cycle finds nodes that need each other in a circle and gives them in order,
// the first again at the end; nil when there is none. Needs that are nowhere
// are passed over.
func Cycle(nodes []Node) []string {
	needs := map[string][]string{}
	for _, n := range nodes {
		needs[n.ID] = append(slices.Clone(n.Needs), n.After...)
	}
	const (
		unseen = iota
		open
		closed
	)
	color, path := map[string]int{}, []string{}
	var circle []string
	var visit func(id string) bool
	visit = func(id string) bool {
		color[id] = open
		path = append(path, id)
		for _, next := range needs[id] {
			if _, known := needs[next]; !known {
				continue
			}
			switch color[next] {
			case open:
				circle = append(slices.Clone(path[slices.Index(path, next):]), next)
				return true
			case unseen:
				if visit(next) {
					return true
				}
			}
		}
		color[id] = closed
		path = path[:len(path)-1]
		return false
	}
	for _, n := range nodes {
		if color[n.ID] == unseen && visit(n.ID) {
			return circle
		}
	}
	return nil
}
