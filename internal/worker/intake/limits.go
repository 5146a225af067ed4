package intake

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// limits holds the limits on how many tasks of a worker's sets run, or how fast they start, in all
// workers together. The intake decides with each grant how much of them the fetch may use. The
// intake's mutex guards everything here.
type limits struct {
	in    *Intake
	all   []*Limit                 // of every set and kind, limited now or not
	cover map[store.Route][]*Limit // limits on running tasks, by set and kind, for all queues

	active   []*Limit // the limits that are in force now
	perRun   []store.RunLimit
	counting bool  // deliveries are counted: since a limit was first in force
	epoch    int64 // how many sessions were opened
	turns    int64 // how many grants had a share of a limit
}

// RunningAccount and RateAccount are what the names of the accounts of a limit begin with: that of
// its permits, and that of its tokens. SET, or SET/KIND, follows.
const (
	RunningAccount = "running:"
	RateAccount    = "rate:"
)

// Limit is one limit, as this worker sees it. A limit on running tasks uses permits; a limit on
// starts uses tokens of a rate.
type Limit struct {
	in      *Intake
	name    string // name of its account
	set     string
	kind    string // empty for the set
	scope   store.Scope
	wake    chan struct{} // capacity 1: there may be a reason to draw
	number  int64         // number of the last call
	drawing bool          // a call is in flight
	epoch   int64         // number of sessions when the call was made
	known   bool          // it was in force before
	perJob  int           // how many tasks of each job may run; 0 means no limit
	shared  int           // what fetches that are not answered have of it

	*permits // or
	*tokens
}

// account is how much of a limit this worker may use.
type account interface {
	limits() bool
	free(now time.Time) int
	reserve(n int)
	unreserve(n int)
}

func (l *Limit) account() account {
	if l.permits != nil {
		return l.permits
	}
	return l.tokens
}

func newLimits(in *Intake) *limits {
	ls := &limits{in: in, cover: make(map[store.Route][]*Limit)}
	for name, scope := range in.cfg.Scopes {
		set, kind, _ := strings.Cut(name, "/")
		of := func(account string) *Limit {
			return &Limit{
				in: in, name: account + name, set: set, kind: kind, scope: scope,
				wake: make(chan struct{}, 1),
			}
		}
		running, starting := of(RunningAccount), of(RateAccount)
		running.permits, starting.tokens = &permits{all: ls}, &tokens{}
		ls.all = append(ls.all, running, starting)
		for _, kind := range scope.Kinds {
			r := store.Route{Set: set, Kind: kind}
			ls.cover[r] = append(ls.cover[r], running)
		}
	}
	slices.SortFunc(ls.all, func(a, b *Limit) int { return cmp.Compare(a.name, b.name) })
	return ls
}

// Change says what a new configuration of limits changes.
type Change struct {
	First   []*Limit // limits that are in force for the first time
	Lowered bool     // a limit is lower than before
	PerJob  bool     // a limit per job changed
}

// Refresh applies the limits that are configured now. When the first limit comes into force, leased
// tasks are counted: inventory lists them.
func (in *Intake) Refresh(inventory iter.Seq[*Task]) Change {
	in.mu.Lock()
	defer in.mu.Unlock()
	c, changed := in.limits.refreshLocked()
	if len(in.limits.active) > 0 && !in.limits.counting {
		in.limits.counting = true
		for t := range inventory {
			in.limits.chargeLocked(t)
		}
	}
	if changed || c.PerJob { // tasks that a limit kept back may be able to run now, and no signal says so
		for _, src := range in.sources {
			src.hot = true
		}
	}
	in.decideLocked()
	return c
}

// refreshLocked returns what changed, and whether any limit did.
func (ls *limits) refreshLocked() (c Change, changed bool) {
	ls.active, ls.perRun = nil, nil
	for _, l := range ls.all {
		a, err := ls.in.cfg.Attributes(l.set, l.kind)
		if err != nil {
			continue // its registry is the same
		}
		var moved bool
		switch {
		case l.permits != nil:
			was := l.max
			moved = l.permits.set(max(a.MaxRunning, 0))
			c.Lowered = c.Lowered || moved && l.max > 0 && (was == 0 || l.max < was)
			c.PerJob = c.PerJob || l.perJob != max(a.MaxRunningPerJob, 0)
			if l.perJob = max(a.MaxRunningPerJob, 0); l.perJob > 0 {
				ls.perRun = append(ls.perRun, store.RunLimit{Scope: l.scope, Max: l.perJob})
			}
		case a.Rate.Events > 0:
			moved = l.tokens.set(store.Rate{Events: a.Rate.Events, Per: a.Rate.Per, Burst: a.Rate.Burst})
		default:
			moved = l.tokens.set(store.Rate{})
		}
		if moved {
			lifecycle.Wake(l.wake)
			changed = true
		}
		if l.account().limits() {
			ls.active = append(ls.active, l)
			if !l.known {
				l.known = true
				c.First = append(c.First, l)
			}
		}
	}
	return c, changed
}

