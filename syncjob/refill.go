package syncjob

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// Bounds of the chunks of a redrive.
const (
	refillChunk = bounds.MaxBatch
	refillBytes = 1 << 20
)

// refill fills the new run of a redrive. It can be repeated by any process after any crash, and
// adds each task once. The run has one hold. The mark of the hold is the place of the first failure
// that was not added yet. Each chunk is added only if the mark is where the chunk begins, and the
// same step moves the mark. So a chunk is refused if another caller has added it, or if the server
// lost the chunk before it. Then the caller continues from the mark. The last chunk removes the
// hold; until then the run cannot end.
type refill struct {
	source *Run
	target store.RunID
	store  store.Store
	sel    selection
	part   int
	stream string // of this call
	number int64  // of its last chunk
}

func newRefill(source, target *Run, sel selection) *refill {
	return &refill{
		source: source,
		target: target.id,
		store:  source.m.store,
		sel:    sel,
		part:   store.PartitionOf(target.id.Job, source.m.store.Partitions()),
	}
}

// complete adds the missing tasks. If a chunk is refused, or the store has forgotten the stream, it
// continues from the mark of the run.
func (f *refill) complete(ctx context.Context) error {
	for last := int64(-1); ; {
		place, ok, err := f.place(ctx)
		if err != nil || !ok {
			return err
		}
		f.stream, f.number = rand.Text(), 0
		if err := f.store.OpenProducer(ctx, f.part, f.stream); err != nil {
			return err
		}
		err = f.from(ctx, place)
		_ = f.store.CloseProducer(ctx, f.part, f.stream) // otherwise the store keeps it for a while
		behind := errors.Is(err, store.ErrHoldLost) || errors.Is(err, store.ErrResultUnknown)
		if !behind || place == last {
			return err
		}
		last = place
	}
}

// place returns where to continue: 0 at the beginning. There is no place if everything was added,
// or the run has ended.
func (f *refill) place(ctx context.Context) (place int64, ok bool, err error) {
	in, err := f.store.Inspect(ctx, f.target)
	if err != nil || in.Run.Status.Final() {
		return 0, false, err
	}
	for _, h := range in.Holds {
		if h.Name == store.HoldOpen {
			return 0, true, nil
		}
		if h.Name == refillHold {
			place, err = strconv.ParseInt(h.Mark, 10, 64)
			return place, true, err
		}
	}
	return 0, false, nil
}

// refillHold is the name of the run's hold after the first chunk was added.
const refillHold = "redrive"

// from adds the failures from a place on. The places do not change, because the old run has ended.
func (f *refill) from(ctx context.Context, place int64) error {
	var chunk []store.Entry
	size := 0
	matches := f.sel.matcher()
	for letter, err := range f.source.deadLetters(ctx, place-1) {
		if err != nil {
			return err
		}
		if !matches(&letter) {
			continue
		}
		item := redriven(letter)
		n := encode.Size(item)
		if len(chunk) > 0 && (len(chunk) == refillChunk || size+n > refillBytes) {
			if err := f.send(ctx, chunk, place, letter.Place); err != nil {
				return endedMeanwhile(err)
			}
			chunk, size, place = nil, 0, letter.Place
		}
		chunk, size = append(chunk, store.Entry{Run: f.target, Item: item}), size+n
	}
	return endedMeanwhile(f.send(ctx, chunk, place, 0))
}

// redriven returns a failed task in the form in which it begins again.
func redriven(f store.Failure) store.Item {
	return store.Item{
		Route: f.Lane.Route,
		Task: store.Task{
			ID:         f.Task.ID,
			Payload:    f.Task.Payload,
			Headers:    f.Task.Headers,
			Claimed:    f.Task.Claimed,
			Keep:       f.Task.Keep,
			Attributes: f.Task.Attributes,
			Enqueued:   time.Now(),
		},
	}
}

// send adds a chunk that begins at a place, and moves the mark to the place of the next chunk. If
// next is 0, this is the last chunk.
func (f *refill) send(ctx context.Context, chunk []store.Entry, place, next int64) error {
	f.number++
	p := store.EnqueueParams{Partition: f.part, Stream: f.stream, Number: f.number, Entries: chunk}
	if place == 0 {
		p.Holds = append(p.Holds, store.HoldChange{Run: f.target, Name: store.HoldOpen, Close: true, Guarded: true})
	}
	if place > 0 || next > 0 {
		hold := store.HoldChange{Run: f.target, Name: refillHold, Guarded: place > 0, Close: next == 0}
		if place > 0 {
			hold.From = strconv.FormatInt(place, 10)
		}
		if next > 0 {
			hold.Mark = strconv.FormatInt(next, 10)
		}
		p.Holds = append(p.Holds, hold)
	}
	reply, err := f.store.Enqueue(ctx, p)
	if err != nil {
		return err
	}
	return errors.Join(reply.Holds...) // an item is refused for the same reasons as a hold
}

// endedMeanwhile turns the error of a run that has ended into nil.
func endedMeanwhile(err error) error {
	if errors.Is(err, ErrRunFinished) || errors.Is(err, ErrJobStopped) {
		return nil
	}
	return err
}
