package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/worker/intake"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Limits lists the limits in force on handler sets and their kinds (MaxRunning, MaxRunningPerJob
// and Rate of [handlers.Attributes]), sorted by set and kind, each with the workers that use it and
// those that wait. It uses what workers published and what is configured, so it needs no registry.
// What one job uses of MaxRunningPerJob is not listed: [Run.Explain] says whether it holds back a
// run.
//
// Each limit is read at its own moment, permits and tokens in one step each. It costs up to two
// calls for each limit and one for each partition. If some partitions do not answer, the error
// names them: then the limits that they keep are listed without users, and those of sets that the
// registry lacks may be missing.
func (m *Manager) Limits(ctx context.Context) ([]states.LimitUse, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("list limits: %w", err)
	}
	limits, err1 := m.limitsInForce(ctx)
	workers, err2 := m.workersBySession(ctx)
	list, failed := make([]states.LimitUse, len(limits)), make([]error, len(limits))
	group := lifecycle.New(ctx)
	for i, l := range limits {
		list[i].Limit = l
		if l.MaxRunning == 0 && l.Rate.Events == 0 {
			continue // it has no account
		}
		group.Go(func(ctx context.Context) { failed[i] = m.readLimit(ctx, &list[i], workers) })
	}
	group.Wait()
	if err := store.JoinFields(err1, err2, store.JoinFields(failed...)); err != nil {
		return list, fmt.Errorf("list limits: %w", err)
	}
	return list, nil
}

// limitsInForce returns the limits of all sets that workers published or the registry has. With an
// error, it returns those of the registry.
func (m *Manager) limitsInForce(ctx context.Context) (limits []states.Limit, err error) {
	sets, err := m.sets.Published(ctx)
	kinds := make(map[string]map[string]bool)
	add := func(set, kind string) {
		if kinds[set] == nil {
			kinds[set] = map[string]bool{"": true}
		}
		kinds[set][kind] = true
	}
	for _, d := range sets {
		for _, k := range d.Kinds {
			add(d.Name, k.Name)
		}
	}
	if reg := m.cfg.Registry; reg != nil {
		for _, set := range reg.Sets() {
			d, _ := reg.Describe(set) // the registry has the set
			for _, k := range d.Kinds {
				add(set, k.Name)
			}
		}
	}
	for set, of := range kinds {
		for kind := range of {
			m.sets.Fresh(ctx, set, kind)
			if l, ok := m.limit(set, kind); ok {
				limits = append(limits, l)
			}
		}
	}
	slices.SortFunc(
		limits,
		func(a, b states.Limit) int { return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.Kind, b.Kind)) },
	)
	return limits, err
}

// readLimit reads who uses a limit: its permits and its tokens have an account each.
func (m *Manager) readLimit(ctx context.Context, s *states.LimitUse, workers map[string]string) error {
	name := s.Set
	if s.Kind != "" {
		name += "/" + s.Kind
	}
	var errs []error
	tokens := make(map[string]int) // by holder
	read := func(account string, use func(h *store.LimitHolder)) {
		rec, err := m.store.Limit(ctx, account+name)
		if err != nil {
			partition := store.PartitionOf(account+name, m.store.Partitions())
			errs = append(errs, fmt.Errorf("read limit %s in partition %d: %w", name, partition, err))
		}
		for i := range rec.Holders {
			use(&rec.Holders[i])
		}
	}
	if s.Rate.Events > 0 {
		read(intake.RateAccount, func(h *store.LimitHolder) { tokens[h.Holder] = h.Tokens })
	}
	if s.MaxRunning > 0 {
		read(intake.RunningAccount, func(h *store.LimitHolder) {
			s.Held += h.Held
			s.Users = append(s.Users, states.LimitUser{
				Worker: workers[h.Holder], Held: h.Held, Want: h.Want, Since: h.Since, Tokens: tokens[h.Holder], Silent: h.Silent,
			})
			delete(tokens, h.Holder)
		})
	}
	for _, holder := range slices.Sorted(maps.Keys(tokens)) {
		if n := tokens[holder]; n > 0 {
			s.Users = append(s.Users, states.LimitUser{Worker: workers[holder], Tokens: n})
		}
	}
	return store.JoinFields(errs...)
}

// workersBySession returns the names of workers by what the IDs of their sessions begin with, which
// is how limits name them.
func (m *Manager) workersBySession(ctx context.Context) (map[string]string, error) {
	live := make([][]store.SessionRecord, m.store.Partitions())
	err := m.inEveryPartition(ctx, false, func(ctx context.Context, partition int) (err error) {
		if live[partition], err = m.store.LiveSessions(ctx, partition); err != nil {
			return fmt.Errorf("read workers of partition %d: %w", partition, err)
		}
		return nil
	})
	names := make(map[string]string)
	for _, sessions := range live {
		for _, s := range sessions {
			if i := strings.LastIndexByte(s.ID, '-'); i >= 0 {
				names[s.ID[:i]] = s.Worker.Name
			}
		}
	}
	return names, err
}
