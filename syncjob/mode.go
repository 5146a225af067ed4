package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// Mode says which tasks the workers of a namespace may fetch.
type Mode string

// The modes of a namespace.
const (
	// ModeReadWrite lets everything run that is not paused. It is the default.
	ModeReadWrite Mode = "read-write"
	// ModeReadOnly lets only tasks and hooks of sets with [handlers.SetConfig.RunsInReadOnly] start.
	ModeReadOnly Mode = "read-only"
)

// SetMode sets the mode of the namespace, for all its processes, until it is set again. Read-only
// mode is a pause of all sets without RunsInReadOnly, and works like [Manager.Pause]: running tasks
// go on, workers give back fetched tasks that have not started, and other tasks wait. Periodic jobs
// of these sets do not start runs either. When the mode ends, workers fetch at once all tasks that
// no pause holds back.
//
// An unknown mode gives a [*FieldError]. Another error names the partitions that may not have the
// mode; the others have it, and SetMode can be repeated.
func (m *Manager) SetMode(ctx context.Context, mode Mode) error {
	switch mode {
	case ModeReadOnly:
		return m.pause(ctx, store.Pause{By: actor(ctx), Reason: cmp.Or(givenActor(ctx).Reason, string(ModeReadOnly))})
	case ModeReadWrite:
		return m.resume(ctx, Scope{})
	}
	return fmt.Errorf(
		"set mode: %w", &FieldError{Field: "Mode", Reason: "is neither ModeReadWrite nor ModeReadOnly"},
	)
}

// Mode reads the mode of the namespace. It is [ModeReadOnly] if any partition is in that mode, for
// example after a [Manager.SetMode] that did not reach all partitions. If none of those that answer
// is, and some do not, there is no mode, but a [*PartialError].
func (m *Manager) Mode(ctx context.Context) (Mode, error) {
	readOnly := make([]bool, m.store.Partitions())
	err := m.inEveryPartition(ctx, false, func(ctx context.Context, partition int) error {
		set, err := m.store.Pauses(ctx, partition)
		readOnly[partition] = set.ReadOnly()
		return err
	})
	switch {
	case slices.Contains(readOnly, true):
		return ModeReadOnly, nil
	case err != nil:
		return "", fmt.Errorf("read mode: %w", err)
	}
	return ModeReadWrite, nil
}

// Writable reports whether the namespace is in [ModeReadWrite]. It is false if the mode cannot be
// read. Use it for gates that must obey the mode:
//
//	gate := semaphore.Gate{Semaphores: semaphore.New(m.Store()), Key: "nightly", Holder: name, CanRun: m.Writable}
func (m *Manager) Writable(ctx context.Context) bool {
	mode, err := m.Mode(ctx)
	return err == nil && mode == ModeReadWrite
}
