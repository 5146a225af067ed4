package syncjob

import (
	"context"
	"fmt"

	"github.com/rollcall-go/rollcall/internal/plural"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// limitsOn returns what is in force for tasks that are ready to run, each limit once: by the
// registry, or as workers have published it and it is configured.
func (m *Manager) limitsOn(ctx context.Context, waiting []WaitingTasks) (limits []states.Limit) {
	asked := make(map[store.Route]bool)
	add := func(set, kind string) {
		r := store.Route{Set: set, Kind: kind}
		if asked[r] {
			return
		}
		asked[r] = true
		if l, ok := m.limit(set, kind); ok {
			limits = append(limits, l)
		}
	}
	for _, w := range waiting {
		hook := !store.Route{Queue: w.Queue, Set: w.Set, Kind: w.Kind}.Counted()
		if hook || w.Waiting+w.Recovered+w.Staged == 0 {
			continue // hooks are in no limit, and what is delayed waits for its time
		}
		m.sets.Fresh(ctx, w.Set, w.Kind)
		add(w.Set, "")
		add(w.Set, w.Kind)
	}
	return limits
}

// limit returns the limit on a kind, or on a set as a whole; false if there is none, or nobody has
// published it.
func (m *Manager) limit(set, kind string) (states.Limit, bool) {
	a, ok := m.sets.Attributes(set, kind)
	if !ok {
		return states.Limit{}, false
	}
	l := states.Limit{
		Set:              set,
		Kind:             kind,
		MaxRunning:       max(a.MaxRunning, 0),
		MaxRunningPerJob: max(a.MaxRunningPerJob, 0),
	}
	if a.Rate.Events > 0 {
		l.Rate = a.Rate
	}
	return l, l != (states.Limit{Set: set, Kind: kind})
}

// bounds says each bound of a limit.
func boundsOf(l states.Limit) (all []string) {
	line := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	who := "set " + l.Set
	if l.Kind != "" {
		who = fmt.Sprintf("%s of set %s", l.Kind, l.Set)
	}
	if l.MaxRunning > 0 {
		line("%s is limited to %d running at a time", who, l.MaxRunning)
	}
	if l.MaxRunningPerJob > 0 {
		line("%s is limited to %d running at a time of each job", who, l.MaxRunningPerJob)
	}
	if l.Rate.Events > 0 {
		line("%s is limited to %s in %v", who, plural.Of(l.Rate.Events, "start"), l.Rate.Per)
	}
	return all
}
