package faults

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// A desk is where people work on runs by hand while a row plays. Each of its runs is held on
// failure, and has chores of every fate: they are cancelled, hastened, expire, fail, are retried
// and discarded, while its workers are made quiet and drained. Whoever is at the desk goes on with
// a run until it has ended, as people do, and compares what became of it with what was done to it.
type desk struct {
	w      *world
	m      *syncjob.Manager
	group  *lifecycle.Group
	stop   chan struct{}
	runs   int // that ended
	err    error
	mended map[string]bool // jobs whose broken chores are
	lossy  bool            // the server loses what was done: it is compared when that is over
}

// chore is a task of a desk.
type chore struct {
	Job  string
	N    int
	Fate fate
}

func (chore) Kind() string { return "chore" }

func (c chore) id() string { return fmt.Sprintf("chore-%d", c.N) }

// mended is what a ledger counts once a broken chore may succeed.
func (c chore) mended() string { return fmt.Sprintf("%s/%d/mended", c.Job, c.N) }

// mendedHook is what a ledger counts once the post-job hook of a job may pass.
func mendedHook(job string) string { return job + "/hook/mended" }

type fate string

const (
	plain    fate = "plain"    // succeeds
	broken   fate = "broken"   // fails until it is mended, and is retried then
	hopeless fate = "hopeless" // fails, and is discarded
	later    fate = "later"    // waits for an hour, until it is hastened
	dropped  fate = "dropped"  // waits for an hour, until it is cancelled
	stuck    fate = "stuck"    // runs until it is cancelled
	stale    fate = "stale"    // has expired when it is enqueued
)

// fates are how many chores a run has of each.
var fates = []struct {
	fate
	n int
}{{plain, 5}, {broken, 4}, {hopeless, 2}, {later, 2}, {dropped, 2}, {stuck, 1}, {stale, 2}}

// chores are those of a run with one of the fates, or all of them.
func chores(job string, of ...fate) (all []chore) {
	n := 0
	for _, f := range fates {
		for range f.n {
			if len(of) == 0 || slices.Contains(of, f.fate) {
				all = append(all, chore{job, n, f.fate})
			}
			n++
		}
	}
	return all
}

func idsOf(all []chore) (ids []string) {
	for _, c := range all {
		ids = append(ids, c.id())
	}
	return ids
}

const (
	deskSet   = "desk"
	deskQueue = "desk"
)

