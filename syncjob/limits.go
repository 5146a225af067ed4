package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/rollcall-go/rollcall/handlers"
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
// calls for each limit and one for each partition. If some partitions do not answer, the limits
// that they keep are listed without users, those of sets that the registry lacks may be missing,
// and the error is a [*PartialError].
func (m *Manager) Limits(ctx context.Context) ([]states.LimitUse, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("list limits: %w", err)
	}
	p := m.poll()
	sets, err := m.publishedSets(ctx, p)
	limits := m.limitsInForce(ctx, sets, !p.partial())
	workers := m.workersBySession(ctx, p)
	accounts := m.limitAccounts(ctx, p, limits)
	list := make([]states.LimitUse, len(limits))
	for i, l := range limits {
		list[i] = limitUse(l, accounts, workers)
	}
	if err = store.JoinFields(err, p.err()); err != nil {
		return list, fmt.Errorf("list limits: %w", err)
	}
	return list, nil
}

// limitsInForce returns the limits of these sets and of those of the registry. With fresh it reads
// what holds for them, for which every partition must answer; otherwise what was read last counts.
func (m *Manager) limitsInForce(
	ctx context.Context, sets []handlers.SetDescription, fresh bool,
) (limits []states.Limit) {
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
			if fresh {
				m.sets.Fresh(ctx, set, kind)
			}
			if l, ok := m.limit(set, kind); ok {
				limits = append(limits, l)
			}
		}
	}
	slices.SortFunc(
		limits,
		func(a, b states.Limit) int { return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.Kind, b.Kind)) },
	)
	return limits
}

// accountNames are the names of the accounts of a limit: its tokens and its permits have one each.
func accountNames(l *states.Limit) (names []string) {
	name := l.Set
	if l.Kind != "" {
		name += "/" + l.Kind
	}
	if l.Rate.Events > 0 {
		names = append(names, intake.RateAccount+name)
	}
	if l.MaxRunning > 0 {
		names = append(names, intake.RunningAccount+name)
	}
	return names
}

// limitAccounts reads the accounts of limits, by name, but those in partitions that do not answer.
func (m *Manager) limitAccounts(
	ctx context.Context, p *poll, limits []states.Limit,
) map[string][]store.LimitHolder {
	in := make(map[int][]string)
	for i := range limits {
		for _, name := range accountNames(&limits[i]) {
			if partition := store.PartitionOf(name, p.of); p.failed[partition] == nil {
				in[partition] = append(in[partition], name)
			}
		}
	}
	var mu sync.Mutex
	accounts := make(map[string][]store.LimitHolder)
	p.ask(ctx, slices.Sorted(maps.Keys(in)), func(ctx context.Context, partition int) error {
		errs := make([]error, len(in[partition]))
		group := lifecycle.New(ctx)
		for i, name := range in[partition] {
			group.Go(func(ctx context.Context) {
				rec, err := m.store.Limit(ctx, name)
				if errs[i] = err; err == nil {
					mu.Lock()
					defer mu.Unlock()
					accounts[name] = rec.Holders
				}
			})
		}
		group.Wait()
		return store.JoinFields(errs...)
	})
	return accounts
}

// limitUse says who uses a limit.
func limitUse(l states.Limit, accounts map[string][]store.LimitHolder, workers map[string]string) states.LimitUse {
	s := states.LimitUse{Limit: l}
	tokens := make(map[string]int) // by holder
	for _, name := range accountNames(&l) {
		for _, h := range accounts[name] {
			if strings.HasPrefix(name, intake.RateAccount) {
				tokens[h.Holder] = h.Tokens
				continue
			}
			s.Held += h.Held
			s.Users = append(s.Users, states.LimitUser{
				Worker: workers[h.Holder], Held: h.Held, Want: h.Want, Since: h.Since, Tokens: tokens[h.Holder], Silent: h.Silent,
			})
			delete(tokens, h.Holder)
		}
	}
	for _, holder := range slices.Sorted(maps.Keys(tokens)) {
		if n := tokens[holder]; n > 0 {
			s.Users = append(s.Users, states.LimitUser{Worker: workers[holder], Tokens: n})
		}
	}
	return s
}

// workersBySession returns the names of workers by what the IDs of their sessions begin with, which
// is how limits name them.
func (m *Manager) workersBySession(ctx context.Context, p *poll) map[string]string {
	live := make([][]store.SessionRecord, p.of)
	p.ask(ctx, p.open(), func(ctx context.Context, partition int) (err error) {
		live[partition], err = m.store.LiveSessions(ctx, partition)
		return err
	})
	names := make(map[string]string)
	for _, sessions := range live {
		for _, s := range sessions {
			if i := strings.LastIndexByte(s.ID, '-'); i >= 0 {
				names[s.ID[:i]] = s.Worker.Name
			}
		}
	}
	return names
}