// chargeLocked counts a leased task, once.
func (ls *limits) chargeLocked(t *Task) {
	if t.charged == nil {
		r := t.Delivery.Lease.Lane.Route
		t.charged = ls.cover[store.Route{Set: r.Set, Kind: r.Kind}]
		for _, l := range t.charged {
			l.used++
		}
	}
}

// dischargeLocked takes a task that is no longer leased out of the count.
func (t *Task) dischargeLocked() {
	for _, l := range t.charged {
		l.used--
	}
	t.charged = nil
}

// share is how much of a limit a grant may use.
type share struct {
	limit *Limit
	n     int
	until time.Time // by the store's clock; zero means never
}

// wantsLocked reports whether tasks of the source wait for a limit that has something left, and it
// is the source's turn.
func (ls *limits) wantsLocked(src *Source) bool {
	if len(ls.active) == 0 || len(src.short) == 0 {
		return false
	}
	now := time.Now()
	return slices.ContainsFunc(ls.active, func(l *Limit) bool {
		return src.short[l] && l.account().free(now) > 0 && ls.entitledLocked(src, l) && !ls.awaitsLocked(src, l, now)
	})
}

// awaitsLocked reports whether the source also lacks another limit on the same tasks, and fetches
// that are not answered have all of it. What they do not use is there again with their answers.
// Otherwise two sources, each with all of a limit that the other lacks, would fetch nothing for
// ever.
func (ls *limits) awaitsLocked(src *Source, l *Limit, now time.Time) bool {
	return slices.ContainsFunc(ls.active, func(o *Limit) bool {
		same := o.set == l.set && (o.kind == l.kind || o.kind == "" || l.kind == "")
		return o != l && same && src.lacks[o] && o.shared > 0 && o.account().free(now) == 0
	})
}

// entitledLocked reports whether no other source that waits for the limit was served earlier.
func (ls *limits) entitledLocked(src *Source, l *Limit) bool {
	return !slices.ContainsFunc(ls.in.sources, func(other *Source) bool {
		return other != src && other.open && !other.busy && other.short[l] && other.turns[l] < src.turns[l]
	})
}

// shareLocked reserves what a grant may use.
func (ls *limits) shareLocked(src *Source, most int) (shares []share) {
	if len(ls.active) == 0 {
		return nil
	}
	now := time.Now()
	for _, l := range ls.active {
		s := share{limit: l}
		if ls.entitledLocked(src, l) {
			s.n = min(most, l.account().free(now))
		}
		if s.n > 0 {
			l.account().reserve(s.n)
			l.shared += s.n
			ls.turns++
			src.turns[l] = ls.turns
		}
		if l.tokens != nil {
			s.until = l.until
		}
		shares = append(shares, s)
	}
	return shares
}

func returnLocked(shares []share) {
	for _, s := range shares {
		s.limit.account().unreserve(s.n)
		s.limit.shared -= s.n
	}
}

// fetchedLocked counts the tasks that a fetch leased, and records which limits made other tasks of
// the source wait.
func (ls *limits) fetchedLocked(g *Grant, r *store.FetchReply, tasks iter.Seq[*Task]) {
	if !ls.counting {
		return
	}
	returnLocked(g.shares)
	for t := range tasks {
		ls.chargeLocked(t)
	}
	if len(r.Deliveries) > 0 || len(r.Short) == 0 {
		clear(g.src.lacks)
	}
	for i, s := range g.shares {
		short := slices.Contains(r.Short, i)
		g.src.short[s.limit] = short
		if short && len(r.Deliveries) == 0 {
			g.src.lacks[s.limit] = true
		}
		if s.limit.tokens != nil {
			got, begin := 0, 0
			for j := range r.Deliveries {
				if d := &r.Deliveries[j]; s.limit.scope.Covers(d.Lease.Lane.Route) {
					got++
					if !d.Task.Expired(r.Now) {
						begin++ // a task that has expired does not begin, so it spends no token
					}
				}
			}
			s.limit.spend(begin, r.Now, got == 0 && s.n > 0 && short)
		}
	}
}

// shortLocked reports whether tasks of any source wait for the limit.
func (ls *limits) shortLocked(l *Limit) bool {
	return slices.ContainsFunc(ls.in.sources, func(src *Source) bool { return src.open && src.short[l] })
}

// kickLocked wakes the loops that draw on limits, if there is a reason.
func (ls *limits) kickLocked() {
	if !ls.counting {
		return
	}
	now := time.Now()
	for _, l := range ls.all {
		if !l.drawing && ls.dueLocked(l, now) {
			lifecycle.Wake(l.wake)
		}
	}
}

func (ls *limits) dueLocked(l *Limit, now time.Time) bool {
	short := ls.shortLocked(l)
	if l.permits != nil {
		return l.permits.due(short, ls.in.appetiteLocked(), now)
	}
	return l.tokens.due(short, now)
}

// unansweredLocked reports whether tasks wait for a limit and the store has not yet said how much
// is left of it.
func (ls *limits) unansweredLocked() bool {
	now := time.Now()
	return slices.ContainsFunc(ls.active, func(l *Limit) bool {
		return ls.shortLocked(l) && (l.drawing || ls.dueLocked(l, now))
	})
}
