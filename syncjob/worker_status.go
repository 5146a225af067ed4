package syncjob

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// workerStatuses has the rank of each status, as each includes those before it.
var workerStatuses = []states.WorkerStatus{states.WorkerActive, states.WorkerQuiet, states.WorkerDraining}

func workerStatus(s statuses.WorkerStatus) states.WorkerStatus {
	if s == statuses.WorkerActive {
		return states.WorkerActive
	}
	return states.WorkerStatus(s)
}

// Quiet has the worker fetch nothing more, until [WorkerRef.Resume]. What runs goes on to its end,
// with its children, retries and heartbeats. What was fetched and has not started is given back,
// which is not counted as an attempt; other workers run it. Hooks are no exception. A quiet worker
// still fires periodic jobs, makes delayed tasks ready and takes back tasks of dead workers, so a
// cluster whose workers are all quiet loses nothing; its runs wait, and [Run.Explain] says why.
//
// When Quiet returns nil, every partition of the store has the request: after that moment of the
// store's clock the worker is leased no task. It hears of the request by a signal, at the latest
// with its next heartbeat, after a third of its Lease; until then it may start tasks that it had
// fetched. [WorkerConfig.Name] need not be unique: the request is for each live worker of the name.
// [states.Worker.ID] names one of them.
//
// A later request replaces an earlier one, and a repeat changes nothing. A worker that loses a
// session keeps what it has heard of. If it lost the session before it heard of the request, that
// part of the request is gone: see [states.Worker].Partial, and repeat the call. The request ends
// with the worker's Run; nothing is left of it.
//
// Errors: [ErrWorkerNotFound] if no worker of that name is alive. A [*PartialError] names the
// partitions that may lack the request, because they do not answer, or because a worker that lives
// has no session there at this moment, as when it starts; the others have it. Both say nothing
// of a worker that dies meanwhile. The audit has an entry with the actor and the reason of ctx.
func (w *WorkerRef) Quiet(ctx context.Context) error {
	return w.set(ctx, "quiet", statuses.WorkerQuiet)
}

// Resume has the worker fetch again, at once, after [WorkerRef.Quiet] or [WorkerRef.Drain]. It
// comes too late for a worker that drained and had nothing left to run: that ends. An active worker
// does not change. The errors are those of Quiet.
func (w *WorkerRef) Resume(ctx context.Context) error {
	return w.set(ctx, "resume", statuses.WorkerActive)
}

// Drain does what [WorkerRef.Quiet] does, and has [Worker.Run] return [ErrDrained] when the worker
// runs nothing more, has reported every outcome and closed its sessions. So a supervisor can tell
// this end from others. Drain does not wait for it. Handlers have the time that they need: Grace
// begins only when the context of Run ends, and then Run shuts down as always and returns nil. A
// worker ends once every partition has told it to drain; so if Drain returns a [*PartialError],
// repeat it, or end the worker's process by a signal. RunOnce returns ErrDrained, too. The errors
// are those of Quiet.
func (w *WorkerRef) Drain(ctx context.Context) error {
	return w.set(ctx, "drain", statuses.WorkerDraining)
}

var errNoSession = fmt.Errorf("a worker has no session there now: %w", ErrWorkerNotFound)

// set gives the worker a status in every partition. A worker that starts or ends meanwhile may have
// sessions in some partitions only, so it then looks a second time.
func (w *WorkerRef) set(ctx context.Context, verb string, status statuses.WorkerStatus) error {
	ctx = oneOperation(ctx)
	err := w.setOnce(ctx, status)
	if errors.Is(err, errNoSession) {
		err = w.setOnce(ctx, status)
		if errors.Is(err, ErrWorkerNotFound) && !errors.Is(err, errNoSession) {
			return nil // it has ended meanwhile, perhaps as it was told to
		}
	}
	if err != nil {
		return fmt.Errorf("%s worker %q: %w", verb, w.name, err)
	}
	return nil
}

func (w *WorkerRef) setOnce(ctx context.Context, status statuses.WorkerStatus) error {
	told := make([]map[string]bool, w.m.store.Partitions())
	err := w.m.inEveryPartition(ctx, true, func(ctx context.Context, partition int) (err error) {
		told[partition], err = w.tell(ctx, partition, status)
		return err
	})
	if err != nil {
		return err
	}
	return w.m.untold(told)
}

// tell gives the sessions of the workers in a partition a status, and returns which workers have
// it. A session that has run out is told, too, since its worker may come back.
func (w *WorkerRef) tell(ctx context.Context, partition int, status statuses.WorkerStatus) (map[string]bool, error) {
	sessions, err := w.m.store.LiveSessions(ctx, partition)
	if err != nil {
		return nil, err
	}
	told := make(map[string]bool)
	for _, s := range sessions {
		if !w.means(&s) {
			continue
		}
		err := w.m.store.SetWorkerStatus(ctx, store.WorkerStatusParams{
			Session: store.SessionID{Partition: partition, ID: s.ID}, Status: status, Worker: s.Worker.Name,
		})
		switch {
		case errors.Is(err, store.ErrLeaseLost): // it has ended meanwhile
		case err != nil:
			return nil, err
		case !s.Overdue:
			told[workerID(s.ID)] = true
		}
	}
	return told, nil
}

// untold names the partitions in which a worker that others know has no session.
func (m *Manager) untold(told []map[string]bool) error {
	all := make(map[string]bool)
	for _, ids := range told {
		for id := range ids {
			all[id] = true
		}
	}
	if len(all) == 0 {
		return ErrWorkerNotFound
	}
	p := m.poll()
	for partition, ids := range told {
		p.asked[partition] = true
		if len(ids) < len(all) {
			p.failed[partition] = errNoSession
		}
	}
	return p.err()
}

// means reports whether a session is that of a worker that the reference names.
func (w *WorkerRef) means(s *store.SessionRecord) bool {
	return s.Worker.Name == w.name || workerID(s.ID) == w.name
}

// workerID returns the part that the IDs of all sessions of a worker begin with.
func workerID(session string) string {
	id, _, _ := strings.Cut(session, "-")
	return id
}

// isServing reports whether a session gets tasks. An overdue session is not counted: if all workers
// are dead, no worker removes their sessions, so they stay in the list.
func isServing(s *store.SessionRecord) bool {
	return !s.Overdue && s.Worker.Status == statuses.WorkerActive
}
