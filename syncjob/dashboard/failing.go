package dashboard

import (
	"context"
	"net/url"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
)

// maxGrouped is how many failures are grouped: more do not change what to look at first.
const maxGrouped = 2000

// failingBody is the failures of all jobs, grouped and one by one.
type failingBody struct {
	Prefix   string
	Kind     string
	Groups   syncjob.FailureGroups
	Failures []syncjob.Failure
	Next     string // cursor, if more follow
	err      error
}

func (b *failingBody) missing() error { return b.err }

// readHour groups the failures of the last hour.
func (d *source) readHour(ctx context.Context) (syncjob.FailureGroups, error) {
	since := time.Now().Add(-time.Hour)
	return d.m.FailureGroups(ctx, &syncjob.AllFailuresOptions{Since: since, Limit: maxGrouped})
}

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
		if b.Groups, b.err = d.m.FailureGroups(ctx, &all); b.err != nil && b.Groups.Read == 0 {
			return nil, b.err
		}
	}
	options.After, options.Limit = after, rows+1
	for f, err := range d.m.Failures(ctx, &options) {
		if err != nil {
			if len(b.Failures) == 0 {
				return nil, err
			}
			b.err = err
			break
		}
		if len(b.Failures) == rows {
			b.Next = b.Failures[rows-1].Cursor
			break
		}
		b.Failures = append(b.Failures, f)
	}
	return b, nil
}
