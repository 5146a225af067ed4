package storetest

import (
	"github.com/rollcall-go/rollcall/store"
)

// modelLedger counts, by route, what the operations of the model did. It outlasts the runs.
type modelLedger map[store.Route]*store.QueueRecord

// of is the record of a route, which is made if there is none; for a hook, one that nobody sees.
func (l modelLedger) of(r store.Route) *store.QueueRecord {
	if !r.Counted() {
		return &store.QueueRecord{}
	}
	if l[r] == nil {
		l[r] = &store.QueueRecord{Route: r}
	}
	return l[r]
}

// figuresOf is the lower half of a record.
func figuresOf(q store.QueueRecord) store.QueueRecord {
	return store.QueueRecord{
		Route: q.Route, Enqueued: q.Enqueued, Started: q.Started, Succeeded: q.Succeeded,
		Failed: q.Failed, Retried: q.Retried,
	}
}

// depthsOf is the upper half of a record, without times.
func depthsOf(q store.QueueRecord) store.QueueRecord {
	return store.QueueRecord{
		Route: q.Route, Waiting: q.Waiting, Held: q.Held, Delayed: q.Delayed,
		Retrying: q.Retrying, Running: q.Running, Runs: q.Runs,
	}
}
