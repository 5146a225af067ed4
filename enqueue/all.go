package enqueue

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/internal/taskid"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
)

// AllOptions configure one call of [Enqueuer.EnqueueAll].
type AllOptions struct {
	// Hold names the hold that keeps the run from finishing between two chunks. Choose a name if you
	// want to close the hold with [Enqueuer.SetHold] after a crash of the producer. In one run, only
	// one call at a time may use a name. If the hold is already open, a new call takes it over. The
	// call that used it before ends with [store.ErrHoldLost] and does not close the hold. Defaults to
	// a random name.
	Hold string
	// Seal seals an open run in the same step that adds the last item. If the server loses that
	// step, the run is still open, so it cannot end without its tasks. After an error the run is
	// not sealed. A run that is sealed by a later call does not have this protection: if the server
	// loses tasks before that call, the run ends without them.
	Seal bool
}

// Summary is the result of [Enqueuer.EnqueueAll].
type Summary struct {
	Enqueued   int // tasks added
	Duplicates int // items not added, since their ID was in use
}

// holdTimeout bounds the closing of a hold after the caller's context ended.
const holdTimeout = 10 * time.Second

// EnqueueAll adds the items of a sequence of any length in chunks. It keeps only one chunk in
// memory: at most 256 items and about 1 MiB. If there is more than one chunk, a named hold keeps
// the run from finishing until the last chunk is added, even if all tasks so far have ended.
//
// If it returns nil, all items are in the run: each chunk is added only if the hold has not changed
// since the chunk before. It returns [store.ErrHoldLost] if the server lost a chunk that it had
// acknowledged (after a failover, or a restart from a snapshot), or if another caller closed the
// hold or used its name. Then some of the items that the [Summary] counts may be lost.
//
// It stops at the first error: of the sequence, of an item, of ctx or of the store. Earlier chunks
// are then stored. The chunk in memory is not. If the store refused a chunk, some of its items may
// be stored. The Summary counts what is known to be stored, and the hold is closed. If every item
// has an Options.ID, it is safe to call again with the same sequence.
//
// If the process crashes, the hold stays open until it is closed, or the run is stopped. The
// sequence is called on the caller's goroutine. If it panics or ends the goroutine, the hold is
// closed first, then the panic goes on to the caller.
func (e *Enqueuer) EnqueueAll(
	ctx context.Context, run store.RunID, set string, items iter.Seq2[Item, error], opts *AllOptions,
) (sum Summary, err error) {
	hold := "all-" + taskid.New(time.Now())
	var problems []error
	if opts != nil && opts.Hold != "" {
		hold = opts.Hold
		problems = append(problems, store.ValidateName("Hold", hold))
		if hold == store.HoldOpen {
			problems = append(problems, invalid("Hold", "is reserved: it keeps open runs from finishing"))
		}
	}
	if items == nil {
		problems = append(problems, invalid("Items", "is nil"))
	}
	if err := store.JoinFields(append(problems, validateRun(run))...); err != nil {
		return Summary{}, fmt.Errorf("enqueue all: %w", err)
	}
	b := &bulk{
		enqueuer: e,
		run:      run,
		hold:     hold,
		seal:     opts != nil && opts.Seal,
		call:     taskid.New(time.Now()),
		chunk:    &request{},
	}
	defer func() { // also after a panic, or runtime.Goexit, of the sequence
		if b.held {
			err = errors.Join(err, b.release(ctx))
		}
		if err != nil {
			err = fmt.Errorf("enqueue all into %s/%d: %w", run.Job, run.Number, err)
		}
	}()
	err = b.all(ctx, set, items)
	return b.sum, err
}

// bulk is the state of one call of EnqueueAll.
type bulk struct {
	enqueuer *Enqueuer
	run      store.RunID
	hold     string
	held     bool // the hold may be open
	seal     bool
	call     string
	chunks   int // sent
	chunk    *request
	sum      Summary
}

