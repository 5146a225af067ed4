package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// tasksOf lists tasks by ID.
func tasksOf(t *testing.T, run *syncjob.Run, o *syncjob.TasksOptions) map[string]states.TaskStatus {
	t.Helper()
	all := make(map[string]states.TaskStatus)
	for s, err := range run.Tasks(t.Context(), o) {
		require.NoError(t, err)
		all[s.ID] = s.State
	}
	return all
}

func add(t *testing.T, run *syncjob.Run, i int, o enqueue.Options) {
	t.Helper()
	_, err := run.Enqueue(t.Context(), leaf{I: i}, &o)
	require.NoError(t, err)
}

func TestTasksOfARunAreListedAndFoundWhereTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		reg := set(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[leaf]) error {
			switch task.ID {
			case "runs":
				task.Progress(ctx, 1, 2, "half")
				<-goOn
			case "fails":
				return handlers.Permanent(errors.New("broken"))
			case "retries":
				return handlers.RetryAfter(time.Hour, errors.New("not yet"))
			case "snoozes":
				return handlers.Snooze(2 * time.Hour)
			}
			return nil
		})
		m := manager(t, reg)
		stop := work(t, m, syncjob.WorkerConfig{Name: "w1", Concurrency: 2})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		began := time.Now()
		for i, id := range []string{"runs", "fails", "retries", "snoozes", "succeeds"} {
			add(t, run, i, enqueue.Options{ID: id})
		}
		add(t, run, 9, enqueue.Options{ID: "later", Delay: 3 * time.Hour})
		time.Sleep(30 * time.Second) // heartbeats tell what runs
		require.NoError(t, run.Pause(t.Context()))
		add(t, run, 10, enqueue.Options{ID: "waits"})

		want := map[string]states.TaskStatus{
			"runs": states.TaskRunning, "fails": states.TaskFailed, "retries": states.TaskRetrying, "snoozes": states.TaskDelayed,
			"later": states.TaskDelayed, "waits": states.TaskHeld,
		}
		require.Equal(t, want, tasksOf(t, run, nil))
		for id, where := range want {
			s, err := run.Task(id).State(t.Context())
			require.NoError(t, err)
			require.Equal(t, where, s.State, id)
			require.Equal(t, []any{"a", run.Number(), "leaf", "tree"}, []any{s.Job, s.Number, s.Kind, s.Set})
			require.Equal(t, map[string]states.TaskStatus{id: where}, pickID(tasksOf(t, run, &syncjob.TasksOptions{State: where}), id))
			var args leaf
			require.NoError(t, s.DecodeArgs(&args))
		}
		state := func(id string) states.Task {
			s, err := run.Task(id).State(t.Context())
			require.NoError(t, err)
			return s
		}
		require.True(t, began.Equal(state("runs").Since))
		require.Equal(t, "w1", state("runs").Worker)
		require.Equal(t, states.Progress{Done: 1, Total: 2, Message: "half"}, state("runs").Progress)
		require.Equal(t, "broken", state("fails").Error)
		require.Equal(t, "w1", state("fails").Worker)
		require.True(t, began.Add(time.Hour).Equal(state("retries").NextAttempt))
		require.True(t, began.Equal(state("retries").Since), "since its attempt ended")
		require.Equal(t, 2, state("retries").Attempt)
		require.True(t, began.Add(2*time.Hour).Equal(state("snoozes").NextAttempt))
		require.Equal(t, 1, state("snoozes").Attempt, "that it snoozed costs nothing")
		require.Empty(t, state("snoozes").Attempts)
		require.True(t, began.Add(3*time.Hour).Equal(state("later").NextAttempt))
		require.Zero(t, state("waits").NextAttempt)
		require.True(t, state("waits").Since.Equal(state("waits").Enqueued))
		for s, err := range run.Tasks(t.Context(), nil) {
			require.NoError(t, err)
			require.Nil(t, s.Payload, "it was not asked for")
		}
		_, err = run.Task("succeeds").State(t.Context())
		require.ErrorIs(t, err, syncjob.ErrTaskNotFound)
		require.EqualError(
			t,
			err,
			fmt.Sprintf(
				`task "succeeds" of run %d of job "a": task not found: it never was, has succeeded, or was discarded`,
				run.Number(),
			),
		)

		require.NoError(t, run.Stop(t.Context(), &syncjob.StopOptions{Graceful: true}))
		require.Equal(t, map[string]states.TaskStatus{"runs": states.TaskRunning, "fails": states.TaskFailed}, tasksOf(t, run, nil))
		close(goOn)
		require.NoError(t, stop())
		require.Equal(t, map[string]states.TaskStatus{"fails": states.TaskFailed}, tasksOf(t, run, nil))
		_, err = run.Task("waits").State(t.Context())
		require.ErrorIs(t, err, syncjob.ErrTaskNotFound, "it was discarded")
	})
}

