package syncjob

import (
	"context"
	"fmt"

	"github.com/rollcall-go/rollcall/store"
)

// Mode says which tasks the workers of a namespace may fetch.
type Mode = store.Mode

// The modes of a namespace.
const (
	// ModeReadWrite lets everything run. It is the default.
	ModeReadWrite = store.ModeReadWrite
	// ModeReadOnly lets only tasks and hooks of sets with [handlers.SetConfig.RunsInReadOnly] start.
	ModeReadOnly = store.ModeReadOnly
)

// SetMode sets the mode of the namespace, for all its processes, until it is set again. Running
// tasks go on to their end. After SetMode returns, workers fetch only what the mode allows. Other
// tasks wait; this does not count as an attempt. When read-only mode ends, workers fetch again at
// once. Calls that start, stop and enqueue are not affected.
//
// The mode is stored in every partition, and each fetch reads it there. If a partition does not
// answer, it keeps its mode: the error names it, the other partitions are set, and SetMode can be
// repeated. An unknown mode gives a [*FieldError].
func (m *Manager) SetMode(ctx context.Context, mode Mode) error {
	if err := mode.Validate(); err != nil {
		return fmt.Errorf("set mode: %w", err)
	}
	var errs []error
	for p := range m.store.Partitions() {
		if err := m.store.SetMode(ctx, p, mode); err != nil {
			errs = append(errs, fmt.Errorf("set mode of partition %d: %w", p, err))
		}
	}
	return store.JoinFields(errs...)
}

// Mode reads the mode of the namespace. It is [ModeReadOnly] if any partition is in that mode, for
// example after a [Manager.SetMode] that did not reach all partitions.
func (m *Manager) Mode(ctx context.Context) (Mode, error) {
	for p := range m.store.Partitions() {
		mode, err := m.store.Mode(ctx, p)
		if err != nil {
			return "", fmt.Errorf("read mode of partition %d: %w", p, err)
		}
		if mode == ModeReadOnly {
			return ModeReadOnly, nil
		}
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
