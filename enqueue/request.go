package enqueue

import "github.com/rollcall-go/rollcall/store"

// maxBatchBytes bounds the entries of one call of the store, as [store.MaxBatch] bounds
// their number.
const maxBatchBytes = 1 << 20

// request is what one caller wants stored in one step, and then the answer to it.
type request struct {
	entries []store.Entry
	holds   []store.HoldChange
	bytes   int

	// done is closed when reply and err are set, and not before.
	done  chan struct{}
	reply store.EnqueueReply
	err   error
}

func newRequest() *request { return &request{done: make(chan struct{})} }

// next is an empty request in the memory of one that was answered without an error: nobody else holds that.
func (r *request) next() *request {
	n := newRequest()
	n.entries = r.entries[:0]
	return n
}

func (r *request) add(run store.RunID, item store.Item) {
	r.entries = append(r.entries, store.Entry{Run: run, Item: item})
	r.bytes += Size(item)
}

// takes reports whether one more item of the size stays within the limits of a
// call. The first always does: a payload may be as large as the whole limit.
func (r *request) takes(size int) bool {
	return len(r.entries) == 0 || len(r.entries) < store.MaxBatch && r.bytes+size <= maxBatchBytes
}

func (r *request) answer(reply store.EnqueueReply, err error) {
	r.reply, r.err = reply, err
	close(r.done)
}

// batch is the requests that share one call.
type batch struct {
	requests              []*request
	entries, holds, bytes int
}

// takes reports whether the request stays within the limits of the call. The
// first always does: alone it is within them.
func (b *batch) takes(req *request) bool {
	return len(b.requests) == 0 || b.entries+len(req.entries) <= store.MaxBatch &&
		b.holds+len(req.holds) <= store.MaxBatch && b.bytes+req.bytes <= maxBatchBytes
}

func (b *batch) add(req *request) {
	b.requests = append(b.requests, req)
	b.entries += len(req.entries)
	b.holds += len(req.holds)
	b.bytes += req.bytes
}

func (b *batch) params() store.EnqueueParams {
	if len(b.requests) == 1 {
		return store.EnqueueParams{Entries: b.requests[0].entries, Holds: b.requests[0].holds}
	}
	p := store.EnqueueParams{
		Entries: make([]store.Entry, 0, b.entries),
		Holds:   make([]store.HoldChange, 0, b.holds),
	}
	for _, req := range b.requests {
		p.Entries = append(p.Entries, req.entries...)
		p.Holds = append(p.Holds, req.holds...)
	}
	return p
}

// answer gives every request its part of the reply.
func (b *batch) answer(reply store.EnqueueReply, err error) {
	for _, req := range b.requests {
		if err != nil {
			req.answer(store.EnqueueReply{}, err)
			continue
		}
		n, h := len(req.entries), len(req.holds)
		req.answer(store.EnqueueReply{Entries: reply.Entries[:n:n], Holds: reply.Holds[:h:h]}, nil)
		reply.Entries, reply.Holds = reply.Entries[n:], reply.Holds[h:]
	}
}
