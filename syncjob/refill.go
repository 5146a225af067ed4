package syncjob

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
)

// Chunks of a redrive. They must be the same in every call that goes on with it.
const (
	refillChunk = store.MaxBatch
	refillBytes = 1 << 20
)

// refill fills the new run of a redrive. It is exact, whoever repeats it after whatever crash, since the run itself says how far
// it came: its one hold is named after the place of the first failure that was not added, and moves in the same step as
// tasks are added. The stream is the run's own, and each chunk is numbered by that place: of two calls that send the same chunk
// the second is answered like the first, and one that is behind is refused. The run cannot end before the last chunk takes the
// hold away.
type refill struct {
	source *Run
	target store.RunID
	store  store.Store
	sel    selection
	part   int
	stream string
}

func newRefill(source, target *Run, sel selection) *refill {
	return &refill{
		source: source,
		target: target.id,
		store:  source.m.store,
		sel:    sel,
		part:   store.PartitionOf(target.id.Job, source.m.store.Partitions()),
		stream: fmt.Sprintf("redrive-%d", target.id.Number),
	}
}

// complete adds what is missing. Where another call was ahead, or the stream was forgotten as the last call was more than a
// day ago, nothing was added, and it begins anew from where the run says.
func (f *refill) complete(ctx context.Context) error {
	for last := -1; ; {
		if err := f.store.OpenProducer(ctx, f.part, f.stream); err != nil {
			return err
		}
		place, ok, err := f.place(ctx)
		if err != nil || !ok {
			return err
		}
		err = f.from(ctx, place)
		behind := errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrOutcomeUnknown)
		if !behind || place == last {
			return err
		}
		last = place
	}
}

// place is where to go on; none if everything was added, or the run has ended.
func (f *refill) place(ctx context.Context) (place int, ok bool, err error) {
	in, err := f.store.Inspect(ctx, f.target)
	if err != nil || in.Run.Status.Final() {
		return 0, false, err
	}
	for _, h := range in.Holds {
		if h.Name == store.HoldOpen {
			return 0, true, nil
		}
		if _, err := fmt.Sscanf(h.Name, refillHold, &place); err == nil {
			return place, true, nil
		}
	}
	return 0, false, nil
}

// refillHold is how the run's hold is named once the first chunk was added.
const refillHold = "redrive-from-%d"

func holdAt(place int) string {
	if place == 0 {
		return store.HoldOpen
	}
	return fmt.Sprintf(refillHold, place)
}

// from adds the failures from a place on.
func (f *refill) from(ctx context.Context, place int) error {
	var chunk []store.Entry
	size := 0
	matches := f.sel.matcher()
	for letter, err := range f.source.deadLetters(ctx, place) {
		if err != nil {
			return err
		}
		if !matches(&letter.Failure) {
			continue
		}
		item := redriven(letter.Failure)
		n := enqueue.Size(item)
		if len(chunk) > 0 && (len(chunk) == refillChunk || size+n > refillBytes) {
			if err := f.send(ctx, chunk, place, letter.place); err != nil {
				return endedMeanwhile(err)
			}
			chunk, size, place = nil, 0, letter.place
		}
		chunk, size = append(chunk, store.Entry{Run: f.target, Item: item}), size+n
	}
	return endedMeanwhile(f.send(ctx, chunk, place, 0))
}

// redriven is a failed task as it begins again.
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

// send adds a chunk that begins at a place, and moves the hold to the place of the next; 0 if this was the last.
func (f *refill) send(ctx context.Context, chunk []store.Entry, place, next int) error {
	p := store.EnqueueParams{
		Partition: f.part,
		Stream:    f.stream,
		Number:    int64(place) + 1,
		Entries:   chunk,
		Holds:     []store.HoldChange{{Run: f.target, Name: holdAt(place), Close: true}},
	}
	if next > 0 {
		p.Holds = append(p.Holds, store.HoldChange{Run: f.target, Name: holdAt(next)})
	}
	reply, err := f.store.Enqueue(ctx, p)
	if err != nil {
		return err
	}
	return errors.Join(reply.Holds...) // entries are refused when holds are: as their run is
}

// endedMeanwhile finds nothing wrong with a run that took no more tasks since it has ended.
func endedMeanwhile(err error) error {
	if errors.Is(err, ErrRunFinished) || errors.Is(err, ErrJobStopped) {
		return nil
	}
	return err
}
