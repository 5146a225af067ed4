package worker

import (
	"context"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/store/statuses"
)

// status is what an operator asked of the worker in a partition, as the store said last. A
// partition goes by its own: if it is not active, it gets no task from the store; when the worker
// hears of that, it gives back what it has fetched and not begun, and asks for no more. The next
// session begins with the status of the one before. If all partitions are draining, the worker ends
// when nothing is left to do.
type status struct {
	last  atomic.Value // statuses.WorkerStatus
	moved func(context.Context, statuses.WorkerStatus)
}

// obey takes the status from a heartbeat.
func (s *status) obey(ctx context.Context, now statuses.WorkerStatus) {
	if s.last.Swap(now) != any(now) {
		s.moved(ctx, now)
	}
}

func (s *status) now() statuses.WorkerStatus { return s.last.Load().(statuses.WorkerStatus) }

// active reports whether tasks of the partition may begin.
func (s *status) active() bool { return s.now() == statuses.WorkerActive }
