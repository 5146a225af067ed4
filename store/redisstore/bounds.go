package redisstore

import (
	"strings"

	"github.com/rollcall-go/rollcall/store"
)

// bounds packs what keeps tasks back from a fetch of the routes. Without any it is three arguments.
func bounds(c *call, p *store.FetchParams, routes []store.Route) {
	if len(p.InReadOnly) == 0 {
		c.add("")
	} else {
		c.add("/" + strings.Join(p.InReadOnly, "/") + "/")
	}
	c.int(len(p.Budgets))
	for i := range p.Budgets {
		b := &p.Budgets[i]
		c.int(b.Left)
		if b.Until.IsZero() {
			c.add("0")
		} else {
			c.int64(b.Until.UnixMilli())
		}
		covered(c, &b.Scope, routes)
	}
	c.int(len(p.PerRun))
	for i := range p.PerRun {
		l := &p.PerRun[i]
		c.int(l.Max).int(len(l.Scope.Kinds))
		for _, kind := range l.Scope.Kinds {
			c.add(tallyField(l.Scope.Set, kind))
		}
		covered(c, &l.Scope, routes)
	}
}

// tallyField is the field of a run that counts its leased tasks of a kind, if that has a limit.
func tallyField(set, kind string) string { return tallyPrefix + set + "/" + kind }

const tallyPrefix = "n:"

// covered packs the routes of a scope by their numbers.
func covered(c *call, scope *store.Scope, routes []store.Route) {
	count, n := c.reserve(), 0
	for i, r := range routes {
		if scope.Covers(r) {
			c.int(i + 1)
			n++
		}
	}
	c.set(count, n)
}

// affords reports whether a fetch might lease a task of the route.
func affords(p *store.FetchParams, r store.Route) bool {
	for i := range p.Budgets {
		if p.Budgets[i].Left < 1 && p.Budgets[i].Scope.Covers(r) {
			return false
		}
	}
	return true
}
