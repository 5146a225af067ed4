package walls

import (
	"maps"
	"slices"
)

// largestCycle finds the largest set of nodes each of which reaches each other (Tarjan's algorithm); none if no
// two do.
func largestCycle(edges map[string]map[string]bool) []string {
	t := &tarjan{edges: edges, number: make(map[string]int), low: make(map[string]int), open: make(map[string]bool)}
	for _, node := range slices.Sorted(maps.Keys(edges)) {
		if t.number[node] == 0 {
			t.visit(node)
		}
	}
	if len(t.best) < 2 {
		return nil
	}
	slices.Sort(t.best)
	return t.best
}

type tarjan struct {
	edges       map[string]map[string]bool
	number, low map[string]int // in the order of visits, from 1; the lowest that a node reaches
	open        map[string]bool
	stack, best []string
}

func (t *tarjan) visit(node string) {
	n := len(t.number) + 1
	t.number[node], t.low[node] = n, n
	t.stack, t.open[node] = append(t.stack, node), true
	for next := range t.edges[node] {
		if t.number[next] == 0 {
			t.visit(next)
			t.low[node] = min(t.low[node], t.low[next])
		} else if t.open[next] {
			t.low[node] = min(t.low[node], t.number[next])
		}
	}
	if t.low[node] != t.number[node] {
		return
	}
	at := slices.Index(t.stack, node)
	cycle := slices.Clone(t.stack[at:])
	t.stack = t.stack[:at]
	for _, member := range cycle {
		t.open[member] = false
	}
	if len(cycle) > len(t.best) {
		t.best = cycle
	}
}
