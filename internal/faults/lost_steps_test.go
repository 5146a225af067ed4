package faults

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// A firm has all in flight that takes more than one step, but for staged children: uploads in
// chunks under a hold, redrives, a schedule, a counter from outside, and what tasks write to
// counters and lists. Each of its users goes on until it knows that its work is done, as users do,
// and then compares what is there with what it did.
type firm struct {
	m      *syncjob.Manager
	counts handlers.Counter
	parts  handlers.List[int]
	steps  tally         // of uploads and redrives
	beats  tally         // runs of the schedule
	over   chan struct{} // closed when the server has lost for the last time

	mu       sync.Mutex
	ran      map[string]map[int]bool // parts by job
	problems []error
}

const (
	uploadParts = 900 // four chunks
	rejects     = 300 // two chunks of a redrive
	beatEvery   = 40 * time.Millisecond
	// attention is how long a user waits for a run before looking what became of it.
	attention = 2 * time.Second
)

type (
	firmPart   struct{ Part int }
	firmReject struct{ Part int }
	firmBeat   struct{}
)

func (firmPart) Kind() string   { return "part" }
func (firmReject) Kind() string { return "reject" }
func (firmBeat) Kind() string   { return "beat" }

func (f *firm) registry() (*handlers.Registry, error) {
	s := handlers.NewSet("firm", handlers.SetConfig{})
	f.counts, f.parts = handlers.NewCounter(s, "parts"), handlers.NewList[int](s, "parts", nil)
	handlers.Handle(s, func(_ context.Context, t *handlers.Task[firmPart]) error {
		f.note(t.Run.ID().Job, t.Args.Part)
		f.counts.Add(t, 1)
		return f.parts.Append(t, t.Args.Part)
	}, nil)
	handlers.Handle(s, func(ctx context.Context, t *handlers.Task[firmReject]) error {
		source, err := t.Run.RedriveSource()
		if err != nil || source == 0 {
			return handlers.Permanent(errors.Join(errors.New("rejected"), err))
		}
		if t.Args.Part%10 == 0 {
			f.steps.add()
		}
		f.note(fmt.Sprint(t.Run.ID().Number), t.Args.Part)
		return nil
	}, nil)
	handlers.Handle(s, func(context.Context, *handlers.Task[firmBeat]) error {
		f.beats.add()
		return nil
	}, nil)
	return handlers.NewRegistry(s)
}

func (f *firm) note(job string, part int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ran[job] == nil {
		f.ran[job] = make(map[int]bool)
	}
	f.ran[job][part] = true
}

func (f *firm) did(job string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.ran[job])
}

// wrong notes what a user found that must not be.
func (f *firm) wrong(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.problems = append(f.problems, fmt.Errorf(format, args...))
}

func (f *firm) closed() bool {
	select {
	case <-f.over:
		return true
	default:
		return false
	}
}

// finished waits for a run as long as a user is patient. It reports false if there is nothing final
// to look at.
func finished(ctx context.Context, run *syncjob.Run) (states.Run, bool) {
	ctx, cancel := context.WithTimeout(ctx, attention)
	defer cancel()
	state, err := run.Wait(ctx)
	return state, err == nil && state.Status.Final()
}

// uploads begins jobs into which it uploads parts, until the server has lost for the last time.
// What had ended may not have ended then: so it looks after each once more.
func (f *firm) uploads(ctx context.Context, who int) {
	var jobs []string
	for !f.closed() && ctx.Err() == nil {
		jobs = append(jobs, fmt.Sprintf("upload/%d/%d", who, len(jobs)))
		f.upload(ctx, jobs[len(jobs)-1])
	}
	for _, job := range jobs {
		if run, state := f.upload(ctx, job); run != nil {
			f.compareUpload(ctx, run, &state)
		}
	}
}

