package syncjob

import (
	"context"
	"log/slog"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/events"
	"github.com/rollcall-go/rollcall/syncjob/observe"
)

// guarded returns an observer that cannot end what it is told of.
func guarded(o *observe.Observer, log *slog.Logger) observe.Observer {
	return observe.Observer{
		Enqueued:       apart(log, "Enqueued", o.Enqueued),
		AttemptStarted: inPlace(log, "AttemptStarted", o.AttemptStarted),
		AttemptDone:    inPlace(log, "AttemptDone", o.AttemptDone),
		RunStarted:     apart(log, "RunStarted", o.RunStarted),
		RunDone:        apart(log, "RunDone", o.RunDone),
		RunHeld:        apart(log, "RunHeld", o.RunHeld),
		Fetched:        apart(log, "Fetched", o.Fetched),
		Settled:        apart(log, "Settled", o.Settled),
		Reclaimed:      apart(log, "Reclaimed", o.Reclaimed),
		StoreRetry:     retryApart(log, "StoreRetry", o.StoreRetry),
	}
}

// apart returns a function that calls tell on a goroutine of its own, and logs how it failed; nil
// for nil.
func apart[E any](log *slog.Logger, name string, tell func(context.Context, E)) func(context.Context, E) {
	if tell == nil {
		return nil
	}
	failed := func(err error) { log.Error(events.ObserverFailed, "observer", name, "error", err) }
	patient := &guard.Patient{Late: failed}
	return func(ctx context.Context, e E) {
		if err := guard.Tell(patient, func(e E) { tell(ctx, e) }, e); err != nil {
			failed(err)
		}
	}
}

// retryApart is [apart] for what has no context.
func retryApart(log *slog.Logger, name string, tell func(store.RetryEvent)) func(store.RetryEvent) {
	if tell == nil {
		return nil
	}
	told := apart(log, name, func(_ context.Context, e store.RetryEvent) { tell(e) })
	return func(e store.RetryEvent) { told(context.Background(), e) }
}

// inPlace is [apart] for what is told of each task: it calls tell on the goroutine of a slot, which
// survives its end.
func inPlace[E any](log *slog.Logger, name string, tell func(context.Context, E)) func(context.Context, E) {
	if tell == nil {
		return nil
	}
	failed := func(err error) { log.Error(events.ObserverFailed, "observer", name, "error", err) }
	return func(ctx context.Context, e E) {
		err := guard.Call(func() error {
			tell(ctx, e)
			return nil
		}, func() { failed(guard.ErrGoexit) })
		if err != nil {
			failed(err)
		}
	}
}
