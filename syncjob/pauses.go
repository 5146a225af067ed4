package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Scope says which tasks a pause holds back: those with this queue, handler set and kind. An empty
// field matches everything; at least one field must be set. Hooks have a queue and a set, but no
// kind: Scope{Queue: q} and Scope{Set: s} hold them back, Scope{Kind: k} does not.
type Scope = store.PauseScope

// Pause holds back the tasks of a scope, in all processes, until [Manager.Resume] with the same
// scope.
//
// When it returns nil, every partition of the store has the pause: after that moment of the store's
// clock no task of the scope is leased. Running tasks go on to their end. Workers give back fetched
// tasks that have not started; this is not counted as an attempt. They do so when a signal reaches
// them, at the latest with their next fetch or heartbeat. Until then they may start such a task.
// Tasks of other scopes are not slowed down, however many tasks are held back. Calls that start,
// stop and enqueue are not affected. Periodic jobs still begin their runs, and the runs wait.
// [Run.Explain] says what holds a run back.
//
// The reason is kept with the pause, and so is who paused (see [WithActor]): up to 1 KiB each. If
// the scope is paused already, the new reason replaces the old one, and the time stays. Pauses are
// independent of each other: a task waits while any of them covers it.
//
// Errors: a [*FieldError] for an empty scope, a bad name or a text that is too long; nothing is
// written then. Any other error is a [*PartialError], which names the partitions that may lack the
// pause, for example because they do not answer; the others have it. [ErrTooManyPauses] means that
// 256 other scopes are paused. Repeating Pause is always safe. If a server loses acknowledged
// writes in a failover, its partition can lose a pause: [Manager.Pauses] shows that, and another
// Pause restores it.
func (m *Manager) Pause(ctx context.Context, scope Scope, reason string) error {
	p := store.Pause{Scope: scope, By: actor(ctx), Reason: cmp.Or(reason, givenActor(ctx).Reason)}
	if err := store.JoinFields(notEverything(scope), p.Validate()); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	return m.pause(ctx, p)
}

// Resume ends the pause of exactly this scope. Workers fetch its tasks at once, unless another
// pause covers them. If the scope is not paused, nothing changes. The errors are those of
// [Manager.Pause]: the partitions that they name may still have the pause.
func (m *Manager) Resume(ctx context.Context, scope Scope) error {
	if err := store.JoinFields(notEverything(scope), scope.Validate()); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return m.resume(ctx, scope)
}

// notEverything refuses the empty scope: a name that was forgotten must not pause everything.
func notEverything(scope Scope) error {
	if scope.IsReadOnly() {
		return &FieldError{Field: "Scope", Reason: "is empty: to hold back everything, set ModeReadOnly"}
	}
	return nil
}

func (m *Manager) pause(ctx context.Context, p store.Pause) error {
	ctx = oneOperation(ctx)
	err := m.inEveryPartition(ctx, true, func(ctx context.Context, partition int) error {
		if err := m.store.Pause(ctx, partition, p); err != nil {
			return fmt.Errorf("pause %s in partition %d: %w", p.Scope, partition, err)
		}
		return nil
	})
	if err == nil {
		m.journal.paused(ctx, p)
	}
	return err
}

func (m *Manager) resume(ctx context.Context, scope Scope) error {
	ctx = oneOperation(ctx)
	err := m.inEveryPartition(ctx, true, func(ctx context.Context, partition int) error {
		if err := m.store.Resume(ctx, partition, scope); err != nil {
			return fmt.Errorf("resume %s in partition %d: %w", scope, partition, err)
		}
		return nil
	})
	if err == nil {
		m.journal.resumed(ctx, scope, actor(ctx))
	}
	return err
}

// Pauses lists the pauses in force, sorted by queue, set and kind. Read-only mode is not listed;
// see [Manager.Mode]. Each partition is read in one step. If some partitions do not answer, the
// error is a [*PartialError], and the list has the pauses of the others.
func (m *Manager) Pauses(ctx context.Context) ([]states.Pause, error) {
	sets := make([]*store.PauseSet, m.store.Partitions())
	err := m.inEveryPartition(ctx, false, func(ctx context.Context, partition int) error {
		set, err := m.store.Pauses(ctx, partition)
		if err != nil {
			return fmt.Errorf("read pauses of partition %d: %w", partition, err)
		}
		sets[partition] = &set
		return nil
	})
	return mergePauses(sets), err
}

// mergePauses makes one list of the pauses of all partitions. The set of one that did not answer is
// nil.
func mergePauses(sets []*store.PauseSet) (list []states.Pause) {
	all := make(map[Scope]*states.Pause)
	has := make(map[Scope][]bool)
	for i, set := range sets {
		if set == nil {
			continue
		}
		for _, p := range set.Pauses {
			if p.Scope.IsReadOnly() {
				continue
			}
			if s := all[p.Scope]; s == nil {
				first := pauseState(p)
				all[p.Scope], has[p.Scope] = &first, make([]bool, len(sets))
			} else if !p.Since.IsZero() && p.Since.Before(s.Since) {
				s.Since = p.Since
			}
			has[p.Scope][i] = true
		}
	}
	for scope, s := range all {
		for i, set := range sets {
			if set != nil && !has[scope][i] {
				s.Lacked = append(s.Lacked, i)
			}
		}
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b states.Pause) int { return a.Scope.Compare(b.Scope) })
	return list
}

func pauseState(p store.Pause) states.Pause {
	return states.Pause{Scope: p.Scope, By: p.By, Reason: p.Reason, Since: p.Since}
}
