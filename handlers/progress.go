package handlers

import (
	"context"

	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
)

// Progress reports how far the task is: done of total, in any unit, and a line of text. The first
// 200 bytes of the text are kept. A total of 0 means unknown. Watch and Explain of the run show the
// last report while the attempt runs. Progress(ctx, 0, 0, "") removes the report.
//
// It makes no call of the store, so a tight loop may call it each time. The worker sends reports
// with its heartbeat; while they change, that is about once a second. Progress never fails. A
// report after ctx has ended or the handler has returned is dropped. A retry begins without a
// report.
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
		a.cfg.Runtime.Progress(a.delivery.Lease, m)
	}
}

// overMeter replaces the meter of every attempt that has ended.
var overMeter = func() *execute.Meter {
	m := new(execute.Meter)
	m.End()
	return m
}()