// upload repeats the same sequence under the same hold until the job's run has ended. It returns
// none if ctx ends.
func (f *firm) upload(ctx context.Context, job string) (*syncjob.Run, states.Run) {
	for ctx.Err() == nil {
		run, err := f.m.Start(
			ctx, syncjob.Job{Name: job, Set: "firm", Open: true},
			&syncjob.StartOptions{Key: job, IfActive: syncjob.IfActiveJoin},
		)
		if err != nil {
			continue
		}
		_, _ = run.EnqueueAll(ctx, f.sequence(), &enqueue.AllOptions{Hold: "upload", Seal: true})
		if state, ok := finished(ctx, run); ok {
			return run, state
		}
	}
	return nil, states.Run{}
}

func (f *firm) sequence() iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for i := range uploadParts {
			if i%50 == 0 {
				f.steps.add()
			}
			if !yield(enqueue.Task(firmPart{i}, &enqueue.Options{ID: fmt.Sprint(i), IDFor: time.Hour}), nil) {
				return
			}
		}
	}
}

// compareUpload requires of a run that has ended that all parts are there, each once, and all that
// their tasks wrote.
func (f *firm) compareUpload(ctx context.Context, run *syncjob.Run, state *states.Run) {
	want := states.Counts{Total: uploadParts, Succeeded: uploadParts}
	if state.Status != states.Succeeded || state.Counts != want || f.did(run.Job()) != uploadParts {
		f.wrong("%s is %s with %+v, and %d parts ran", run.Job(), state.Status, state.Counts, f.did(run.Job()))
	}
	if n := state.Counters["parts"]; n != uploadParts {
		f.wrong("%s counts %d parts", run.Job(), n)
	}
	var listed []int
	id := store.RunID{Job: run.Job(), Number: run.Number()}
	for part, err := range values.NewList[int](f.m.Values(), store.RunScope(id), "parts").Range(ctx, 0) {
		if err != nil {
			f.wrong("list of %s: %w", run.Job(), err)
			return
		}
		listed = append(listed, part)
	}
	slices.Sort(listed)
	if len(listed) != uploadParts || len(slices.Compact(listed)) != uploadParts {
		f.wrong("%s lists %d parts", run.Job(), len(listed))
	}
}

// redrives runs what failed once more, again and again, until the server has lost for the last
// time, and then looks after each once more.
func (f *firm) redrives(ctx context.Context, failed *syncjob.Run) {
	n := 0
	for ; !f.closed() && ctx.Err() == nil; n++ {
		f.redrive(ctx, failed, n)
	}
	for key := range n {
		run, state := f.redrive(ctx, failed, key)
		want := states.Counts{Total: rejects, Succeeded: rejects}
		if run != nil && (state.Counts != want || f.did(fmt.Sprint(run.Number())) != rejects) {
			f.wrong("redrive %d is %s with %+v, and %d parts ran", key, state.Status, state.Counts, f.did(fmt.Sprint(run.Number())))
		}
	}
}

// redrive asks for the same redrive until it has ended. It returns none if ctx ends.
func (f *firm) redrive(ctx context.Context, failed *syncjob.Run, key int) (*syncjob.Run, states.Run) {
	for ctx.Err() == nil {
		run, err := failed.Redrive(ctx, &syncjob.RedriveOptions{Key: fmt.Sprint(key)})
		if err != nil {
			continue
		}
		if state, ok := finished(ctx, run); ok {
			return run, state
		}
	}
	return nil, states.Run{}
}

// adds counts from outside: no more is there than was added, and what is added when nothing is lost
// any more is there.
func (f *firm) adds(ctx context.Context) {
	counter := values.NewCounter(f.m.Values(), store.JobScope("beats"), "visits")
	tried := int64(0)
	for ; !f.closed() && ctx.Err() == nil; tried++ {
		_, _ = counter.Add(ctx, 1)
	}
	before, err := counter.Get(ctx)
	if err != nil || before > tried {
		f.wrong("%d visits are counted, %v, where %d were added", before, err, tried)
	}
	for range 100 {
		if _, err := counter.Add(ctx, 1); err != nil {
			f.wrong("count a visit: %w", err)
		}
	}
	if after, err := counter.Get(ctx); err != nil || after != before+100 {
		f.wrong("%d visits are counted, %v, where %d and 100 were", after, err, before)
	}
}

