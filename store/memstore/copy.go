package memstore

import (
	"bytes"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// The store copies all data that come in or go out, because both belong to the caller.

func copyTask(t store.Task) store.Task {
	t.Payload = bytes.Clone(t.Payload)
	t.Attributes = bytes.Clone(t.Attributes)
	t.Headers = maps.Clone(t.Headers)
	t.Attempts = slices.Clone(t.Attempts)
	return t
}

func copyItem(it store.Item) store.Item {
	it.Task = copyTask(it.Task)
	return it
}

func copyItemPtr(it *store.Item) *store.Item {
	if it == nil {
		return nil
	}
	c := copyItem(*it)
	return &c
}

func copyRecord(r store.RunRecord) store.RunRecord {
	r.Args = bytes.Clone(r.Args)
	r.Headers = maps.Clone(r.Headers)
	r.Labels = maps.Clone(r.Labels)
	r.Counters = maps.Clone(r.Counters)
	r.Result = bytes.Clone(r.Result)
	r.Reporting = slices.Clone(r.Reporting)
	return r
}

func copyWorker(w store.WorkerInfo) store.WorkerInfo {
	w.Routes = slices.Clone(w.Routes)
	return w
}

func copyEnqueueReply(r store.EnqueueReply) store.EnqueueReply {
	return store.EnqueueReply{Entries: slices.Clone(r.Entries), Holds: slices.Clone(r.Holds)}
}

func copySettleReply(r store.SettleReply) store.SettleReply {
	return store.SettleReply{Lost: slices.Clone(r.Lost), Ended: slices.Clone(r.Ended), Refused: slices.Clone(r.Refused)}
}

// arena copies many small byte slices into few allocations. An append to one of them does not
// overwrite the next.
type arena struct{ free []byte }

func newArena(size int) *arena { return &arena{free: make([]byte, 0, size)} }

func (a *arena) copy(b []byte) []byte {
	if b == nil {
		return nil
	}
	if len(b) > cap(a.free)-len(a.free) {
		return bytes.Clone(b)
	}
	at := len(a.free)
	a.free = append(a.free, b...)
	return a.free[at:len(a.free):len(a.free)]
}
