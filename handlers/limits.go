package handlers

import (
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// Scopes lists the groups of kinds that a limit counts together, by name: "SET" for all kinds of a
// set, and "SET/KIND" for a kind and its aliases. Hooks are in no group.
func (r *Registry) Scopes() map[string]store.Scope {
	scopes := make(map[string]store.Scope)
	for set, s := range r.sets {
		scopes[set] = store.Scope{Set: set, Kinds: slices.Sorted(maps.Keys(s.kinds))}
		for name, k := range s.kinds {
			limit := set + "/" + k.kind.name
			scope := scopes[limit]
			scope.Set, scope.Kinds = set, append(scope.Kinds, name)
			slices.Sort(scope.Kinds)
			scopes[limit] = scope
		}
	}
	return scopes
}
