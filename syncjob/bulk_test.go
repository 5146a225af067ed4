package syncjob_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// bulkCalls are all calls on many jobs.
func bulkCalls(m *syncjob.Manager) map[string]func(context.Context, *syncjob.BulkOptions) (states.BulkResult, error) {
	return map[string]func(context.Context, *syncjob.BulkOptions) (states.BulkResult, error){
		"stop": m.StopAll, "enable": m.EnableAll, "pause": m.PauseAll, "resume": m.ResumeAll, "retry": m.RetryAll, "discard": m.DiscardAll,
	}
}

// estate has jobs of all types of two tenants: of each 12 runs with a task that waits, one run with
// 3 failed tasks that is open, one run that has ended, a standing job and a periodic one.
func estate(t *testing.T, m *syncjob.Manager, b *brittle) {
	t.Helper()
	job := func(tenant, name string) syncjob.Job {
		return syncjob.Job{Name: tenant + "/" + name, Set: "tree", Labels: map[string]string{"tenant": tenant}, Open: true}
	}
	stop := work(t, m, syncjob.WorkerConfig{})
	for _, tenant := range []string{"blue", "red"} {
		failing, err := m.Start(t.Context(), job(tenant, "failing"), nil)
		require.NoError(t, err)
		_, err = failing.EnqueueAll(t.Context(), leaves(3), nil)
		require.NoError(t, err)
		b.until(t, failing, func(c states.Counts) bool { return c.Failed == 3 })
		ended, err := m.Start(t.Context(), job(tenant, "ended"), nil)
		require.NoError(t, err)
		require.NoError(t, ended.Seal(t.Context()))
		_, err = ended.Wait(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, stop())
	for _, tenant := range []string{"blue", "red"} {
		for i := range 12 {
			j := job(tenant, fmt.Sprintf("run-%02d", i))
			j.Open, j.Root = false, leaf{}
			_, err := m.Start(t.Context(), j, nil)
			require.NoError(t, err)
		}
		_, err := m.Ensure(t.Context(), job(tenant, "standing"))
		require.NoError(t, err)
		periodic := job(tenant, "periodic")
		periodic.Open, periodic.Root, periodic.Schedule = false, leaf{}, &schedule.Schedule{Every: time.Hour}
		_, err = m.Ensure(t.Context(), periodic)
		require.NoError(t, err)
	}
}

// outcomes are the numbers of a result, and those of its jobs that Progress told of at their ends.
func outcomes(r states.BulkResult) []int {
	return []int{r.Matched, r.Changed, r.Already, r.Passed, r.Failed, int(r.Tasks)}
}

func TestACallOnManyJobsDoesWhatItsDryRunSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, reg := newBrittle(t, handlers.NoRetries)
		requireDryRunsTell(t, managerOn(t, memstore.New(&memstore.Options{Partitions: 4}), reg), b)
	})
}

func TestACallOnManyJobsDoesWhatItsDryRunSaysOnRedis(t *testing.T) {
	server, namespace := redistest.Shared(t)
	b, reg := newBrittle(t, handlers.NoRetries)
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Registry: reg, Namespace: namespace})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	requireDryRunsTell(t, m, b)
}

