package storetest_test

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// answersAtOnce reads all failures in one reply, whatever they weigh.
type answersAtOnce struct{ store.Store }

func (s *answersAtOnce) Failures(ctx context.Context, p store.FailuresParams) ([]store.Failure, error) {
	var all []store.Failure
	for limit := p.Limit; ; p.Limit = limit - len(all) {
		if len(all) > 0 {
			p.After = all[len(all)-1].Place
		}
		page, err := s.Store.Failures(ctx, p)
		if all = append(all, page...); err != nil || len(page) == 0 || len(all) == limit {
			return all, err
		}
	}
}

// comparesFloats takes revisions for floats, as Lua does.
type comparesFloats struct{ store.Store }

func (s *comparesFloats) EnsureJob(ctx context.Context, p store.EnsureParams) (verdicts.Ensure, error) {
	p.Revision = int64(float64(p.Revision))
	return s.Store.EnsureJob(ctx, p)
}

// losesItsPlace goes on one task too far behind each page of tasks.
type losesItsPlace struct{ store.Store }

func (s *losesItsPlace) Tasks(ctx context.Context, p store.TasksParams) (store.TasksReply, error) {
	reply, err := s.Store.Tasks(ctx, p)
	if err != nil || reply.Next == "" {
		return reply, err
	}
	beyond := p
	beyond.Cursor, beyond.Limit = reply.Next, 1
	next, err := s.Store.Tasks(ctx, beyond)
	reply.Next = next.Next
	return reply, err
}

// takesHeldForWaiting lists what a pause or a hook keeps as if a worker might fetch it.
type takesHeldForWaiting struct{ store.Store }

func (s *takesHeldForWaiting) Tasks(ctx context.Context, p store.TasksParams) (store.TasksReply, error) {
	reply, err := s.Store.Tasks(ctx, p)
	for i := range reply.Tasks {
		if reply.Tasks[i].Status == statuses.TaskHeld {
			reply.Tasks[i].Status = statuses.TaskWaiting
		}
	}
	return reply, err
}

// listsNoneRecovered leaves out what dead workers had.
type listsNoneRecovered struct{ store.Store }

func (s *listsNoneRecovered) Tasks(ctx context.Context, p store.TasksParams) (store.TasksReply, error) {
	reply, err := s.Store.Tasks(ctx, p)
	reply.Tasks = slices.DeleteFunc(reply.Tasks, func(r store.TaskRecord) bool {
		return r.Status == statuses.TaskWaiting && r.Task.Recovered
	})
	return reply, err
}

// forgetsAttempts stores tasks without the attempts that they carry.
type forgetsAttempts struct{ store.Store }

func (s *forgetsAttempts) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	p.Outcomes = slices.Clone(p.Outcomes)
	for i := range p.Outcomes {
		p.Outcomes[i].Task.Attempts = nil
	}
	return s.Store.Settle(ctx, p)
}