// deskRegistry has the handlers of chores.
func deskRegistry(l *ledger) (*handlers.Registry, error) {
	s := handlers.NewSet(deskSet, handlers.SetConfig{
		Attributes: handlers.Attributes{Queue: deskQueue, MaxDeliveries: 1000},
		Hooks: handlers.Hooks{PostJob: func(_ context.Context, r *handlers.Run) error {
			if mended, err := l.has(mendedHook(r.Job)); err != nil || !mended {
				return errors.Join(err, handlers.Permanent(errFails))
			}
			return nil
		}},
	})
	handlers.Handle(s, func(ctx context.Context, t *handlers.Task[chore]) error {
		switch t.Args.Fate {
		case broken:
			if mended, err := l.has(t.Args.mended()); err != nil || !mended {
				return errors.Join(err, handlers.Permanent(errFails))
			}
		case hopeless:
			return handlers.Permanent(errFails)
		case stuck:
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return t.SetResult(t.ID)
	}, nil)
	return handlers.NewRegistry(s)
}

// workAtDesk is a worker of chores, and another one whenever somebody drains it.
func workAtDesk(ctx context.Context, o order, l *ledger) error {
	registry, err := deskRegistry(l)
	if err != nil {
		return err
	}
	o.Name, o.Queues, o.Concurrency = deskOf(o.Name), []string{deskQueue}, 2
	return withManager(ctx, o, registry, func(m *syncjob.Manager) error {
		err := l.note(event{What: ready, Text: o.Name})
		for err == nil || errors.Is(err, syncjob.ErrDrained) {
			w, failed := o.worker(m)
			if failed != nil {
				return failed
			}
			if err = w.Run(ctx); err == nil {
				return nil
			}
		}
		return err
	})
}

// deskOf names the worker of chores of a process.
func deskOf(name string) string { return name + deskSuffix }

const deskSuffix = "-desk"

// atDesk opens a desk: each process that is enlisted from now on works for it, too.
func (w *world) atDesk() *desk {
	w.t.Helper()
	registry, err := deskRegistry(nil)
	require.NoError(w.t, err)
	m, err := syncjob.New(w.m.Store(), syncjob.Config{Registry: registry})
	require.NoError(w.t, err)
	d := &desk{w: w, m: m, group: lifecycle.New(w.t.Context()), stop: make(chan struct{}), lossy: w.lossy, mended: make(map[string]bool)}
	w.desk = d
	w.t.Cleanup(func() {
		d.group.Stop(errNoMore)
		require.NoError(w.t, m.Close())
	})
	d.group.Go(d.work)
	return d
}

// close ends the work when the present run has ended, and requires that all runs became what they
// should.
func (d *desk) close() {
	d.w.t.Helper()
	close(d.stop)
	d.group.Wait()
	d.w.desk = nil
	for n := 0; d.lossy && d.err == nil && n < d.runs; n++ { // what had ended may not have ended then
		run, err := d.handle(d.w.t.Context(), deskJob(n))
		if d.err = err; err == nil {
			d.err = d.compare(d.w.t.Context(), run)
		}
	}
	require.NoError(d.w.t, d.err, "at the desk")
	require.Positive(d.w.t, d.runs)
	d.w.t.Logf("%d runs were worked on by hand", d.runs)
}

func (d *desk) work(ctx context.Context) {
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for {
		job := deskJob(d.runs)
		run, err := d.handle(ctx, job)
		if err == nil && !d.lossy {
			err = d.compare(ctx, run)
		}
		if err != nil {
			d.err = fmt.Errorf("%s: %w", job, err)
			return
		}
		// Each failure was taken back: the run counts none of them, and the ledger all. A retry by hand
		// is one in the counts of the run only.
		if !d.lossy { // or nobody knows which failures are lost
			d.w.carryTo(&d.w.redone, job, settled{
				Failed: int64(len(chores(job, broken, hopeless))), Retried: -int64(len(chores(job, broken))),
			})
		}
		d.w.others += int64(len(chores(job, stale)) + 1)  // one is of the run that was accepted
		d.w.perhaps += int64(len(chores(job, stuck)) + 1) // which may be cancelled before it has begun
		d.runs++
		select {
		case <-d.stop:
			return
		case <-ctx.Done():
			return
		case <-pace.C:
		}
	}
}

func deskJob(n int) string { return fmt.Sprintf("desk-%d", n) }

// handle does everything to a run that is to be done to it, and to those beside it.
func (d *desk) handle(ctx context.Context, job string) (run *syncjob.Run, err error) {
	if run, err = d.until(ctx, job, d.step); err == nil {
		_, err = d.until(ctx, acceptedJob(job), d.accept)
	}
	if err == nil {
		_, err = d.until(ctx, overdueJob(job), d.overdue)
	}
	return run, err
}

// until does what is to be done to a run, and again, until it has ended.
func (d *desk) until(
	ctx context.Context, job string, step func(context.Context, string) (*syncjob.Run, error),
) (*syncjob.Run, error) {
	patient := 5 * attention
	if d.lossy {
		patient = attention
	}
	var last error
	for begun := time.Now(); time.Since(begun) < 2*patience; {
		some, cancel := context.WithTimeout(ctx, patient)
		run, err := step(some, job)
		cancel()
		if err == nil {
			return run, nil
		}
		if last = err; ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("%s does not end: %w", job, last)
}

// step does what is to be done to a run once.
func (d *desk) step(ctx context.Context, job string) (*syncjob.Run, error) {
	run, err := d.m.Start(ctx, syncjob.Job{Name: job, Set: deskSet, Open: true, OnFailure: syncjob.OnFailureHold},
		&syncjob.StartOptions{Key: job, IfActive: syncjob.IfActiveJoin})
	if err != nil {
		return nil, err
	}
	all := &enqueue.AllOptions{Hold: "desk", Seal: true}
	if _, err := run.EnqueueAll(ctx, itemsOf(chores(job)), all); err != nil && !errors.Is(err, syncjob.ErrRunFinished) {
		return nil, err
	}
	for _, c := range chores(job, later) {
		err := run.Task(c.id()).RunNow(ctx)
		if err != nil && !errors.Is(err, syncjob.ErrTaskNotDelayed) && !errors.Is(err, syncjob.ErrTaskNotFound) {
			return nil, err
		}
	}
	for _, c := range chores(job, dropped, stuck) {
		if _, err := run.Task(c.id()).Cancel(ctx); err != nil {
			return nil, err
		}
	}
	d.disturb(ctx)
	if err := d.mend(ctx, run); err != nil {
		return nil, err
	}
	if _, err := run.Retry(ctx, &syncjob.RetryOptions{IDs: idsOf(chores(job, broken))}); err != nil && !over(err) {
		return nil, err
	}
	if _, err := run.Discard(ctx, &syncjob.RetryOptions{IDs: idsOf(chores(job, hopeless))}); err != nil && !over(err) {
		return nil, err
	}
	return run, d.repeatHook(ctx, run)
}

// itemsOf are chores as they are enqueued.
func itemsOf(all []chore) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for _, c := range all {
			o := &enqueue.Options{ID: c.id(), IDFor: time.Hour}
			switch c.Fate {
			case later, dropped:
				o.Delay = time.Hour
			case stale:
				o.Expires = time.UnixMilli(1)
			}
			if !yield(enqueue.Task(c, o), nil) {
				return
			}
		}
	}
}