func pickID(all map[string]states.TaskStatus, id string) map[string]states.TaskStatus {
	return map[string]states.TaskStatus{id: all[id]}
}

func TestATaskKeepsItsLastAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		reg := set(t, handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: 6}},
			func(_ context.Context, task *handlers.Task[leaf]) error {
				runs++
				if task.Args.I == 1 {
					return nil
				}
				time.Sleep(time.Duration(runs) * time.Second)
				return handlers.RetryAfter(time.Minute, fmt.Errorf("attempt %d\x1b[31m", runs))
			})
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{Name: "w1", Concurrency: 1})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		add(t, run, 0, enqueue.Options{ID: "t"})
		texts := func() (all []string) {
			s, err := run.Task("t").State(t.Context())
			require.NoError(t, err)
			for _, a := range s.Attempts {
				all = append(all, a.Error)
				require.Equal(t, "w1", a.Worker)
			}
			require.NotContains(t, s.String(), "\x1b", "what it says is safe to print")
			return all
		}
		time.Sleep(90 * time.Second) // the second attempt is over
		require.Equal(t, []string{"attempt 1\x1b[31m", "attempt 2\x1b[31m"}, texts())
		s, err := run.Task("t").State(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, s.Attempts[1].Took)
		require.True(t, s.Since.Equal(s.Attempts[1].Ended))
		require.True(t, s.NextAttempt.Equal(s.Attempts[1].Ended.Add(time.Minute)))
		time.Sleep(time.Hour)
		require.Equal(t, states.TaskFailed, tasksOf(t, run, nil)["t"])
		require.Equal(
			t, []string{"attempt 3\x1b[31m", "attempt 4\x1b[31m", "attempt 5\x1b[31m", "attempt 6\x1b[31m", "attempt 7\x1b[31m"}, texts(),
			"the last five, with that which failed it",
		)
		add(t, run, 1, enqueue.Options{ID: "other"})
		require.NoError(t, run.Seal(t.Context()))
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		again, err := run.Redrive(t.Context(), nil)
		require.NoError(t, err)
		s, err = again.Task("t").State(t.Context())
		require.NoError(t, err)
		require.Empty(t, s.Attempts, "it begins anew")
	})
}

func TestAnAttemptThatAWorkerDidNotFinishIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := set(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[leaf]) error {
			if task.Args.I == 0 {
				<-ctx.Done()
				return ctx.Err()
			}
			time.Sleep(time.Hour) // ignores its context
			return nil
		})
		m := manager(t, reg)
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		add(t, run, 0, enqueue.Options{ID: "heeds"})
		add(t, run, 1, enqueue.Options{ID: "ignores"})
		stop := work(t, m, syncjob.WorkerConfig{Name: "w1", Concurrency: 2, Grace: time.Second})
		time.Sleep(time.Minute)
		var stuck *syncjob.StuckError
		require.ErrorAs(t, stop(), &stuck)
		for id, want := range map[string]string{"heeds": "worker is shutting down", "ignores": "its worker died, or lost its lease"} {
			s, err := run.Task(id).State(t.Context())
			require.NoError(t, err)
			require.Equal(t, states.TaskWaiting, s.State)
			require.Equal(t, 1, s.Attempt, "it costs nothing")
			require.Len(t, s.Attempts, 1)
			require.Equal(t, []string{"w1", want}, []string{s.Attempts[0].Worker, s.Attempts[0].Error})
			require.GreaterOrEqual(t, s.Attempts[0].Took, time.Minute)
		}
		time.Sleep(time.Hour) // the handler returns
	})
}

