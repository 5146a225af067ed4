package dashboard

import (
	"context"
	"errors"
	"net/url"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// failingBody is the failures of all jobs, grouped and one by one.
type failingBody struct {
	Prefix   string
	Kind     string
	Kinds    []kindFailures // that failed within the last hour
	Groups   states.FailureGroups
	Failures []states.Failure
	Next     string // cursor, if more follow
	err      error
}

func (b *failingBody) missing() error { return b.err }

func (d *source) failing(ctx context.Context, q url.Values) (any, error) {
	b := &failingBody{Prefix: q.Get("prefix"), Kind: q.Get("kind")}
	options := syncjob.AllFailuresOptions{Prefix: b.Prefix}
	if b.Kind != "" {
		options.Kinds = []string{b.Kind}
	}
	after := q.Get("after")
	if after == "" {
		all := options
		all.Limit = maxGrouped
		if b.Groups, b.err = d.m.FailureGroups(ctx, &all); b.err != nil && !partly(b.err) {
			return nil, b.err
		}
		done, err := d.done.get(ctx)
		if err = keepPartly(&b.err, err); err != nil {
			return nil, err
		}
		b.Kinds = failingKinds(done)
	}
	options.After, options.Limit = after, rows+1
	list, next, missing, err := take(d.m.Failures(ctx, &options), func(f states.Failure) string { return f.Cursor })
	if err != nil {
		return nil, err
	}
	b.Failures, b.Next, b.err = list, next, errors.Join(b.err, missing)
	return b, nil
}