// compareBeats requires that no due time stands twice.
func (f *firm) compareBeats(t *testing.T) {
	runs, err := f.m.JobRuns(t.Context(), "beats")
	require.NoError(t, err)
	due := make(map[int64]bool)
	for _, run := range runs {
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.False(t, due[state.Due.UnixNano()], "%v stands twice", state.Due)
		due[state.Due.UnixNano()] = true
	}
	require.NotEmpty(t, due)
}

// acknowledgedStepsLost has a server lose what it acknowledged while uploads, redrives, schedules
// and values are in flight. In the end each has all that its users were told, and nothing hangs.
func acknowledgedStepsLost(t *testing.T) { eachLoss(t, loseSteps) }

func loseSteps(t *testing.T, server *forgetful, random *rand.Rand) {
	f := &firm{ran: make(map[string]map[int]bool), over: make(chan struct{})}
	reg, err := f.registry()
	require.NoError(t, err)
	namespace := redistest.Namespace()
	var ms []*syncjob.Manager
	for range 2 {
		opened, err := redisstore.Open(t.Context(), server.url, redisstore.Config{Namespace: namespace, SweepInterval: sweepInterval})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, opened.Close()) })
		m, err := syncjob.New(opened, syncjob.Config{Registry: reg})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		ms = append(ms, m)
	}
	f.m = ms[0]
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	stop := staff(t, ms...)
	failed := f.reject(ctx, t)
	_, err = f.m.Ensure(ctx, syncjob.Job{
		Name: "beats", Set: "firm", Root: firmBeat{},
		Schedule: &schedule.Schedule{Every: beatEvery, FireOnCreate: true},
	})
	require.NoError(t, err)
	await := func(what string, reached <-chan struct{}) {
		t.Helper()
		select {
		case <-reached:
		case <-ctx.Done():
			t.Fatalf("%s do not go on", what)
		}
	}
	await("due times", f.beats.more(1))
	if server.blows == 1 {
		requireInStep(t, server.serving())
	} else {
		server.mark() // what the users look back to is there
	}

	w := server.world(t, namespace, f.m)
	w.witness, w.m, w.url, w.lease, w.lossy = newWitness(t), f.m, server.url, 3*shortLease, true
	desk := w.atDesk()
	crew := []*process{w.worker(1), w.worker(1)}
	users := lifecycle.New(ctx)
	for who := range 3 {
		users.Go(func(ctx context.Context) { f.uploads(ctx, who) })
	}
	users.Go(func(ctx context.Context) { f.redrives(ctx, failed) })
	users.Go(f.adds)
	for range server.blows {
		await("users", f.steps.more(10+random.IntN(40)))
		server.mark()
		await("users", f.steps.more(1+random.IntN(40)))
		server.lose()
	}
	close(f.over)
	users.Wait()
	require.NoError(t, ctx.Err(), "users are still at it")
	await("due times", f.beats.more(3))
	require.Empty(t, f.problems)
	f.compareBeats(t)
	stop()
	desk.close()
	for _, p := range crew {
		p.drain()
	}
	w.requireBalanced()
}

// reject makes a run all of whose tasks fail.
func (f *firm) reject(ctx context.Context, t *testing.T) *syncjob.Run {
	run, err := f.m.Start(ctx, syncjob.Job{Name: "rejects", Set: "firm", Open: true}, nil)
	require.NoError(t, err)
	_, err = run.EnqueueAll(ctx, func(yield func(enqueue.Item, error) bool) {
		for i := range rejects {
			if !yield(enqueue.Task(firmReject{i}, nil), nil) {
				return
			}
		}
	}, &enqueue.AllOptions{Seal: true})
	require.NoError(t, err)
	state, err := run.Wait(ctx)
	require.NoError(t, err)
	require.EqualValues(t, rejects, state.Counts.Failed)
	return run
}
