package memstore

import (
	"cmp"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// ledger has the figures of each route that was used.
type ledger struct {
	figures map[store.Route]*figures
	changes int64
}

type figures struct {
	store.Figures
	changed int64 // number of the change
}

// of finds the figures of a route that change now, or makes them.
func (l *ledger) of(route store.Route) *store.Figures {
	f := l.figures[route]
	if f == nil {
		f = &figures{}
		l.figures[route] = f
	}
	l.changes++
	f.changed = l.changes
	return &f.Figures
}

// forget forgets the figures of routes that have no lanes, but for those that changed last.
func (l *ledger) forget(idle func(store.Route) bool) {
	if len(l.figures) <= bounds.MaxIdleRoutes {
		return
	}
	var routes []store.Route
	for r := range l.figures {
		if idle(r) {
			routes = append(routes, r)
		}
	}
	slices.SortFunc(
		routes,
		func(a, b store.Route) int { return cmp.Compare(l.figures[b].changed, l.figures[a].changed) },
	)
	for _, r := range routes[min(len(routes), bounds.MaxIdleRoutes):] {
		delete(l.figures, r)
	}
}