func requireDryRunsTell(t *testing.T, m *syncjob.Manager, b *brittle) {
	t.Helper()
	estate(t, m, b)
	ctx := syncjob.WithReason(syncjob.WithActor(t.Context(), "ann"), "a drill")
	red := syncjob.JobsOptions{Labels: map[string]string{"tenant": "red"}}
	calls := bulkCalls(m)
	for _, step := range []struct {
		call   string
		first  []int // matched, changed, already, passed, failed, tasks
		repeat []int
	}{
		{"pause", []int{16, 14, 0, 2, 0, 12}, []int{16, 0, 14, 2, 0, 0}},
		{"resume", []int{16, 14, 0, 2, 0, 12}, []int{16, 0, 14, 2, 0, 0}},
		{"retry", []int{16, 1, 0, 15, 0, 3}, []int{16, 0, 0, 16, 0, 0}},
		{"stop", []int{16, 15, 0, 1, 0, 15}, []int{16, 0, 15, 1, 0, 0}},
		{"enable", []int{16, 2, 0, 14, 0, 0}, []int{16, 0, 2, 14, 0, 0}},
	} {
		for _, want := range [][]int{step.first, step.repeat} {
			lines := len(story(t, m, nil))
			dry, err := calls[step.call](ctx, &syncjob.BulkOptions{Jobs: red, DryRun: true})
			require.NoError(t, err)
			require.True(t, dry.DryRun)
			require.Len(t, story(t, m, nil), lines, "a dry run changes nothing")
			var told []states.BulkJob
			var last states.BulkResult
			got, err := calls[step.call](ctx, &syncjob.BulkOptions{
				Jobs: red, Progress: func(j states.BulkJob, sum states.BulkResult) {
					if last = sum; j.Did != "" {
						told = append(told, j)
					}
				},
			})
			require.NoError(t, err)
			require.Equal(t, want, outcomes(got), step.call)
			require.Equal(t, want, outcomes(dry), "the dry run of %s", step.call)
			require.Equal(t, got, last)
			require.Len(t, told, got.Matched)
			changed := make(map[string]bool)
			for _, j := range told {
				require.Regexp(t, "^red/", j.Job)
				changed[j.Job] = j.Did == states.BulkChanged
			}
			touched := make(map[string]bool)
			for e, err := range m.Audit(ctx, nil) {
				require.NoError(t, err)
				if e.Operation == got.Operation {
					require.Equal(t, []string{"ann", "a drill"}, []string{e.By, e.Reason})
					require.True(t, changed[e.Job])
					touched[e.Job] = true
				}
			}
			require.Len(t, touched, got.Changed, "each job that changed has its entry")
		}
	}
	for s, err := range m.Jobs(ctx, &syncjob.JobsOptions{Prefix: "blue/"}) {
		require.NoError(t, err)
		require.False(t, s.Disabled)
		if s.Run != nil {
			require.NotEqual(t, states.Stopped, s.Run.Status, s.Name)
			require.False(t, s.Run.Paused)
		}
	}
	discarded, err := m.DiscardAll(ctx, &syncjob.BulkOptions{Kinds: []string{"leaf"}})
	require.NoError(t, err)
	require.EqualValues(t, 3, discarded.Tasks, "those of the other tenant")
}

func TestACallOnManyJobsNeedsAFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, reg := newBrittle(t, handlers.NoRetries)
		m := manager(t, reg)
		estate(t, m, b)
		lines := story(t, m, nil)
		for name, call := range bulkCalls(m) {
			for field, o := range map[string]*syncjob.BulkOptions{
				"All":           nil,
				"All.":          {Jobs: syncjob.JobsOptions{After: "a", Details: true}},
				"Jobs.Group":    {Jobs: syncjob.JobsOptions{Group: "nonsense"}},
				"Jobs.Set":      {Jobs: syncjob.JobsOptions{Set: "a/b"}},
				"Jobs.ByChange": {Jobs: syncjob.JobsOptions{ByChange: true}, All: true},
				"Rate":          {All: true, Rate: -1},
				"Kinds[0]":      {All: true, Kinds: []string{"a/b"}},
				"Kinds":         {All: true, Kinds: []string{"leaf"}},
				"Graceful":      {All: true, Graceful: true},
			} {
				if field == "Kinds" && (name == "retry" || name == "discard") || field == "Graceful" && name == "stop" {
					continue
				}
				got, err := call(t.Context(), o)
				var bad *syncjob.FieldError
				require.ErrorAs(t, err, &bad, "%s %s", name, field)
				require.Equal(t, field, bad.Field+map[bool]string{true: "."}[field == "All."], name)
				require.Zero(t, got)
			}
		}
		require.Equal(t, lines, story(t, m, nil), "nothing was changed")
		all, err := m.PauseAll(t.Context(), &syncjob.BulkOptions{All: true})
		require.NoError(t, err)
		require.Equal(t, []int{32, 28, 0, 4, 0, 24}, outcomes(all))
	})
}

