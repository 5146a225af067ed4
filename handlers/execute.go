package handlers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/plural"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// executor runs deliveries with the attributes that are in force in a Live.
type executor struct {
	execute.Config
	registry *Registry
	live     *Live
}

// Executor returns an executor of the registry's handlers that uses the attributes in code. It is
// for workers and test kits.
func (r *Registry) Executor(cfg execute.Config) execute.Executor {
	return newExecutor(cfg, r, r.code)
}

// Executor returns an executor of the registry's handlers that uses the attributes in force. It is
// for workers and test kits.
func (l *Live) Executor(cfg execute.Config) execute.Executor { return newExecutor(cfg, l.reg, l) }

func newExecutor(cfg execute.Config, r *Registry, l *Live) *executor {
	if cfg.Logger == nil {
		cfg.Logger = discard
	}
	if cfg.Enqueue.Router == nil {
		cfg.Enqueue.Router = l
	}
	return &executor{cfg, r, l}
}

// Execute implements [execute.Executor].
func (x *executor) Execute(ctx context.Context, d *store.Delivery) store.Outcome {
	var out store.Outcome
	x.ExecuteTimed(ctx, d, &out, nil)
	return out
}

// ExecuteTimed implements [execute.Executor].
func (x *executor) ExecuteTimed(
	ctx context.Context, d *store.Delivery, out *store.Outcome, expires func(at time.Time),
) {
	*out = store.Outcome{Lease: d.Lease, Task: d.Task}
	if verdict, over := interrupted(ctx); over {
		out.Verdict = verdict
		return
	}
	if err := unreadable(&d.Task); err != nil {
		fail(out, verdicts.Fail, err)
		return
	}
	route := &d.Lease.Lane.Route
	s, err := x.registry.find(route.Set)
	if err != nil {
		fail(out, verdicts.Fail, err)
		return
	}
	if !route.Counted() {
		s.executeHook(ctx, out, x, expires)
		return
	}
	k, err := s.find(route.Kind)
	if err != nil {
		fail(out, verdicts.Fail, err)
		return
	}
	k.execute(ctx, d, x, out, expires)
}

// execute runs one delivery of a task.
func (k *boundKind) execute(
	ctx context.Context, d *store.Delivery, x *executor, out *store.Outcome, expires func(time.Time),
) {
	attrs := x.live.at(k.index)
	if err := poisoned(&d.Task, attrs); err != nil {
		fail(out, verdicts.Fail, err)
		return
	}
	var a *Attempt // stays nil if decoding panics
	err := guard.Call(func() (err error) {
		if a, err = k.attempt(ctx, d, x, attrs); err != nil {
			return Permanent(err)
		}
		a.ctx.start(a.timeout())
		if expires != nil && a.ctx.limit > 0 {
			expires(a.ctx.deadline)
		}
		return k.invoke(&a.ctx, a)
	}, func() { k.settle(ctx, out, a, attrs, Permanent(guard.ErrGoexit)) })
	k.settle(ctx, out, a, attrs, err)
}

// attempt decodes the task of the delivery.
func (k *boundKind) attempt(ctx context.Context, d *store.Delivery, x *executor, attrs *Attributes) (*Attempt, error) {
	a, err := k.kind.begin(d.Task.Payload)
	a.fill(encode.Extract(ctx, x.Enqueue.Propagator, d.Task.Headers), d, &x.Config)
	a.set, a.attrs = k.set, attrs
	if err == nil {
		a.overrides, err = encode.DecodeOverrides(d.Task.Attributes)
	}
	return a, err
}

// poisoned says why a task, or hook, is not run at all (promise P15).
func poisoned(t *store.Task, attrs *Attributes) error {
	if t.Crashes < attrs.MaxDeliveries {
		return nil
	}
	return fmt.Errorf("not run again: %s died running it", plural.Of(t.Crashes, "worker"))
}

// unreadable says why the stored form of a task cannot be read; nil if it can. A task that cannot
// be read has no ID; every other task has one.
func unreadable(t *store.Task) error {
	if t.ID != "" {
		return nil
	}
	if why, corrupt := t.Headers[store.HeaderCorrupt]; corrupt {
		return errors.New(why)
	}
	return nil
}
