package dashboard

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// span is a stretch of time that charts show, in intervals.
type span struct {
	Name string // in addresses
	Text string // after "in the last"
	Unit string // what an interval is, after "tasks in"
	long time.Duration
	step time.Duration
}

// spans are those that can be chosen. The first is the default, and the one of small charts.
var spans = []span{
	{"1h", "hour", "a minute", time.Hour, time.Minute},
	{"8h", "8 hours", "10 minutes", 8 * time.Hour, 10 * time.Minute},
	{"3d", "3 days", "an hour", 72 * time.Hour, time.Hour},
	{"90d", "90 days", "a day", 90 * 24 * time.Hour, 24 * time.Hour},
}

// spanOf finds a span by its name.
func spanOf(name string) (span, error) {
	if name == "" {
		return spans[0], nil
	}
	at := slices.IndexFunc(spans, func(s span) bool { return s.Name == name })
	if at < 0 {
		return span{}, &statusError{http.StatusBadRequest, "The address names no stretch of time that is known.", nil}
	}
	return spans[at], nil
}

// read reads what was done, up to now. An interval of several minutes or hours is read while it
// lasts. An empty queue means all.
func (s span) read(ctx context.Context, m *syncjob.Manager, queue string) ([]states.ActivitySeries, error) {
	to := time.Now().Truncate(s.step)
	if s.step != time.Minute && s.step != time.Hour {
		to = to.Add(s.step)
	}
	return m.Activity(ctx, &syncjob.ActivityOptions{Queue: queue, From: to.Add(-s.long), To: to, Step: s.step})
}
