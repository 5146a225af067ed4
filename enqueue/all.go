package enqueue

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/store"
)

// AllOptions alter one call of [Enqueuer.EnqueueAll].
type AllOptions struct {
	// Hold is the name of the hold that keeps the run from finishing between two
	// chunks. Choose one to be able to close it, by [Enqueuer.SetHold], after a
	// crash of the producer. One call at a time may use a name in a run: a call takes over a hold
	// that is open. Defaults to a random name.
	Hold string
	// Seal seals an open run in the step that adds the last item: if the server loses that step, the run is
	// open still, and never ends without its tasks. After an error the run is not sealed. Without Seal, a run is
	// sealed by a step of its own, which a server that lost tasks in between cannot refuse.
	Seal bool
}

// Summary says what [Enqueuer.EnqueueAll] stored.
type Summary struct {
	Enqueued   int // tasks added
	Duplicates int // items whose chosen ID was taken, so that nothing was added
}

// holdTimeout bounds the closing of a hold after the caller's context ended.
const holdTimeout = 10 * time.Second

// EnqueueAll adds the items of a sequence of any length, in chunks, and holds no
// more than one chunk in memory: at most 256 items and about 1 MiB. If more than one
// chunk is needed, a named hold keeps the run from finishing from the first
// chunk to the last, so that tasks that are worked off meanwhile never complete
// it early.
//
// Success means that all items are in the run: each chunk is added only if the hold is as the
// chunk before left it. If a server lost a chunk that it had acknowledged (a failover, a restart
// from a snapshot), or somebody closed the hold or took its name meanwhile, the call ends with
// [store.ErrHoldLost], and the Summary counts what may be lost.
//
// It stops at the first error: of the sequence, of an item, of ctx or of the
// store. Then the chunks before are stored, the chunk being gathered is not, of a
// chunk that was refused some items may be; the Summary counts what is known to be
// stored, and the hold is closed. With Options.ID on every item it is safe to
// call again with the same sequence. After a crash of the process the hold
// stays open until somebody closes it, or the run is stopped. The sequence is called
// on the caller's goroutine: a panic of it, or the end of the goroutine, goes on to the caller once the hold is closed.
func (e *Enqueuer) EnqueueAll(
	ctx context.Context, run store.RunID, set string, items iter.Seq2[Item, error], opts *AllOptions,
) (sum Summary, err error) {
	hold := "all-" + randomID()
	var problems []error
	if opts != nil && opts.Hold != "" {
		hold = opts.Hold
		problems = append(problems, store.ValidateName("Hold", hold))
		if hold == store.HoldOpen {
			problems = append(problems, invalid("Hold", "is the one that keeps open runs open"))
		}
	}
	if items == nil {
		problems = append(problems, invalid("Items", "is nil"))
	}
	if err := store.JoinFields(append(problems, validateRun(run))...); err != nil {
		return Summary{}, fmt.Errorf("enqueue all: %w", err)
	}
	b := &bulk{enqueuer: e, run: run, hold: hold, seal: opts != nil && opts.Seal, call: randomID(), chunk: &request{}}
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

// bulk is one call of EnqueueAll.
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
	b.chunks++
	if !last {
		h.Mark = b.mark()
	}
	return h
}

// mark is what the hold carries after so many chunks of this call, and of no other.
func (b *bulk) mark() string { return fmt.Sprintf("%s-%d", b.call, b.chunks) }

// release closes the hold after a failure, also if ctx has ended: a hold that
// nobody closes keeps the run from finishing.
func (b *bulk) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), holdTimeout)
	defer cancel()
	err := b.enqueuer.SetHold(ctx, b.run, b.hold, false)
	for _, gone := range []error{store.ErrRunNotFound, store.ErrRunFinished, store.ErrJobStopped} {
		if errors.Is(err, gone) {
			return nil // a run that is over has no holds
		}
	}
	return err
}

func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
