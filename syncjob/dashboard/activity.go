package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// charts of the last hour, by what they are about.
type charts map[string]*chart

// Of returns the chart of a queue, or of whatever it was made for.
func (c charts) Of(name string) *chart {
	if c[name] == nil {
		return &chart{Span: spans[0]}
	}
	return c[name]
}

// queueCharts makes a small chart of each queue.
func queueCharts(all []states.ActivitySeries) charts {
	made := make(charts)
	for i := range all {
		name := all[i].Queue
		if made[name] == nil {
			made[name] = newChart("Queue "+syncjob.Printable(name), spans[0], all,
				func(s *states.ActivitySeries) bool { return s.Queue == name })
		}
	}
	return made
}

// kindFailures is how much of a kind fails.
type kindFailures struct {
	Queue, Set, Kind string
	Chart            *chart
	Sum              states.ActivityPoint
}

// Share is how many of a hundred attempts fail, for good or to be tried again.
func (k kindFailures) Share() string {
	if k.Sum.Ended == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*float64(k.Sum.Failed+k.Sum.Retried)/float64(k.Sum.Ended))
}

// failingKinds finds the kinds that failed in the last hour, those that failed most first.
func failingKinds(all []states.ActivitySeries) (list []kindFailures) {
	for i := range all {
		c := newChart(syncjob.Printable(all[i].Set+" / "+all[i].Kind), spans[0], all[i:i+1], everything)
		if c.Sum.Failed+c.Sum.Retried > 0 {
			list = append(list, kindFailures{all[i].Queue, all[i].Set, all[i].Kind, c, c.Sum})
		}
	}
	slices.SortStableFunc(list, func(a, b kindFailures) int {
		return cmp.Or(cmp.Compare(b.Sum.Failed, a.Sum.Failed), cmp.Compare(b.Sum.Retried, a.Sum.Retried))
	})
	return list[:min(len(list), maxFailingKinds)]
}

// maxFailingKinds is how many kinds the page of failures names.
const maxFailingKinds = 20

func everything(*states.ActivitySeries) bool { return true }

// queueBody is one queue.
type queueBody struct {
	Name   string
	Span   span
	Spans  []span
	Chart  *chart
	Queue  *states.Queue // nil if it has no tasks, and had none lately
	Kinds  charts        // by set and kind
	Paused []states.Pause
	err    error
}

func (b *queueBody) title() string  { return "Queue " + b.Name }
func (b *queueBody) missing() error { return b.err }

// Mine reports whether the queue as a whole is paused.
func (b *queueBody) Mine() bool {
	return slices.ContainsFunc(b.Paused, func(p states.Pause) bool {
		return p.Scope == syncjob.Scope{Queue: b.Name}
	})
}

// Kind is the chart of a kind.
func (b *queueBody) Kind(set, kind string) *chart { return b.Kinds.Of(set + "\x00" + kind) }

func (d *source) queue(ctx context.Context, q url.Values) (any, error) {
	b := &queueBody{Name: q.Get("queue"), Spans: spans}
	var err error
	if b.Span, err = spanOf(q.Get("span")); err != nil {
		return nil, err
	}
	if b.Name == "" {
		return nil, &statusError{http.StatusBadRequest, "The address names no queue.", nil}
	}
	queues, err := d.queues.get(ctx)
	if err = keepPartly(&b.err, err); err != nil {
		return nil, err
	}
	if at := slices.IndexFunc(queues, func(s states.Queue) bool { return s.Name == b.Name }); at >= 0 {
		b.Queue = &queues[at]
	}
	pauses, err := d.pauses.get(ctx)
	if err = keepPartly(&b.err, err); err != nil {
		return nil, err
	}
	for _, p := range pauses.Pauses {
		if p.Scope.Queue == b.Name {
			b.Paused = append(b.Paused, p)
		}
	}
	series, err := b.Span.read(ctx, d.m, b.Name)
	if err = keepPartly(&b.err, err); err != nil {
		return nil, err
	}
	b.Chart = newChart("Queue "+syncjob.Printable(b.Name), b.Span, series, everything)
	b.Kinds = make(charts)
	for i := range series {
		title := syncjob.Printable(series[i].Set + " / " + series[i].Kind)
		b.Kinds[series[i].Set+"\x00"+series[i].Kind] = newChart(title, b.Span, series[i:i+1], everything)
	}
	return b, nil
}

// keepPartly keeps an error that only names what is missing, and returns others.
func keepPartly(kept *error, err error) error {
	if err != nil && partly(err) {
		*kept = err
		return nil
	}
	return err
}