func (b *bulk) all(ctx context.Context, set string, items iter.Seq2[Item, error]) error {
	n := 0
	for it, err := range items {
		if err != nil {
			return err
		}
		item, err := Encode(ctx, &b.enqueuer.cfg, set, it)
		if err != nil {
			return fmt.Errorf("item %d: %w", n, err)
		}
		n++
		// A full chunk is sent only when there is one more item: so a sequence
		// that fits in one chunk needs no hold.
		if !b.chunk.takes(encode.Size(item)) {
			if err := b.send(ctx, false); err != nil {
				return err
			}
		}
		b.chunk.add(b.run, item)
	}
	if len(b.chunk.entries) == 0 && !b.seal {
		return ctx.Err()
	}
	return b.send(ctx, true)
}

// send stores the chunk; with the first of several it opens the hold, with the
// last it closes it.
func (b *bulk) send(ctx context.Context, last bool) error {
	req := b.chunk
	closes := last && b.held
	if !last || b.held {
		req.holds = []store.HoldChange{b.change(last)}
	}
	if last && b.seal {
		req.holds = append(req.holds, store.HoldChange{Run: b.run, Name: store.HoldOpen, Close: true})
	}
	if !b.held && len(req.entries) > 0 { // it is the first chunk
		req.says(ctx, actions.Enqueue, b.run, req.entries[0].Item.Task.ID)
	}
	b.held = b.held || !last
	if err := b.enqueuer.producer(b.run).Do(ctx, req); err != nil {
		return err
	}
	if closes && req.reply.Holds[0] == nil {
		b.held = false
	}
	errs := append([]error(nil), req.reply.Holds...)
	for _, result := range req.reply.Entries {
		switch {
		case result.Err != nil:
			errs = append(errs, result.Err)
		case result.Duplicate:
			b.sum.Duplicates++
		default:
			b.sum.Enqueued++
		}
	}
	b.chunk = req.next()
	return firstOf(errs)
}

// change opens the hold with the first chunk, marks each further one, and closes it with the last.
func (b *bulk) change(last bool) store.HoldChange {
	h := store.HoldChange{Run: b.run, Name: b.hold, Close: last, Guarded: b.held}
	if b.held {
		h.From = b.mark()
	}
	if !last {
		b.chunks++
		h.Mark = b.mark()
	}
	return h
}

// mark returns the mark of the hold after this number of chunks. It is unique to this call.
func (b *bulk) mark() string { return fmt.Sprintf("%s-%d", b.call, b.chunks) }

// release closes the hold after a failure, even if ctx has ended, so that the run can finish. If
// another call took over the hold, it stays open.
func (b *bulk) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), holdTimeout)
	defer cancel()
	err := b.close(ctx, b.mark())
	if errors.Is(err, store.ErrHoldLost) {
		// The last chunk did not arrive, or the server lost some. All chunks of this call were answered
		// before this reply, so a mark of this call no longer changes.
		err = b.closeOwn(ctx)
	}
	for _, gone := range []error{store.ErrRunNotFound, store.ErrRunFinished, store.ErrJobStopped, store.ErrHoldLost} {
		if errors.Is(err, gone) {
			return nil // a run that has ended has no holds
		}
	}
	return err
}

// closeOwn closes the hold if its mark is one of this call.
func (b *bulk) closeOwn(ctx context.Context) error {
	in, err := b.enqueuer.cfg.Store.Inspect(ctx, b.run)
	if err != nil {
		return err
	}
	for _, h := range in.Holds {
		if h.Name == b.hold && strings.HasPrefix(h.Mark, b.call+"-") {
			return b.close(ctx, h.Mark)
		}
	}
	return nil
}

// close closes the hold if it carries the mark.
func (b *bulk) close(ctx context.Context, mark string) error {
	return b.enqueuer.changeHold(ctx, store.HoldChange{
		Run: b.run, Name: b.hold, Close: true, Guarded: true, From: mark,
	})
}

func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
