package storetest_test

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// startsDeclared begins a run of a declared job for whoever starts its name.
type startsDeclared struct{ store.Store }

func (s *startsDeclared) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	if rec, err := s.Job(ctx, p.Job); err == nil {
		p.Declared = rec.Type != statuses.JobSinglePass
	}
	return s.Store.StartRun(ctx, p)
}

// takesRetriesForFailures shows the error of an attempt that is tried again as that of the run.
type takesRetriesForFailures struct{ store.Store }

func (s *takesRetriesForFailures) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	rec, err := s.Store.Run(ctx, id)
	if rec.RetryError != "" {
		rec.Error = rec.RetryError
	}
	return rec, err
}

// keepsTheFirst forgets all failures but the first of a run.
type keepsTheFirst struct{ store.Store }

func (s *keepsTheFirst) Failures(ctx context.Context, p store.FailuresParams) ([]store.Failure, error) {
	page, err := s.Store.Failures(ctx, p)
	return slices.DeleteFunc(page, func(f store.Failure) bool { return f.Place > 2 }), err
}

// claimsToTell says that it signals every change, and tells nobody what is configured.
type claimsToTell struct{ store.Store }

func (*claimsToTell) SignalsAreComplete() bool { return true }

func (s *claimsToTell) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	return s.Store.Subscribe(ctx, func(sig store.Signal) {
		if sig.Type != signals.Configuration {
			fn(sig)
		}
	})
}

// forgivesSubscribers does not tell a subscriber why its subscription ended.
type forgivesSubscribers struct{ store.Store }

func (s *forgivesSubscribers) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	_ = s.Store.Subscribe(ctx, fn)
	return nil
}

// opensAnew forgets what a session reported when its opening is repeated.
type opensAnew struct{ store.Store }

func (s *opensAnew) OpenSession(
	ctx context.Context, id store.SessionID, info store.WorkerInfo, lease time.Duration,
) error {
	err := s.Store.OpenSession(ctx, id, info, lease)
	if err == nil {
		_, err = s.Heartbeat(ctx, store.HeartbeatParams{Session: id, Lease: lease})
	}
	return err
}
