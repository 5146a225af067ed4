package worker

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// progressGap is how long after the last heartbeat the next one may be made to report progress:
// about one a second, and fewer if many handlers make heartbeats large.
func progressGap(concurrency int) time.Duration {
	return time.Second + time.Duration(concurrency)*time.Millisecond
}

// meters holds the meters of the session's tasks that reported progress and are not settled.
type meters struct {
	moved chan struct{} // capacity 1: a handler reported progress, or one that did has returned
	used  atomic.Bool   // a handler has reported

	mu    sync.Mutex
	tasks map[store.Lease]*execute.Meter
}

func newMeters() *meters {
	return &meters{moved: make(chan struct{}, 1), tasks: make(map[store.Lease]*execute.Meter)}
}

// report notes a report of a handler. It is called for the first report, and for the first after
// each reading.
func (ms *meters) report(lease store.Lease, m *execute.Meter) {
	ms.used.Store(true)
	ms.mu.Lock()
	ms.tasks[lease] = m
	ms.mu.Unlock()
	lifecycle.Wake(ms.moved)
}

// forget removes the report of a task from its run.
func (ms *meters) forget(lease store.Lease) {
	if !ms.used.Load() {
		return
	}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if _, ok := ms.tasks[lease]; ok {
		delete(ms.tasks, lease)
		lifecycle.Wake(ms.moved)
	}
}

// read returns the meters by the leases of their tasks.
func (ms *meters) read() map[store.Lease]*execute.Meter {
	if !ms.used.Load() {
		return nil
	}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return maps.Clone(ms.tasks)
}
