package redisstore

import (
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// packBounds packs the budgets and limits for a fetch of the routes. Without any, these are three
// arguments.
func packBounds(c *script.Call, p *store.FetchParams, routes []store.Route) {
	if len(p.InReadOnly) == 0 {
		c.Add("")
	} else {
		c.Add("/" + strings.Join(p.InReadOnly, "/") + "/")
	}
	c.Int(len(p.Budgets))
	for i := range p.Budgets {
		b := &p.Budgets[i]
		c.Int(b.Left)
		c.Int64(format.Instant(b.Until))
		covered(c, &b.Scope, routes)
	}
	c.Int(len(p.PerRun))
	for i := range p.PerRun {
		l := &p.PerRun[i]
		c.Int(l.Max).Int(len(l.Scope.Kinds))
		for _, kind := range l.Scope.Kinds {
			c.Add(tallyField(l.Scope.Set, kind))
		}
		covered(c, &l.Scope, routes)
	}
}

// tallyField returns the field of a run that counts its leased tasks of a kind, if the kind has a
// limit.
func tallyField(set, kind string) string { return tallyPrefix + set + "/" + kind }

const tallyPrefix = "n:"

// covered packs the routes of a scope by their numbers.
func covered(c *script.Call, scope *store.Scope, routes []store.Route) {
	count, n := c.Reserve(), 0
	for i, r := range routes {
		if scope.Covers(r) {
			c.Int(i + 1)
			n++
		}
	}
	c.Set(count, n)
}

// affords reports whether the budgets allow a fetch to lease a task of the route.
func affords(p *store.FetchParams, r store.Route) bool {
	for i := range p.Budgets {
		if p.Budgets[i].Left < 1 && p.Budgets[i].Scope.Covers(r) {
			return false
		}
	}
	return true
}
