package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/worker/intake"
	"github.com/rollcall-go/rollcall/store"
)

// LimitState is a limit that is in force, and who uses it.
type LimitState struct {
	Limit
	// Held is how many of MaxRunning workers hold for tasks, in all processes together. It may be more
	// than MaxRunning for a while after that was lowered.
	Held int `json:"held"`
	// Users are the workers that hold or want permits, or have tokens of the rate: first those that
	// wait, in their order.
	Users []LimitUser `json:"users"`
}

// LimitUser is a worker that uses a limit.
type LimitUser struct {
	// Worker is its name; empty if none of its sessions is left, or the partitions that have them do
	// not answer.
	Worker string `json:"worker"`
	Held   int    `json:"held"` // permits: one for each task that it has leased, and some for the next ones
	Want   int    `json:"want"` // permits that it could use now, with those that it holds
	// Since is when it began to want more than it holds; zero if it does not. Workers that wait get
	// permits in this order.
	Since  time.Time `json:"since,omitzero"`
	Tokens int       `json:"tokens"` // starts that the rate has granted it for the next moment
	// Silent reports that it has not reported for its lease: it is probably dead. Its permits go to
	// others once its tasks were given back.
	Silent bool `json:"silent"`
}

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
func (m *Manager) Limits(ctx context.Context) ([]LimitState, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("list limits: %w", err)
	}
	limits, err1 := m.limitsInForce(ctx)
	workers, err2 := m.workersBySession(ctx)
	states, failed := make([]LimitState, len(limits)), make([]error, len(limits))
	group := lifecycle.New(ctx)
	for i, l := range limits {
		states[i].Limit = l
		if l.MaxRunning == 0 && l.Rate.Events == 0 {
			continue // it has no account
		}
		group.Go(func(ctx context.Context) { failed[i] = m.readLimit(ctx, &states[i], workers) })
	}
	group.Wait()
	if err := store.JoinFields(err1, err2, store.JoinFields(failed...)); err != nil {
		return states, fmt.Errorf("list limits: %w", err)
	}
	return states, nil
}

// limitsInForce returns the limits of all sets that workers published or the registry has. With an
// error, it returns those of the registry.
func (m *Manager) limitsInForce(ctx context.Context) (limits []Limit, err error) {
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
	slices.SortFunc(limits, func(a, b Limit) int { return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.Kind, b.Kind)) })
	return limits, err
}

// readLimit reads who uses a limit: its permits and its tokens have an account each.
func (m *Manager) readLimit(ctx context.Context, s *LimitState, workers map[string]string) error {
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
			s.Users = append(s.Users, LimitUser{
				Worker: workers[h.Holder], Held: h.Held, Want: h.Want, Since: h.Since, Tokens: tokens[h.Holder], Silent: h.Silent,
			})
			delete(tokens, h.Holder)
		})
	}
	for _, holder := range slices.Sorted(maps.Keys(tokens)) {
		if n := tokens[holder]; n > 0 {
			s.Users = append(s.Users, LimitUser{Worker: workers[holder], Tokens: n})
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
