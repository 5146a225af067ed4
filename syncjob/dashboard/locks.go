package dashboard

import (
	"context"
	"net/url"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// locksBody is what holds tasks and functions back together: semaphores and limits, and who uses
// them.
type locksBody struct {
	Prefix     string
	Semaphores []states.Semaphore
	Next       string // the last key, if more follow
	Limits     []states.LimitUse
	err        error
}

func (b *locksBody) missing() error { return b.err }

func (d *source) locks(ctx context.Context, q url.Values) (any, error) {
	b := &locksBody{Prefix: q.Get("prefix")}
	options := &syncjob.SemaphoresOptions{Prefix: b.Prefix, After: q.Get("after"), Limit: rows + 1}
	var err error
	place := func(s states.Semaphore) string { return s.Key }
	if b.Semaphores, b.Next, b.err, err = take(d.m.Semaphores(ctx, options), place); err != nil {
		return nil, err
	}
	limits, err := d.limits.get(ctx)
	if err != nil {
		if !partly(err) {
			return nil, err
		}
		b.err = err
	}
	b.Limits = limits
	return b, nil
}

// valuesBody is a page of the values of a run, of a job, or of the namespace.
type valuesBody struct {
	Job    string
	Number int64
	Values []states.Value
	Next   string // cursor, if more follow
	err    error
}

func (b *valuesBody) missing() error { return b.err }

func (d *source) values(ctx context.Context, q url.Values) (any, error) {
	b := &valuesBody{Job: q.Get("job"), Number: number(q.Get("run"))}
	scope := store.NamespaceScope(0)
	switch {
	case b.Number > 0:
		scope = store.RunScope(d.m.Run(b.Job, b.Number).ID())
	case b.Job != "":
		scope = store.JobScope(b.Job)
	}
	options := &syncjob.ValuesOptions{After: q.Get("after"), Limit: rows + 1}
	var err error
	place := func(v states.Value) string { return v.Cursor }
	if b.Values, b.Next, b.err, err = take(d.m.ListValues(ctx, scope, options), place); err != nil {
		return nil, err
	}
	return b, nil
}
