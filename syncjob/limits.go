package syncjob

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// limits are what bounds how many tasks of a worker's sets run, or how fast they start, in all workers together. What
// a fetch may take of them is decided with its grant, by the intake, under whose mutex all of this is.
type limits struct {
	in    *intake
	live  *handlers.Live
	all   []*limit                 // of every set and kind, whether or not it is limited now
	cover map[store.Route][]*limit // on running tasks, by set and kind; the queue does not matter

	active   []*limit // those that limit now
	perRun   []store.RunLimit
	counting bool  // deliveries are charged: since a limit was active for the first time
	epoch    int64 // sessions opened so far
	turns    int64 // grants with something of a limit so far
}

// limit is one of them as this worker sees it: on what runs, by permits, or on starts, by tokens of a rate.
type limit struct {
	name    string // of its account
	set     string
	kind    string // "" for the set
	scope   store.Scope
	wake    chan struct{} // capacity 1: there may be reason to draw
	number  int64         // of the last call; only for who draws
	drawing bool          // a call is in flight
	known   bool          // it was in force once
	perJob  int           // how many tasks of each job may run; 0 for no limit

	*permits // or
	*tokens
}

// account is how much of a limit this worker may spend.
type account interface {
	limits() bool
	free(now time.Time) int
	reserve(n int)
	unreserve(n int)
}

func (l *limit) account() account {
	if l.permits != nil {
		return l.permits
	}
	return l.tokens
}

func newLimits(in *intake, reg *handlers.Registry, live *handlers.Live) *limits {
	ls := &limits{in: in, live: live, cover: make(map[store.Route][]*limit)}
	for name, scope := range reg.Scopes() {
		set, kind, _ := strings.Cut(name, "/")
		running := &limit{name: "running:" + name, set: set, kind: kind, scope: scope, wake: make(chan struct{}, 1), permits: &permits{all: ls}}
		starting := &limit{name: "rate:" + name, set: set, kind: kind, scope: scope, wake: make(chan struct{}, 1), tokens: &tokens{}}
		ls.all = append(ls.all, running, starting)
		for _, kind := range scope.Kinds {
			r := store.Route{Set: set, Kind: kind}
			ls.cover[r] = append(ls.cover[r], running)
		}
	}
	slices.SortFunc(ls.all, func(a, b *limit) int { return cmp.Compare(a.name, b.name) })
	return ls
}

// refresh puts in force what is configured now. It returns the limits that are in force for the first time, and whether any has less to
// give than before, and whether any limit of each job is another one. When the first of all begins, tasks that are leased already are charged to
// it: inventory visits them.
func (ls *limits) refresh(inventory func(visit func(*task))) (first []*limit, lowered, perJob bool) {
	ls.in.mu.Lock()
	defer ls.in.mu.Unlock()
	ls.active, ls.perRun = nil, nil
	changed := false
	for _, l := range ls.all {
		a, err := ls.live.Attributes(l.set, l.kind)
		if err != nil {
			continue // it is of the same registry
		}
		var moved bool
		switch {
		case l.permits != nil:
			was := l.max
			moved = l.permits.set(max(a.MaxRunning, 0))
			lowered = lowered || moved && l.max > 0 && (was == 0 || l.max < was)
			perJob = perJob || l.perJob != max(a.MaxRunningPerJob, 0)
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
				first = append(first, l)
			}
		}
	}
	if len(ls.active) > 0 && !ls.counting {
		ls.counting = true
		inventory(ls.chargeLocked)
	}
	if changed || perJob { // what a limit kept back may run by now, and nothing else tells
		for _, src := range ls.in.sources {
			src.hot = true
		}
	}
	ls.in.decideLocked()
	return first, lowered, perJob
}

// chargeLocked counts a leased task, once.
func (ls *limits) chargeLocked(t *task) {
	if t.charged == nil {
		r := t.delivery.Lease.Lane.Route
		t.charged = ls.cover[store.Route{Set: r.Set, Kind: r.Kind}]
		for _, l := range t.charged {
			l.used++
		}
	}
}

// dischargeLocked takes a task out of the count that is not leased any more.
func (ls *limits) dischargeLocked(t *task) {
	for _, l := range t.charged {
		l.used--
	}
	t.charged = nil
}

// share is what a grant may take of a limit.
type share struct {
	limit *limit
	n     int
	until time.Time // by the store's clock; zero for ever
}

// wantsLocked reports whether something waits in the source for a limit of which something is left, and it is its turn.
func (ls *limits) wantsLocked(src *source) bool {
	if len(ls.active) == 0 || len(src.short) == 0 {
		return false
	}
	now := time.Now()
	return slices.ContainsFunc(ls.active, func(l *limit) bool {
		return src.short[l] && l.account().free(now) > 0 && ls.entitledLocked(src, l)
	})
}

// entitledLocked reports whether no other source that waits for the limit was served longer ago.
func (ls *limits) entitledLocked(src *source, l *limit) bool {
	return !slices.ContainsFunc(ls.in.sources, func(other *source) bool {
		return other != src && other.open && !other.busy && other.short[l] && other.turns[l] < src.turns[l]
	})
}

// shareLocked reserves what a grant may take.
func (ls *limits) shareLocked(src *source, most int) (shares []share) {
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
	}
}

// budgets are the shares as a fetch names them.
func budgets(shares []share) []store.Budget {
	if len(shares) == 0 {
		return nil
	}
	list := make([]store.Budget, len(shares))
	for i, s := range shares {
		list[i] = store.Budget{Scope: s.limit.scope, Left: s.n, Until: s.until}
	}
	return list
}

// fetchedLocked charges what a fetch has leased, and notes which limits made more of the source wait.
func (ls *limits) fetchedLocked(src *source, shares []share, f fetched) {
	if !ls.counting {
		return
	}
	returnLocked(shares)
	for i := range f.tasks {
		ls.chargeLocked(&f.tasks[i])
	}
	for i, s := range shares {
		src.short[s.limit] = slices.Contains(f.short, i)
		if s.limit.tokens != nil {
			got := 0
			for j := range f.tasks {
				if s.limit.scope.Covers(f.tasks[j].delivery.Lease.Lane.Route) {
					got++
				}
			}
			s.limit.spend(got, f.now, got == 0 && s.n > 0 && src.short[s.limit])
		}
	}
}

// shortLocked reports whether tasks wait for the limit somewhere.
func (ls *limits) shortLocked(l *limit) bool {
	return slices.ContainsFunc(ls.in.sources, func(src *source) bool { return src.open && src.short[l] })
}

// kickLocked wakes who draws on a limit where there is reason to.
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

func (ls *limits) dueLocked(l *limit, now time.Time) bool {
	short := ls.shortLocked(l)
	if l.permits != nil {
		return l.permits.due(short, ls.in.appetiteLocked(), now)
	}
	return l.tokens.due(short, now)
}

// unansweredLocked reports whether it is not yet known what could be had of a limit for which tasks wait.
func (ls *limits) unansweredLocked() bool {
	now := time.Now()
	return slices.ContainsFunc(ls.active, func(l *limit) bool {
		return ls.shortLocked(l) && (l.drawing || ls.dueLocked(l, now))
	})
}
