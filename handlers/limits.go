package handlers

import (
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// Scopes lists what limits may count together, by their names: each set as "SET", for all its
// kinds, and each kind as "SET/KIND", with its aliases. Hooks are in none.
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
