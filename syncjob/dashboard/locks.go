package dashboard

import (
	"context"
	"net/url"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
)

// locksBody is what holds tasks and functions back together: semaphores and limits, and who uses
// them.
type locksBody struct {
	Prefix     string
	Semaphores []syncjob.SemaphoreState
	Next       string // the last key, if more follow
	Limits     []syncjob.LimitState
	err        error
}

func (b *locksBody) missing() error { return b.err }

func (d *source) locks(ctx context.Context, q url.Values) (any, error) {
	b := &locksBody{Prefix: q.Get("prefix")}
	options := &syncjob.SemaphoresOptions{Prefix: b.Prefix, After: q.Get("after"), Limit: rows + 1}
	for s, err := range d.m.Semaphores(ctx, options) {
		if err != nil {
			b.err = err
			break
		}
		if len(b.Semaphores) == rows {
			b.Next = b.Semaphores[rows-1].Key
			break
		}
		b.Semaphores = append(b.Semaphores, s)
	}
	if b.err != nil && !partly(b.err) {
		return nil, b.err
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
	Values []syncjob.ValueState
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
	for v, err := range d.m.ListValues(ctx, scope, options) {
		if err != nil {
			if !partly(err) {
				return nil, err
			}
			b.err = err
			break
		}
		if len(b.Values) == rows {
			b.Next = b.Values[rows-1].Cursor
			break
		}
		b.Values = append(b.Values, v)
	}
	return b, nil
}