func TestTasksAreReadByPages(t *testing.T) {
	m := manager(t, set(t, handlers.SetConfig{}, noop))
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	_, err = run.EnqueueAll(t.Context(), leaves(1234), nil)
	require.NoError(t, err)
	add(t, run, 0, enqueue.Options{ID: "elsewhere", Queue: "other"})
	seen := make(map[string]bool)
	for after := ""; ; {
		n := 0
		for s, err := range run.Tasks(t.Context(), &syncjob.TasksOptions{After: after, Limit: 100}) {
			require.NoError(t, err)
			require.False(t, seen[s.ID])
			seen[s.ID], after = true, s.Cursor
			n++
		}
		if n < 100 {
			break
		}
	}
	require.Len(t, seen, 1235)
	require.Len(t, tasksOf(t, run, nil), 1235)
	require.Equal(
		t,
		map[string]states.TaskStatus{"elsewhere": states.TaskWaiting},
		tasksOf(t, run, &syncjob.TasksOptions{Queue: "other"}),
	)
	require.Len(t, tasksOf(t, run, &syncjob.TasksOptions{Kind: "leaf", Limit: 7}), 7)
	require.Empty(t, tasksOf(t, run, &syncjob.TasksOptions{Kind: "node"}))
}

// A task that a worker fetches while it is sought among the waiting ones is found.
func TestATaskThatMovesWhileItIsSoughtIsFound(t *testing.T) {
	s := &movesFirst{Store: memstore.New(nil)}
	m := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	_, err = run.EnqueueAll(t.Context(), leaves(3000), nil)
	require.NoError(t, err)
	for s, err := range run.Tasks(t.Context(), nil) {
		require.NoError(t, err)
		_, err = run.Task(s.ID).State(t.Context())
		require.NoError(t, err)
		break
	}
	var first string
	for s, err := range run.Tasks(t.Context(), nil) {
		require.NoError(t, err)
		first = s.ID // the last that is listed is the first to run
	}
	s.moves = func() {
		id := store.SessionID{Partition: store.PartitionOf("a", s.Partitions()), ID: "session"}
		route := store.Route{Queue: "default", Set: "tree", Kind: "leaf"}
		require.NoError(t, s.OpenSession(t.Context(), id, store.WorkerInfo{Name: "w1"}, time.Hour))
		reply, err := s.Fetch(t.Context(), store.FetchParams{
			Session: id, Number: 1, Max: 1, Queues: []store.FetchQueue{{Queue: route.Queue, Routes: []store.Route{route}}},
		})
		require.NoError(t, err)
		require.Equal(t, first, reply.Deliveries[0].Task.ID)
	}
	state, err := run.Task(first).State(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.TaskRunning, state.State)
	require.Equal(t, "w1", state.Worker)
}

// movesFirst has the first task move after the first page of a search.
type movesFirst struct {
	store.Store
	moves func()
}

func (s *movesFirst) Tasks(ctx context.Context, p store.TasksParams) (store.TasksReply, error) {
	reply, err := s.Store.Tasks(ctx, p)
	if s.moves != nil {
		s.moves()
		s.moves = nil
	}
	return reply, err
}

func TestTasksRefuseBadInputAndHeedTheirContexts(t *testing.T) {
	m := manager(t, set(t, handlers.SetConfig{}, noop))
	ctx := t.Context()
	run, err := m.Start(ctx, syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	bad := &syncjob.TasksOptions{State: "succeeded", Kind: "a/b", Queue: "{}", Limit: -1}
	require.ElementsMatch(t, []string{"State", "Kind", "Queue", "Limit"}, fields(firstError(run.Tasks(ctx, bad))))
	require.Equal(t, []string{"After"}, fields(firstError(run.Tasks(ctx, &syncjob.TasksOptions{After: "x"}))))
	require.Equal(t, []string{"Name"}, fields(firstError(m.Run("", 1).Tasks(ctx, nil))))
	require.Equal(t, []string{"Number"}, fields(firstError(m.Run("a", 0).Tasks(ctx, nil))))
	require.ErrorIs(t, firstError(m.Run("a", 1).Tasks(ctx, nil)), syncjob.ErrRunNotFound)
	_, err = m.Run("a", 1).Task("t").State(ctx)
	require.ErrorIs(t, err, syncjob.ErrRunNotFound)
	require.NotErrorIs(t, err, syncjob.ErrTaskNotFound)
	_, err = run.Task("").State(ctx)
	require.Equal(t, []string{"ID"}, fields(err))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err = run.Task("t").State(gone)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, firstError(run.Tasks(gone, nil)), context.Canceled)
}
