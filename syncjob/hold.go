package syncjob

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/rules"
)

// Seal lets an open run finish when its last task has ended. Sealing a sealed run changes nothing.
func (r *Run) Seal(ctx context.Context) error {
	return r.ReleaseHold(ctx, store.HoldOpen)
}

// ReleaseHold removes a named hold that keeps the run from finishing, for example after a crash of
// its producer. [Run.Explain] lists the holds. Removing a hold that is gone changes nothing.
// To release "failures" is to [Run.Accept] them. Errors: [ErrRunFinished], [ErrRunNotFound].
func (r *Run) ReleaseHold(ctx context.Context, name string) error {
	if err := store.ValidateName("Name", name); err != nil {
		return fmt.Errorf("release hold: %w", err)
	}
	if name == store.HoldFailures {
		return r.Accept(ctx)
	}
	err := r.m.enqueuer.SetHold(ctx, r.id, name, false)
	if err == nil {
		r.m.ended(ctx, r.id)
	}
	return err
}

// Accept lets a run of a job with [OnFailureHold] end in spite of its failures. Those that it has,
// and those to come, no longer hold it: it goes on to its post-job hook and ends as failed, at
// once if nothing else is left, else when its other tasks have ended and it is sealed. Its failures
// are kept. If the run is held since its post-job hook gave up, it ends, with the outcome of its
// tasks, and keeps HookErr. To accept what was accepted before changes nothing.
//
// The step that accepts also ends the run, and writes the line of the audit. So if the call is
// cancelled or its process dies, all of it happened or nothing, and it may be repeated. Errors:
// [ErrNotHeld] if the job has no OnFailureHold, or if the post-job hook waits or runs;
// [ErrRunFinished], or [ErrJobStopped] if the run was stopped; [ErrRunNotFound], [ErrStateLost].
func (r *Run) Accept(ctx context.Context) error {
	return r.letGo(ctx, "accept failures of", actions.RedoAccept)
}

// RepeatPostJob runs the post-job hook of a run again that gave up: that returned a permanent
// error, or used up its retries. The run must be held for that, so it needs [OnFailureHold]:
// without it the run has ended, and a run that has ended is never opened again. The hook begins
// anew, with all its retries, and sees the run as before. If it passes, the run ends; if it gives
// up again, the run is held again. HookErr and Result are empty meanwhile.
//
// The step that lets the hook wait again also writes the line of the audit. Of several calls at the
// same time one has an effect, and others get [ErrNotHeld], as for a run whose hook has not given
// up. A reply that is lost is asked for again, and the hook is not repeated for that. If the
// process dies, the hook waits again or does not: [states.Run.HookErr] tells. Other errors:
// [ErrRunFinished], or [ErrJobStopped] if the run was stopped; [ErrRunNotFound], [ErrStateLost].
func (r *Run) RepeatPostJob(ctx context.Context) error {
	return r.letGo(ctx, "repeat the post-job hook of", actions.RedoPostJob)
}

// letGo lets a run that is held go on.
func (r *Run) letGo(ctx context.Context, what string, action actions.Redo) error {
	s := r.m.store
	p := store.RedoParams{
		Partition: store.PartitionOf(r.id.Job, s.Partitions()),
		Stream:    rand.Text(), Number: 1,
		Run: r.id, Action: action, Limit: 1,
	}
	line := rules.NewAuditLine(ctx, action.Audited(), r.id, "", "")
	p.Audit = &line
	var reply store.RedoReply
	err := r.do(what, func() (err error) {
		if err = s.OpenProducer(ctx, p.Partition, p.Stream); err != nil {
			return err
		}
		// Otherwise the store keeps the stream for a while.
		defer func() { _ = s.CloseProducer(ctx, p.Partition, p.Stream) }()
		reply, err = s.RedoFailures(ctx, p)
		return r.lost(err)
	})
	if err == nil && reply.Moved > 0 {
		r.m.ended(ctx, r.id)
	}
	return err
}
