package syncjob

import (
	"context"
	"fmt"

	"github.com/rollcall-go/rollcall/store"
)

// Mode says what the workers of a namespace may fetch.
type Mode = store.Mode

// The modes of a namespace.
const (
	// ModeReadWrite lets everything run. It is the mode unless another was set.
	ModeReadWrite = store.ModeReadWrite
	// ModeReadOnly lets only tasks and hooks of sets with [handlers.SetConfig.RunsInReadOnly] start.
	ModeReadOnly = store.ModeReadOnly
)

// SetMode sets the mode of the namespace, for all its processes, until it is set again. What runs goes on to its end; from when SetMode
// returns, no fetch leases anything else than the mode allows. Tasks that wait keep waiting, and nothing is charged for that; leaving
// read-only mode wakes the workers. Starting, stopping and enqueuing are not affected.
//
// The mode is kept in every partition and read there by each fetch. A partition that is out of reach keeps the
// mode that it has: the error names it, the others are set all the same, and SetMode may be repeated. An unknown mode is a
// [*FieldError].
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

// Mode reads the mode of the namespace. It is [ModeReadOnly] if that of any partition is, as after a SetMode that did
// not reach all.
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

// Writable reports whether the namespace is in [ModeReadWrite] mode, and false when that cannot be read. It is the predicate for gates and
// runners that shall obey the mode:
//
//	gate := semaphore.Gate{Semaphores: semaphore.New(m.Store()), Key: "nightly", Holder: name, CanRun: m.Writable}
func (m *Manager) Writable(ctx context.Context) bool {
	mode, err := m.Mode(ctx)
	return err == nil && mode == ModeReadWrite
}
