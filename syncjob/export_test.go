package syncjob

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
)

// PollEvery sets how often a worker looks for work and permits though nothing signalled any.
func (c *WorkerConfig) PollEvery(d time.Duration) { c.poll = d }

// VersionOf is the version of a program that was built so.
var VersionOf = versionOf

// Idle reports whether the worker has asked every partition for all that it had reason to ask for,
// and waits for signals.
func (w *Worker) Idle() bool {
	w.mu.Lock()
	e := w.engine
	w.mu.Unlock()
	return e != nil && e.Idle()
}

// WaitsForARun reports whether a periodic job is due and the worker waits for the end of its run.
func (w *Worker) WaitsForARun() bool {
	w.mu.Lock()
	firings := w.host.firings
	w.mu.Unlock()
	return slices.ContainsFunc(firings, func(f *firing) bool { return len(f.waited()) > 0 })
}

// Listen has notify called for each signal of the store, until the returned function is called.
func (m *Manager) Listen(notify func(partition int, kind signals.Type)) (leave func()) {
	return m.hub.Listen(func(s store.Signal) { notify(s.Partition, s.Type) })
}