func TestTheFilterOfACallOnManyJobsIsThatOfTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, reg := newBrittle(t, handlers.NoRetries)
		b.onFailure = syncjob.OnFailureHold
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 4}), reg)
		estate(t, m, b)
		stop := work(t, m, syncjob.WorkerConfig{})
		held := b.standing(t, m, 2)
		require.NoError(t, held.Seal(t.Context()))
		synctest.Wait()
		require.NoError(t, stop())
		for name, o := range map[string]syncjob.JobsOptions{
			"prefix": {Prefix: "red/run-0"}, "group": {Group: syncjob.GroupStanding}, "periodic": {Group: syncjob.GroupPeriodic},
			"status": {Statuses: []states.Status{states.Running}}, "active": {Group: syncjob.GroupActive},
			"labels": {Labels: map[string]string{"tenant": "blue"}}, "set": {Set: "tree"}, "no set": {Set: "other"},
			"held": {Held: true}, "behind": {Prefix: "red/", After: "red/run-03"}, "finished": {Group: syncjob.GroupFinished},
		} {
			var listed, told []string
			for s, err := range m.Jobs(t.Context(), &o) {
				require.NoError(t, err)
				listed = append(listed, s.Name)
			}
			got, err := m.PauseAll(t.Context(), &syncjob.BulkOptions{
				Jobs: o, DryRun: true, Progress: func(j states.BulkJob, _ states.BulkResult) { told = append(told, j.Job) },
			})
			require.NoError(t, err)
			require.Equal(t, listed, told, name)
			require.Len(t, listed, got.Matched, name)
			require.Equal(t, name == "no set", len(listed) == 0, name)
			require.Less(t, len(listed), 33, name)
		}
	})
}

func TestACallOnManyJobsKeepsItsRateAndARepeatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, reg := newBrittle(t, handlers.NoRetries)
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 4}), reg)
		estate(t, m, b)
		runs := syncjob.BulkOptions{Jobs: syncjob.JobsOptions{Prefix: "red/run-"}, Rate: 2}
		ctx, cancel := context.WithTimeout(t.Context(), 2750*time.Millisecond)
		defer cancel()
		got, err := m.StopAll(ctx, &runs)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, []int{6, 6, 0, 0, 0, 6}, outcomes(got), "one at once, and one each half second")
		got, err = m.StopAll(t.Context(), &runs)
		require.NoError(t, err)
		require.Equal(t, []int{12, 6, 6, 0, 0, 6}, outcomes(got))

		failing := syncjob.BulkOptions{Jobs: syncjob.JobsOptions{Prefix: "red/failing"}, Rate: 1}
		began := time.Now()
		got, err = m.RetryAll(t.Context(), &failing)
		require.NoError(t, err)
		require.Equal(t, []int{1, 1, 0, 0, 0, 3}, outcomes(got))
		require.Equal(t, 3*time.Second, time.Since(began))
	})
}

// moving is a store in which something happens between the reading of a job and the call that
// changes it.
type moving struct {
	store.Store
	meanwhile func(job string)
}

func (s *moving) Job(ctx context.Context, job string) (store.JobRecord, error) {
	if do := s.meanwhile; do != nil {
		do(job)
	}
	return s.Store.Job(ctx, job)
}

func (s *moving) SetRunPaused(ctx context.Context, id store.RunID, paused bool) error {
	if do := s.meanwhile; do != nil {
		do("call " + id.Job)
	}
	return s.Store.SetRunPaused(ctx, id, paused)
}

func TestACallOnManyJobsTouchesWhatTheFilterSelectsAtThatMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, reg := newBrittle(t, handlers.NoRetries)
		s := &moving{Store: memstore.New(nil)}
		m := managerOn(t, s, reg)
		estate(t, m, b)
		other := managerOn(t, s.Store, reg)
		s.meanwhile = func(job string) {
			switch job {
			case "red/run-01": // it is not active any more
				require.NoError(t, other.Stop(t.Context(), job, nil))
			case "red/run-02": // it is gone
				require.NoError(t, other.Stop(t.Context(), job, nil))
				require.NoError(t, other.Delete(t.Context(), job))
			case "call red/run-03": // it is not active any more, and has another run
				require.NoError(t, other.Stop(t.Context(), "red/run-03", nil))
				_, err := other.Start(t.Context(), syncjob.Job{Name: "red/run-03", Set: "tree", Root: leaf{}}, nil)
				require.NoError(t, err)
			case "call red/run-04": // somebody was faster
				require.NoError(t, other.PauseJob(t.Context(), "red/run-04"))
			}
		}
		got, err := m.PauseAll(t.Context(), &syncjob.BulkOptions{
			Jobs: syncjob.JobsOptions{Prefix: "red/run-", Group: syncjob.GroupActive},
		})
		require.NoError(t, err)
		require.Equal(t, []int{11, 9, 0, 2, 0, 9}, outcomes(got), "of 12, one is not selected, one is gone, and one has ended")
		state, err := other.State(t.Context(), "red/run-03")
		require.NoError(t, err)
		require.False(t, state.Run.Paused, "the later run")
	})
}