// mend waits until all that can fail has failed, and has what is broken succeed from then on.
func (d *desk) mend(ctx context.Context, run *syncjob.Run) error {
	if d.mended[run.Job()] {
		return nil
	}
	want := int64(len(chores(run.Job(), broken, hopeless)))
	for state, err := range run.Watch(ctx) {
		if err != nil {
			return err
		}
		if state.Counts.Failed == want {
			break
		}
	}
	ctx = context.WithoutCancel(ctx) // all of it, or some would never fail
	for _, c := range chores(run.Job(), broken) {
		if err := d.note(ctx, c.mended()); err != nil {
			return err
		}
	}
	d.mended[run.Job()] = true
	return nil
}

// disturb makes a worker of chores quiet, or drains it now and then, and has all of them go on.
func (d *desk) disturb(ctx context.Context) {
	workers, _ := d.m.Workers(ctx)
	workers = slices.DeleteFunc(workers, func(w states.Worker) bool { return !strings.HasSuffix(w.Name, deskSuffix) })
	if len(workers) > 0 {
		w := d.m.Worker(workers[d.runs%len(workers)].ID)
		if d.runs%4 == 3 {
			_ = w.Drain(ctx)
		} else {
			_ = w.Quiet(ctx)
		}
	}
	for _, w := range workers { // some may be gone by now
		_ = d.m.Worker(w.ID).Resume(ctx)
	}
}

// compare requires of a run that has ended what follows from what was done to it.
func (d *desk) compare(ctx context.Context, run *syncjob.Run) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	job := run.Job()
	state, err := run.State(ctx)
	if err != nil {
		return err
	}
	passed := chores(job, plain, broken, later)
	total := int64(len(chores(job)))
	want := states.Counts{Total: total, Succeeded: int64(len(passed)), Cancelled: total - int64(len(passed))}
	if state.Status != states.Succeeded || state.Counts != want {
		return fmt.Errorf("it is %s with %+v, and should be with %+v", state.Status, state.Counts, want)
	}
	var results []string
	for r, err := range run.Results(ctx, nil) {
		var text string
		if err == nil {
			err = r.Decode(&text)
		}
		if err != nil || text != r.ID {
			return fmt.Errorf("%s has the result %q: %w", r.ID, text, err)
		}
		results = append(results, r.ID)
	}
	if slices.Sort(results); !slices.Equal(results, slices.Sorted(slices.Values(idsOf(passed)))) {
		return fmt.Errorf("results are kept of %v", results)
	}
	for f, err := range run.Failures(ctx, nil) {
		return fmt.Errorf("a failure is left: %v %w", f, err)
	}
	return errors.Join(d.compareAudit(ctx, run), d.compareTimeline(ctx, run), d.compareBeside(ctx, job))
}
