package syncjob

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// SemaphoresOptions select semaphores to list. The zero value selects all.
type SemaphoresOptions struct {
	Prefix string // of the key. Defaults to all.
	After  string // the last key of the page before: keys after it follow. Defaults to the beginning.
	Limit  int    // the largest number to yield. Defaults to all.
}

const (
	// keysPage is how many keys of a partition are read at a time, and semaphoresAtOnce how many
	// semaphores.
	keysPage         = 200
	semaphoresAtOnce = 16
)

// Semaphores yields the semaphores that are in use, sorted by key, each with its holders and
// waiters: who, since when, until when, and in which order. Nil options mean all. To use a
// semaphore, see package semaphore.
//
// It reads pages of keys while the caller consumes them, and each semaphore in one step. What is in
// use from the first page to the last comes once; what begins or ends meanwhile may be missing. If
// some partitions do not answer, a [*PartialError] comes behind what the others have. It needs no
// registry.
func (m *Manager) Semaphores(ctx context.Context, opts *SemaphoresOptions) iter.Seq2[states.Semaphore, error] {
	var o SemaphoresOptions
	if opts != nil {
		o = *opts
	}
	return func(yield func(states.Semaphore, error) bool) {
		if o.Limit < 0 {
			yield(states.Semaphore{}, fmt.Errorf("list semaphores: %w", &FieldError{Field: "Limit", Reason: "is negative"}))
			return
		}
		yielded := 0
		for s, err := range m.semaphores(ctx, &o) {
			if err != nil {
				yield(states.Semaphore{}, fmt.Errorf("list semaphores: %w", err))
				return
			}
			if yielded++; !yield(s, nil) || yielded == o.Limit {
				return
			}
		}
	}
}

// semaphores yields what is in use behind the place that the options name.
func (m *Manager) semaphores(ctx context.Context, o *SemaphoresOptions) iter.Seq2[states.Semaphore, error] {
	return func(yield func(states.Semaphore, error) bool) {
		p := m.poll()
		keys := make([]string, 0, semaphoresAtOnce)
		read := func() bool { // and yields
			list := m.readSemaphores(ctx, p, keys)
			keys = keys[:0]
			for _, s := range list {
				if len(s.Holders)+len(s.Waiters) > 0 && !yield(s, nil) {
					return false
				}
			}
			return true
		}
		for key, err := range m.semaphoreKeys(ctx, p, o) {
			if err != nil {
				break // p knows of it, or ctx has ended
			}
			keys = append(keys, key)
			if (len(keys) == semaphoresAtOnce || len(keys) == o.Limit) && !read() {
				return
			}
		}
		if !read() {
			return
		}
		err := p.err()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			yield(states.Semaphore{}, err)
		}
	}
}

// semaphoreKeys yields the keys that the options select, in order.
func (m *Manager) semaphoreKeys(ctx context.Context, p *poll, o *SemaphoresOptions) iter.Seq2[string, error] {
	limit := keysPage
	if o.Limit > 0 {
		limit = min(limit, o.Limit)
	}
	read := func(ctx context.Context, partition int, after string) (keys []string, next string, err error) {
		keys, err = m.store.SemaphoreKeys(ctx, store.KeysParams{Partition: partition, After: after, Limit: limit})
		if n := len(keys); n == limit {
			next = keys[n-1]
		}
		for i, key := range keys {
			if !strings.HasPrefix(key, o.Prefix) && key > o.Prefix {
				return keys[:i], "", err
			}
		}
		return keys, next, err
	}
	return func(yield func(string, error) bool) {
		first := max(o.After, below(o.Prefix))
		for key, err := range merged(ctx, p, m.everyPartition(), first, read, func(key string) string { return key }) {
			if (err != nil || strings.HasPrefix(key, o.Prefix)) && !yield(key, err) {
				return
			}
		}
	}
}

// readSemaphores reads semaphores together, and returns them in order: one that could not be read
// is empty.
func (m *Manager) readSemaphores(ctx context.Context, p *poll, keys []string) []states.Semaphore {
	list := make([]states.Semaphore, len(keys))
	in := make(map[int][]int) // positions of keys, by partition
	for i, key := range keys {
		partition := store.PartitionOf(key, p.of)
		in[partition] = append(in[partition], i)
	}
	p.ask(ctx, slices.Sorted(maps.Keys(in)), func(ctx context.Context, partition int) error {
		errs := make([]error, len(keys))
		group := lifecycle.New(ctx)
		for _, i := range in[partition] {
			group.Go(func(ctx context.Context) {
				rec, err := m.store.Semaphore(ctx, keys[i])
				list[i], errs[i] = states.Semaphore{Key: keys[i], Holders: rec.Holders, Waiters: rec.Waiters}, err
			})
		}
		group.Wait()
		return store.JoinFields(errs...)
	})
	return list
}

// ReleaseOptions are options of [Manager.ReleaseSemaphores].
type ReleaseOptions struct {
	// DryRun only lists what would be released.
	DryRun bool
}

// ReleaseSemaphores ends the leases of all semaphores whose keys begin with the prefix, before
// their time. It is for operators. It returns the semaphores with the holders that it found there,
// which have lost their leases, and with the waiters, which are served in their order and keep what
// they get. A holder sees the loss at its next refresh, after a third of its lease, and works until
// then.
//
// Semaphores are released one by one, each in one step, so other calls are not held up. A lease
// that is taken while the call goes on may stay. A repeat is harmless: it ends what is held then.
// The error names what could not be read or released, for example because a partition does not
// answer; the others are released all the same, and are in the list.
//
// Who did it (see [WithActor]) and why is logged for each semaphore, and is in the audit; the reason
// defaults to that of [WithReason]. Errors: a [*FieldError] for an
// empty prefix, since a prefix that was forgotten must not release everything, and for a reason of
// more than 1 KiB.
func (m *Manager) ReleaseSemaphores(
	ctx context.Context, prefix, reason string, opts *ReleaseOptions,
) (released []states.Semaphore, err error) {
	by := actor(ctx)
	if reason == "" {
		reason = givenActor(ctx).Reason
	}
	bad := store.JoinFields(store.ValidateNote("By", by), store.ValidateNote("Reason", reason))
	if prefix == "" {
		bad = store.JoinFields(&FieldError{Field: "Prefix", Reason: "is empty"}, bad)
	}
	if bad != nil {
		return nil, fmt.Errorf("release semaphores: %w", bad)
	}
	ctx = WithReason(oneOperation(ctx), reason)
	dry := opts != nil && opts.DryRun
	var errs []error
	for s, err := range m.Semaphores(ctx, &SemaphoresOptions{Prefix: prefix}) {
		if err == nil && len(s.Holders) > 0 && !dry {
			err = m.releaseSemaphore(ctx, &s)
		}
		switch {
		case err != nil:
			errs = append(errs, err)
		case len(s.Holders) == 0:
		case dry:
			released = append(released, s)
		default:
			m.journal.released(ctx, s.Key, len(s.Holders), by, reason)
			released = append(released, s)
		}
	}
	if err := store.JoinFields(errs...); err != nil {
		return released, fmt.Errorf("release semaphores: %w", err)
	}
	return released, nil
}

// releaseSemaphore ends the leases that were found, and no later one.
func (m *Manager) releaseSemaphore(ctx context.Context, s *states.Semaphore) error {
	last := int64(0)
	for _, h := range s.Holders {
		last = max(last, h.Fence)
	}
	if _, err := m.store.ForceReleaseSemaphore(ctx, s.Key, 1, last); err != nil {
		return fmt.Errorf("release semaphore %q: %w", s.Key, err)
	}
	return nil
}