// falling is a store of which a partition stops answering when a run of it is to be paused, once it
// has paused some.
type falling struct {
	*shard
	left int
}

func (s *falling) SetRunPaused(ctx context.Context, id store.RunID, paused bool) error {
	if store.PartitionOf(id.Job, s.Partitions()) == 2 {
		if s.left--; s.left < 0 {
			s.dead = 2
			return store.Transient(errCut)
		}
	}
	return s.Store.SetRunPaused(ctx, id, paused)
}

func TestACallOnManyJobsNamesAPartitionThatDoesNotAnswerAndDoesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &falling{&shard{Store: memstore.New(&memstore.Options{Partitions: 4}), dead: -1}, 1000}
		m := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
		in := make([]int, 4)
		for i := range 40 {
			job := syncjob.Job{Name: fmt.Sprint("job ", i), Set: "tree", Root: leaf{}}
			in[store.PartitionOf(job.Name, 4)]++
			_, err := m.Start(t.Context(), job, nil)
			require.NoError(t, err)
		}
		others := 40 - in[2]
		require.Greater(t, in[2], 4)
		all := &syncjob.BulkOptions{All: true}
		var partial *syncjob.PartialError

		s.dead = 2
		got, err := m.PauseAll(t.Context(), all)
		require.ErrorAs(t, err, &partial)
		require.Equal(t, []int{2}, partial.Partitions)
		require.Equal(t, []int{others, others, 0, 0, 0, others}, outcomes(got))
		s.dead = -1
		got, err = m.PauseAll(t.Context(), all)
		require.NoError(t, err)
		require.Equal(t, []int{40, in[2], others, 0, 0, in[2]}, outcomes(got))

		s.left = 3 // and it falls amid the call
		began := time.Now()
		got, err = m.ResumeAll(t.Context(), all)
		require.ErrorAs(t, err, &partial)
		require.ErrorIs(t, err, errCut)
		require.Equal(t, []int{2}, partial.Partitions)
		require.Equal(t, []int{others + 4, others + 3, 0, 0, 1, others + 4}, outcomes(got))
		require.Len(t, got.Failures, 1)
		require.Equal(t, states.BulkFailed, got.Failures[0].Did)
		require.Contains(t, got.Failures[0].Error, errCut.Error())
		require.LessOrEqual(t, time.Since(began), 35*time.Second, "one call was repeated")
		s.dead, s.left = -1, 1000
		got, err = m.ResumeAll(t.Context(), all)
		require.NoError(t, err)
		require.Equal(t, []int{40, in[2] - 3, others + 3, 0, 0, in[2] - 3}, outcomes(got))
	})
}

// unpausable is a store that refuses to pause some runs.
type unpausable struct{ store.Store }

func (s *unpausable) SetRunPaused(ctx context.Context, id store.RunID, paused bool) error {
	if id.Job > "job 3" {
		return store.ErrOutOfMemory
	}
	return s.Store.SetRunPaused(ctx, id, paused)
}

func TestACallOnManyJobsGoesOnBehindOnesThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, &unpausable{memstore.New(nil)}, set(t, handlers.SetConfig{}, noop))
		for i := range 150 {
			_, err := m.Start(t.Context(), syncjob.Job{Name: fmt.Sprint("job ", i), Set: "tree", Root: leaf{}}, nil)
			require.NoError(t, err)
		}
		got, err := m.PauseAll(t.Context(), &syncjob.BulkOptions{All: true})
		require.ErrorIs(t, err, store.ErrOutOfMemory)
		require.ErrorContains(t, err, "pause all: 76 of 150 jobs failed: ")
		require.Equal(t, []int{150, 74, 0, 0, 76, 150}, outcomes(got))
		require.Len(t, got.Failures, 76)
	})
}
