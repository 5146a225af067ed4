package storetest_test

import (
	"context"
	"strconv"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// firesForEach takes a due time that was fired for one that is to be fired again, once the run is
// over.
type firesForEach struct {
	store.Store
	tokens atomic.Int64
}

func (s *firesForEach) FireRun(ctx context.Context, p store.FireParams) (store.FireReply, error) {
	reply, err := s.Store.FireRun(ctx, p)
	if reply.Verdict != verdicts.FireStarted {
		return reply, err
	}
	p.Start.Token = "again-" + strconv.FormatInt(s.tokens.Add(1), 10)
	if r, err := s.StartRun(ctx, p.Start); err == nil {
		reply.Run = r.Run
	}
	return reply, err
}

// firesEarly begins what is not due.
type firesEarly struct{ store.Store }

func (s *firesEarly) FireRun(ctx context.Context, p store.FireParams) (store.FireReply, error) {
	reply, err := s.Store.FireRun(ctx, p)
	if reply.Verdict == verdicts.FireEarly {
		p.Start.Token = store.FireToken(p.Due)
		r, startErr := s.StartRun(ctx, p.Start)
		reply.Verdict, reply.Run, err = verdicts.FireStarted, r.Run, startErr
	}
	return reply, err
}

// waitsForNobody skips a due time that should wait for the end of a run.
type waitsForNobody struct{ store.Store }

func (s *waitsForNobody) FireRun(ctx context.Context, p store.FireParams) (store.FireReply, error) {
	p.Wait, p.Rest = false, 0
	return s.Store.FireRun(ctx, p)
}

// neverPostpones goes on telling of a job that cannot be fired.
type neverPostpones struct{ store.Store }

func (s *neverPostpones) PostponeJob(ctx context.Context, p store.PostponeParams) error {
	_, err := s.Job(ctx, p.Job)
	return err
}
