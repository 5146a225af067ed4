package handlers

import (
	"context"

	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
)

// Progress reports how far the task is: done of total, in whatever unit suits it, and a line of
// text, of which the first 200 bytes are kept. A total of 0 is unknown. Watching the run and
// explaining it show the last report while the attempt runs; Progress(ctx, 0, 0, "") takes it back.
//
// It makes no call of the store and may be called in every turn of a tight loop: reports travel
// with the worker's heartbeat, which comes about once a second while they change. It never fails,
// and nothing depends on it: what is reported after ctx has ended or the handler has returned is
// dropped, and a retry begins without.
func (a *Attempt) Progress(ctx context.Context, done, total int64, message string) {
	if ctx.Err() != nil {
		return
	}
	m := a.meter.Load()
	if m == nil {
		m = new(execute.Meter)
		if !a.meter.CompareAndSwap(nil, m) {
			m = a.meter.Load()
		}
	}
	if m.Set(store.Progress{Done: max(0, done), Total: max(0, total), Message: message}) {
		a.cfg.Runtime.Progress(*a.lease, m)
	}
}

// overMeter is the meter of every attempt that has ended.
var overMeter = func() *execute.Meter {
	m := new(execute.Meter)
	m.End()
	return m
}()
