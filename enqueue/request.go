package enqueue

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/internal/stream"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/rules"
)

// maxBatchBytes bounds the entries of one call of the store, as [bounds.MaxBatch] bounds
// their number.
const maxBatchBytes = 1 << 20

// request is what one caller wants to store in one step. Later it also has the answer.
type request struct {
	stream.Call
	entries []store.Entry
	holds   []store.HoldChange
	bytes   int
	audit   *store.AuditLine // of a caller with a name
	reply   store.EnqueueReply
}

// next returns an empty request that reuses the memory of an answered one. The old one had no
// error, so nobody else uses it.
func (r *request) next() *request { return &request{entries: r.entries[:0]} }

// says gives the request a line in the audit, if the caller has a name.
func (r *request) says(ctx context.Context, action actions.Action, run store.RunID, subject string) {
	if _, named := store.ActorOf(ctx); named {
		l := rules.NewAuditLine(ctx, action, run, subject, "")
		r.audit = &l
	}
}

func (r *request) add(run store.RunID, item store.Item) {
	r.entries = append(r.entries, store.Entry{Run: run, Item: item})
	r.bytes += encode.Size(item)
}

// takes reports whether one more item of this size stays within the limits of a call. The first
// item always does: one payload may be as large as the limit.
func (r *request) takes(size int) bool {
	return len(r.entries) == 0 || len(r.entries) < bounds.MaxBatch && r.bytes+size <= maxBatchBytes
}

// alone reports whether the request gets its own call: it may be refused because of a hold, so that
// other requests would be refused with it, or it has a line in the audit.
func (r *request) alone() bool {
	return r.audit != nil || slices.ContainsFunc(r.holds, func(h store.HoldChange) bool { return h.Guarded })
}

// batch holds the requests that share one call.
type batch struct {
	requests, entries, holds, bytes int
	alone                           bool
}

// takes reports whether the request stays within the limits of the call. The first request always
// does.
func (b *batch) takes(req *request) bool {
	return b.requests == 0 || b.entries+len(req.entries) <= bounds.MaxBatch &&
		b.holds+len(req.holds) <= bounds.MaxBatch && b.bytes+req.bytes <= maxBatchBytes &&
		!b.alone && !req.alone()
}

func (b *batch) add(req *request) {
	b.requests++
	b.entries += len(req.entries)
	b.holds += len(req.holds)
	b.bytes += req.bytes
	b.alone = b.alone || req.alone()
}

// joined returns the parameters of the call that the requests share.
func joined(requests []*request) store.EnqueueParams {
	if len(requests) == 1 {
		return store.EnqueueParams{Entries: requests[0].entries, Holds: requests[0].holds, Audit: requests[0].audit}
	}
	var b batch
	for _, req := range requests {
		b.add(req)
	}
	p := store.EnqueueParams{
		Entries: make([]store.Entry, 0, b.entries),
		Holds:   make([]store.HoldChange, 0, b.holds),
	}
	for _, req := range requests {
		p.Entries = append(p.Entries, req.entries...)
		p.Holds = append(p.Holds, req.holds...)
	}
	return p
}

// answer gives every request its part of the reply.
func answer(requests []*request, reply store.EnqueueReply) {
	for _, req := range requests {
		n, h := len(req.entries), len(req.holds)
		req.reply = store.EnqueueReply{Entries: reply.Entries[:n:n], Holds: reply.Holds[:h:h]}
		reply.Entries, reply.Holds = reply.Entries[n:], reply.Holds[h:]
	}
}
