package storetest_test

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// forgetsRequests says that a running task is to be cancelled, and does nothing.
type forgetsRequests struct{ store.Store }

func (s *forgetsRequests) ChangeTask(ctx context.Context, p store.ChangeTaskParams) (store.ChangeTaskReply, error) {
	running, err := s.Tasks(ctx, store.TasksParams{Run: p.Run, ID: p.ID, Status: statuses.TaskRunning, Limit: 1000})
	if p.Cancel && err == nil && len(running.Tasks) > 0 {
		return store.ChangeTaskReply{Change: verdicts.ChangeRequested}, nil
	}
	return s.Store.ChangeTask(ctx, p)
}

// forgetsCancelled finds nothing where a task was cancelled before.
type forgetsCancelled struct {
	store.Store
	cancelled map[string]bool
}

func (s *forgetsCancelled) ChangeTask(ctx context.Context, p store.ChangeTaskParams) (store.ChangeTaskReply, error) {
	if s.cancelled[p.ID] {
		return store.ChangeTaskReply{}, nil
	}
	reply, err := s.Store.ChangeTask(ctx, p)
	if s.cancelled == nil {
		s.cancelled = make(map[string]bool)
	}
	s.cancelled[p.ID] = reply.Change == verdicts.ChangeCancelled
	return reply, err
}

// reschedulesNothing says that a delayed task is due at another time, and does nothing.
type reschedulesNothing struct{ store.Store }

func (s *reschedulesNothing) ChangeTask(ctx context.Context, p store.ChangeTaskParams) (store.ChangeTaskReply, error) {
	reply, err := s.Tasks(ctx, store.TasksParams{Run: p.Run, ID: p.ID, Status: statuses.TaskDelayed, Limit: 1000})
	if !p.Cancel && err == nil && len(reply.Tasks) > 0 {
		return store.ChangeTaskReply{Change: verdicts.ChangeRescheduled}, nil
	}
	return s.Store.ChangeTask(ctx, p)
}

// asksForNoClaim finds also tasks that did not claim their IDs.
type asksForNoClaim struct{ store.Store }

func (s *asksForNoClaim) Tasks(ctx context.Context, p store.TasksParams) (store.TasksReply, error) {
	p.Claimed = false
	return s.Store.Tasks(ctx, p)
}

// changesUnclaimed changes also tasks that did not claim their IDs.
type changesUnclaimed struct{ store.Store }

func (s *changesUnclaimed) ChangeTask(ctx context.Context, p store.ChangeTaskParams) (store.ChangeTaskReply, error) {
	p.Claimed = false
	return s.Store.ChangeTask(ctx, p)
}

// tellsNoWorker does not tell workers which tasks are to be cancelled.
type tellsNoWorker struct{ store.Store }

func (s *tellsNoWorker) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	reply, err := s.Store.Heartbeat(ctx, p)
	reply.Cancelled = nil
	return reply, err
}
