package worker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
)

// gatePoll is how often a closed gate is asked again.
const gatePoll = 250 * time.Millisecond

// gate asks a function of the user before each fetch whether the worker may run tasks. While it
// says no, the gate is closed: nothing is fetched, and one loop asks again from time to time.
type gate struct {
	canRun func(context.Context) bool // nil for always
	asking guard.Patient
	closed chan struct{} // capacity 1: it was found closed
	failed atomic.Bool   // the function has not answered since, and that was logged
}

// gateOpen asks the function. Without an answer the gate is closed.
func (e *Engine) gateOpen(ctx context.Context) bool {
	g := &e.gate
	if g.canRun == nil {
		return true
	}
	var open atomic.Bool
	called, err := g.asking.Apart(func() error {
		open.Store(g.canRun(ctx))
		return nil
	})
	if err != nil {
		if !g.failed.Swap(true) {
			e.log.WarnContext(ctx, "cannot ask whether the worker may run tasks; until then it fetches none", "error", err)
		}
		return false
	}
	if called {
		g.failed.Store(false)
	}
	return called && open.Load()
}

// watchGate gives back what was fetched and not started when the gate closes, and goes on when it
// opens.
func (e *Engine) watchGate(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.gate.closed:
		}
		for e.unload(all); ctx.Err() == nil && !e.gateOpen(ctx); {
			lifecycle.Pause(ctx, gatePoll)
			e.unload(all) // what a fetch in progress has brought
		}
		e.intake.Reopen()
	}
}
