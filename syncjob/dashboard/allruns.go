package dashboard

import (
	"context"
	"net/url"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// runsBody is a page of runs of all jobs, the last changed first.
type runsBody struct {
	Status             string // "", "active", "held", "ended", or one status
	Statuses           []string
	Prefix, Set, Label string
	Runs               []states.Run
	Next               string // cursor, if more follow
	err                error
}

func (b *runsBody) missing() error { return b.err }

// statuses are what can be chosen.
func statuses() []string {
	list := []string{"", "active", "held", "ended"}
	for _, group := range [][]states.Status{syncjob.ActiveStatuses, syncjob.FinalStatuses} {
		for _, s := range group {
			list = append(list, string(s))
		}
	}
	return list
}

func (d *source) allRuns(ctx context.Context, q url.Values) (any, error) {
	b := &runsBody{
		Status: q.Get("status"), Statuses: statuses(), Prefix: q.Get("prefix"),
		Set: q.Get("set"), Label: q.Get("label"),
	}
	options := &syncjob.RunsOptions{Prefix: b.Prefix, Set: b.Set, After: q.Get("after"), Limit: rows + 1}
	switch b.Status {
	case "":
	case "active":
		options.Statuses = syncjob.ActiveStatuses
	case "held":
		options.Statuses, options.Held = syncjob.ActiveStatuses, true
	case "ended":
		options.Statuses = syncjob.FinalStatuses
	default:
		options.Statuses = []states.Status{states.Status(b.Status)}
	}
	var err error
	if options.Labels, err = labelOf(b.Label); err != nil {
		return nil, err
	}
	place := func(s states.Run) string { return s.Cursor }
	if b.Runs, b.Next, b.err, err = take(d.m.Runs(ctx, options), place); err != nil {
		return nil, err
	}
	return b, nil
}
