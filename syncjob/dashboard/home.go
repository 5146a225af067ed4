package dashboard

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// homeBody is what the first page shows: what needs attention, then totals, then what runs.
type homeBody struct {
	Attention []notice
	Depths    states.Figures
	Queues    int
	Workers   int
	Slots     int
	Busy      int
	Chart     *chart
	Active    []states.Run
	Ended     []states.Run // the last that ended, if none is active
	More      bool
	err       error
}

func (b *homeBody) title() string  { return "Home" }
func (b *homeBody) missing() error { return b.err }

// notice is one thing that needs attention, with where to look.
type notice struct {
	Kind string // "bad" or "note"
	Text string
	Link string
}

// active is how many active jobs the first page shows.
const active = 20

func (d *source) home(ctx context.Context, _ url.Values) (any, error) {
	b := new(homeBody)
	d.readAhead(ctx)
	queues, err := d.queues.get(ctx)
	if err = b.partly(err); err != nil {
		return nil, err
	}
	b.Queues = len(queues)
	for _, q := range queues {
		b.Depths.Waiting += q.Waiting
		b.Depths.Held += q.Held
		b.Depths.Delayed += q.Delayed
		b.Depths.Retrying += q.Retrying
		b.Depths.Running += q.Running
		if q.Unserved {
			b.warn("bad", link("queues"), "Queue %s has tasks that no live worker serves.", q.Name)
		}
	}
	workers, err := d.workers.get(ctx)
	if err = b.partly(err); err != nil {
		return nil, err
	}
	b.Workers = len(workers)
	for _, w := range workers {
		b.Slots, b.Busy = b.Slots+w.Concurrency, b.Busy+w.Busy
		if w.Overdue {
			b.warn("bad", link("workers"), "Worker %s has not been heard from. Others take its tasks soon.", w.Name)
		}
	}
	if len(workers) == 0 {
		b.warn("bad", link("workers"), "No worker is alive: nothing runs.")
	}
	done, err := d.done.get(ctx)
	if err = b.partly(err); err != nil {
		return nil, err
	}
	b.Chart = newChart("All queues", spans[0], done, everything)
	if err := d.lostLately(ctx, b); err != nil {
		return nil, err
	}
	if err := d.failedLately(ctx, b); err != nil {
		return nil, err
	}
	pauses, err := d.pauses.get(ctx)
	if err = b.partly(err); err != nil {
		return nil, err
	}
	if pauses.Mode == syncjob.ModeReadOnly {
		b.warn("note", link("pauses"), "The namespace is read-only: most tasks wait.")
	}
	for _, p := range pauses.Pauses {
		text := p.Scope.String() + " is paused since " + when{p.Since, time.Now()}.Text()
		if p.By != "" {
			text += " by " + p.By
		}
		if p.Reason != "" {
			text += ": " + p.Reason
		}
		b.warn("note", link("pauses"), "%s", strings.ToUpper(text[:1])+text[1:])
	}
	return b, d.activeRuns(ctx, b)
}

// readAhead reads at the same time what the first page shows: it is fresh then. Errors are met again by
// those who use it.
func (d *source) readAhead(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { _, _ = d.queues.get(ctx) })
	all.Go(func() { _, _ = d.done.get(ctx) })
	all.Go(func() { _, _ = d.hour.get(ctx) })
	all.Wait()
}

// lostLately adds that workers were lost.
func (d *source) lostLately(ctx context.Context, b *homeBody) error {
	lost, err := d.lost.get(ctx)
	if err = b.partly(err); err != nil {
		return err
	}
	recent := 0
	for _, l := range lost {
		if !l.Back && time.Since(l.Ended) < time.Hour {
			recent++
		}
	}
	if recent > 0 {
		b.warn("bad", link("workers"), "%s lost within the last hour.", plural(recent, "worker"))
	}
	return nil
}

// failedLately adds what fails most.
func (d *source) failedLately(ctx context.Context, b *homeBody) error {
	groups, err := d.hour.get(ctx)
	if err = b.partly(err); err != nil {
		return err
	}
	for _, g := range groups.Groups[:min(3, len(groups.Groups))] {
		b.warn("bad", link("failing"), "%s of %s / %s failed within the last hour: %s",
			plural(g.Count, "task"), g.Set, g.Kind, g.Error)
	}
	return nil
}

// activeRuns adds the runs that changed last, and says which stand still.
func (d *source) activeRuns(ctx context.Context, b *homeBody) error {
	options := &syncjob.RunsOptions{Statuses: syncjob.ActiveStatuses, Limit: active + 1}
	for s, err := range d.m.Runs(ctx, options) {
		if err != nil {
			return b.partly(err)
		}
		if b.More = len(b.Active) == active; b.More {
			break
		}
		b.Active = append(b.Active, s)
	}
	if len(b.Active) == 0 {
		if err := d.endedRuns(ctx, b); err != nil {
			return err
		}
	}
	still, err := d.still.get(ctx)
	if err = b.partly(err); err != nil {
		return err
	}
	for _, s := range still {
		b.warn("note", link("run", "job", s.Job, "run", fmt.Sprint(s.Number)),
			"Run %d of %s has not moved for %s, and %s wait.", s.Number, s.Job, took(time.Since(s.Moved)),
			plural(s.Counts.Pending, "task"))
	}
	held, err := d.held.get(ctx)
	if err = b.partly(err); err != nil {
		return err
	}
	for _, s := range held {
		b.warn("bad", link("run", "job", s.Job, "run", fmt.Sprint(s.Number)),
			"Run %d of %s is held for what failed, until somebody retries, discards or accepts it.", s.Number, s.Job)
	}
	late, err := d.late.get(ctx)
	if err = b.partly(err); err != nil {
		return err
	}
	for _, s := range late {
		text := "late since " + when{s.NextDue, time.Now()}.Text()
		if s.Problem != "" {
			text = s.Problem
		}
		b.warn("bad", link("job", "job", s.Name), "Job %s is not started when it is due: %s", s.Name, text)
	}
	return nil
}

// endedRuns adds the last runs that ended.
func (d *source) endedRuns(ctx context.Context, b *homeBody) error {
	options := &syncjob.RunsOptions{Statuses: syncjob.FinalStatuses, Limit: maxNamed}
	list, _, missing, err := take(d.m.Runs(ctx, options), func(states.Run) string { return "" })
	if b.Ended = list; missing != nil {
		b.err = missing
	}
	return err
}

func (b *homeBody) warn(kind, to, format string, args ...any) {
	b.Attention = append(b.Attention, notice{Kind: kind, Link: to, Text: fmt.Sprintf(format, args...)})
}

// partly keeps an error that only names what is missing, and returns others.
func (b *homeBody) partly(err error) error { return keepPartly(&b.err, err) }
