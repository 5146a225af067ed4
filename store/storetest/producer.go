package storetest

import (
	"github.com/rollcall-go/rollcall/store"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// producer adds tasks to runs of a partition. It numbers its calls.
type producer struct {
	s         *scene
	partition int
	stream    string
	number    int64
	last      store.EnqueueParams
	redone    store.RedoParams // of the last call of RedoFailures
}

// producer opens a stream in the run's partition.
func (r *run) producer() *producer { return r.s.producer(r.partition) }

func (s *scene) producer(partition int) *producer {
	s.tb.Helper()
	p := &producer{s: s, partition: partition, stream: s.name("stream")}
	s.NoError(s.store.OpenProducer(s.ctx, partition, p.stream))
	return p
}

// try sends the next batch.
func (p *producer) try(batch store.EnqueueParams) (store.EnqueueReply, error) {
	p.number++
	batch.Partition, batch.Stream, batch.Number = p.partition, p.stream, p.number
	p.last = batch
	return p.s.store.Enqueue(p.s.ctx, batch)
}

// repeat sends the last batch again, as after a lost reply.
func (p *producer) repeat() (store.EnqueueReply, error) {
	return p.s.store.Enqueue(p.s.ctx, p.last)
}

// send sends the next batch and requires an answer to each entry and hold.
func (p *producer) send(batch store.EnqueueParams) store.EnqueueReply {
	p.s.tb.Helper()
	reply, err := p.try(batch)
	p.s.NoError(err)
	p.s.Len(reply.Entries, len(batch.Entries), "one answer for each entry")
	p.s.Len(reply.Holds, len(batch.Holds), "one answer for each hold change")
	return reply
}

// add enqueues the items, in batches of at most MaxBatch, and requires that each is accepted.
func (p *producer) add(r *run, items ...store.Item) {
	p.s.tb.Helper()
	for len(items) > 0 {
		n := min(len(items), bounds.MaxBatch)
		for i, res := range p.offer(r, items[:n]...) {
			p.s.NoError(res.Err, "entry %d", i)
			p.s.False(res.Duplicate, "entry %d is no duplicate", i)
		}
		items = items[n:]
	}
}

// offer enqueues one batch and returns the result of each item.
func (p *producer) offer(r *run, items ...store.Item) []store.EnqueueResult {
	p.s.tb.Helper()
	entries := make([]store.Entry, len(items))
	for i, it := range items {
		entries[i] = store.Entry{Run: r.id, Item: it}
	}
	return p.send(store.EnqueueParams{Entries: entries}).Entries
}

// hold opens a named hold on the run, release closes it. They return the answer.
func (p *producer) hold(r *run, name string) error {
	p.s.tb.Helper()
	return p.send(store.EnqueueParams{Holds: []store.HoldChange{{Run: r.id, Name: name}}}).Holds[0]
}

func (p *producer) release(r *run, name string) error {
	p.s.tb.Helper()
	return p.send(store.EnqueueParams{Holds: []store.HoldChange{{Run: r.id, Name: name, Close: true}}}).Holds[0]
}

// seal lets an open run finish.
func (p *producer) seal(r *run) {
	p.s.tb.Helper()
	p.s.NoError(p.release(r, store.HoldOpen))
}
