package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// source is what pages and actions read from and act on.
type source struct {
	m       *syncjob.Manager
	opts    Options
	queues  reading[[]states.Queue]
	workers reading[[]states.Worker]
	lost    reading[[]states.LostWorker]
	pauses  reading[pauseList]
	limits  reading[[]states.LimitUse]
	hour    reading[states.FailureGroups]    // of the last hour
	still   reading[[]states.Run]            // that wait for something
	held    reading[[]states.Run]            // for their failures
	late    reading[[]states.Job]            // that are not started when they are due
	done    reading[[]states.ActivitySeries] // within the last hour
	open    openPages
}

func newSource(m *syncjob.Manager, opts Options) *source {
	s := &source{m: m, opts: opts, open: openPages{bodies: make(map[string]*reading[any])}}
	s.queues.read = m.Queues
	s.workers.read = m.Workers
	s.lost.read = m.LostWorkers
	s.limits.read = m.Limits
	s.pauses.read = s.readPauses
	s.hour.read = s.readHour
	s.still.read = s.readStill
	s.held.read, s.held.fresh = s.readHeld, 15*time.Second
	s.late.read, s.late.fresh = s.readLate, 15*time.Second
	s.done.read, s.done.fresh = s.readLastHour, 10*time.Second
	return s
}

// forget lets pages read anew what an action may have changed.
func (d *source) forget() {
	for _, r := range []interface{ forget() }{
		&d.open, &d.queues, &d.workers, &d.lost, &d.pauses, &d.limits, &d.hour, &d.still, &d.late, &d.held, &d.done,
	} {
		r.forget()
	}
}

// pauseList is what is paused.
type pauseList struct {
	Mode   syncjob.Mode
	Pauses []states.Pause
}

func (d *source) readPauses(ctx context.Context) (pauseList, error) {
	mode, err := d.m.Mode(ctx)
	if err != nil {
		return pauseList{}, err
	}
	pauses, err := d.m.Pauses(ctx)
	return pauseList{Mode: mode, Pauses: pauses}, err
}

const (
	// lingers is how long a run with waiting tasks has not moved when the first page names it.
	lingers = 10 * time.Minute
	// maxNamed is how many of a kind the first page names.
	maxNamed = 5
)

// readStill reads runs whose tasks wait and of which none has ended for long, the oldest first.
func (d *source) readStill(ctx context.Context) (list []states.Run, err error) {
	options := &syncjob.RunsOptions{
		Statuses: syncjob.ActiveStatuses, Still: lingers, Oldest: true, Limit: 20 * maxNamed,
	}
	for r, err := range d.m.Runs(ctx, options) {
		if err != nil {
			return list, err
		}
		if r.Counts.Pending > 0 && !r.Paused {
			list = append(list, r)
		}
		if len(list) == maxNamed {
			break
		}
	}
	return list, nil
}

// readHeld reads runs that wait for somebody to decide about their failures.
func (d *source) readHeld(ctx context.Context) (list []states.Run, err error) {
	options := &syncjob.RunsOptions{Statuses: syncjob.ActiveStatuses, Held: true, Limit: maxNamed}
	for r, err := range d.m.Runs(ctx, options) {
		if err != nil {
			return list, err
		}
		list = append(list, r)
	}
	return list, nil
}

// readLate reads periodic jobs that cannot be started, or should have been a minute ago.
func (d *source) readLate(ctx context.Context) (list []states.Job, err error) {
	for j, err := range d.m.Jobs(ctx, &syncjob.JobsOptions{Group: syncjob.GroupPeriodic}) {
		if err != nil {
			return list, err
		}
		if j.Problem != "" || overdue(j) {
			list = append(list, j)
		}
		if len(list) == maxNamed {
			break
		}
	}
	return list, nil
}

// overdue reports whether a due time has passed that started no run and waits for none.
func overdue(j states.Job) bool {
	return !j.NextDue.IsZero() && time.Since(j.NextDue) > time.Minute && !j.Active()
}

// number reads a number of a run; 0 if it is none.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// runOf reads which run a page is about.
func (d *source) runOf(q url.Values) (*syncjob.Run, error) {
	job, n := q.Get("job"), number(q.Get("run"))
	if job == "" || n == 0 {
		return nil, &statusError{
			http.StatusBadRequest,
			"The address names no run: it needs a job and the number of a run.",
			nil,
		}
	}
	return d.m.Run(job, n), nil
}

// payload is what the user may see of data.
func (d *source) payload(p Payload) string {
	if d.opts.Payload == nil || len(p.Data) == 0 {
		return ""
	}
	return d.opts.Payload(p)
}

// authorize asks Options.Authorize. Without it, only reading is allowed.
func (d *source) authorize(r *http.Request, a Action) error {
	switch {
	case d.opts.Authorize != nil:
		if err := d.opts.Authorize(r, a); err != nil {
			return &statusError{http.StatusForbidden, "You may not do this: " + err.Error(), err}
		}
	case a.Name != View:
		return &statusError{
			http.StatusForbidden,
			"This dashboard only shows. Its program must set Options.Authorize to let people act.",
			nil,
		}
	}
	return nil
}

// shown is what the user may see of data, indented.
func (d *source) shown(p Payload, what string, data []byte) string {
	p.What, p.Data = what, data
	text := d.payload(p)
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") == nil {
		return b.String()
	}
	return text
}

// headers is what the user may see of headers.
func (d *source) headers(p Payload, h map[string]string) string {
	if len(h) == 0 {
		return ""
	}
	data, err := json.Marshal(h)
	if err != nil {
		return "" // strings can always be encoded
	}
	return d.shown(p, "headers", data)
}

// take reads what a page of a list shows: up to rows items, and the place of the last one if more
// follow. missing names partitions that did not answer; any other error is err.
func take[T any](list iter.Seq2[T, error], place func(T) string) (items []T, next string, missing, err error) {
	for item, err := range list {
		switch {
		case err != nil && partly(err):
			return items, "", err, nil
		case err != nil:
			return nil, "", nil, err
		case len(items) == rows:
			return items, place(items[rows-1]), nil, nil
		}
		items = append(items, item)
	}
	return items, "", nil, nil
}

// rows is how many lines a page of a list has.
const rows = 50

// maxGrouped is how many failures are grouped: more do not change what to look at first.
const maxGrouped = 2000

// readLastHour reads what was done within the last hour.
func (d *source) readLastHour(ctx context.Context) ([]states.ActivitySeries, error) {
	return spans[0].read(ctx, d.m, "")
}

// readHour groups the failures of the last hour.
func (d *source) readHour(ctx context.Context) (states.FailureGroups, error) {
	since := time.Now().Add(-time.Hour)
	return d.m.FailureGroups(ctx, &syncjob.AllFailuresOptions{Since: since, Limit: maxGrouped})
}
