package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob"
)

// The environment of a test binary that is a worker process of its own.
const (
	fleetURLEnv       = "SYNCJOB_TEST_FLEET_URL"
	fleetNamespaceEnv = "SYNCJOB_TEST_FLEET_NAMESPACE"
	fleetLeaseEnv     = "SYNCJOB_TEST_FLEET_LEASE"
)

const (
	fleetProcesses = 8
	fleetRunning   = 3
	fleetTask      = 100 * time.Millisecond
)

// workInFleet is what a process of the fleet does, until it is killed.
func workInFleet(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // also if its parent dies
	defer cancel()
	s, err := redisstore.Open(ctx, url, redisstore.Config{Namespace: os.Getenv(fleetNamespaceEnv), SweepInterval: 100 * time.Millisecond})
	if err != nil {
		return err
	}
	lease, err := time.ParseDuration(os.Getenv(fleetLeaseEnv))
	if err != nil {
		return err
	}
	reg, err := fleetRegistry(s, lease)
	if err != nil {
		return err
	}
	m, err := syncjob.New(s, syncjob.Config{Registry: reg})
	if err != nil {
		return err
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 8, Lease: lease})
	if err != nil {
		return err
	}
	return errors.Join(w.Run(ctx), m.Close(), s.Close())
}

// fleetRegistry has leaves that fail if more of them overlap than may, as counted by a semaphore of
// the store. A place there ends before the lease of a task that a process died with, and lasts for
// longer than a crowded machine keeps a process waiting.
func fleetRegistry(s store.Store, lease time.Duration) (*handlers.Registry, error) {
	sems := semaphore.New(s)
	return limitedRegistry(handlers.SetConfig{}, handlers.Attributes{MaxRunning: fleetRunning, MaxRetries: handlers.NoRetries},
		func(ctx context.Context, _ *handlers.Task[leaf]) error {
			place, err := sems.TryAcquire(
				ctx, "overlap", &semaphore.Options{Max: fleetRunning, TTL: lease / 3, Holder: "leaf"},
			)
			if err != nil {
				return handlers.Permanent(err)
			}
			<-time.After(fleetTask)
			if err := place.Release(context.WithoutCancel(ctx)); err != nil && !errors.Is(err, store.ErrLeaseLost) {
				return err
			}
			return nil
		})
}

// A task whose lease ends while its worker stands still runs again elsewhere, beside itself. That
// is no fault of a limit, so leases last for longer than a crowded machine keeps a process waiting.
// Only the one of a killed process has to end.
func TestMaxRunningHoldsOverProcesses(t *testing.T) {
	t.Parallel() // its tasks wait
	for _, c := range []struct {
		name       string
		partitions int
		lease      time.Duration
		kill       bool
	}{
		{"one partition", 1, time.Minute, false},
		{"four partitions", 4, time.Minute, false},
		{"four partitions, and a process is killed", 4, 6 * time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, namespace := redistest.Shared(t)
			s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{
				Namespace: namespace, Partitions: c.partitions, SweepInterval: 100 * time.Millisecond,
			})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			reg, err := fleetRegistry(s, c.lease)
			require.NoError(t, err)
			m := managerOn(t, s, reg)
			workers := make(map[int]*exec.Cmd)
			for range fleetProcesses {
				cmd := exec.CommandContext(t.Context(), os.Args[0])
				cmd.Env = append(
					os.Environ(), fleetURLEnv+"="+server.URL(), fleetNamespaceEnv+"="+namespace,
					fleetLeaseEnv+"="+c.lease.String(),
				)
				require.NoError(t, cmd.Start())
				t.Cleanup(func() {
					_ = cmd.Process.Kill()
					_ = cmd.Wait()
				})
				workers[cmd.Process.Pid] = cmd
			}
			await(t, start(t, m, 4, 1)...) // everybody is awake
			const jobs, tasks = 4, 45
			begun := time.Now()
			var runs []*syncjob.Run
			for i := range jobs {
				run, err := m.Start(t.Context(), syncjob.Job{Name: fmt.Sprintf("fleet/%d", i), Set: "tree", Root: node{N: tasks}}, nil)
				require.NoError(t, err)
				runs = append(runs, run)
			}
			most := leasedAtOnce(t, s, runs)
			if c.kill {
				pid := holder(t, s)
				require.NoError(t, workers[pid].Process.Kill())
			}
			for _, run := range runs {
				final, err := run.Wait(t.Context())
				require.NoError(t, err)
				require.Equal(t, statuses.Succeeded, final.Status, final.LastError)
			}
			took := time.Since(begun)
			shown, samples := most()
			require.LessOrEqual(t, shown, int64(fleetRunning), "the store never shows more as leased")
			least := jobs * tasks * fleetTask / fleetRunning
			t.Logf(
				"%d tasks of %v by %d processes, %d at a time: %v, %.1f %% over the least possible %v; %d samples showed at most %d",
				jobs*tasks, fleetTask, fleetProcesses, fleetRunning, took.Round(time.Millisecond),
				100*float64(took-least)/float64(least), least, samples, shown,
			)
		})
	}
}

// leasedAtOnce samples how many leaves of the runs the store shows as leased at one moment, until
// the test ends: runs lie in different partitions, so only what two readings in a row agree on
// counts. It returns the most, and the number of samples.
func leasedAtOnce(t *testing.T, s store.Store, runs []*syncjob.Run) func() (most int64, samples int) {
	var mu sync.Mutex
	var most int64
	samples := 0
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		last := make([]store.Counts, len(runs))
		for ctx.Err() == nil {
			same, leased := true, int64(0)
			for i, run := range runs {
				rec, err := s.Run(ctx, store.RunID{Job: run.Job(), Number: run.Number()})
				same = same && err == nil && rec.Counts == last[i] && rec.Counts.Succeeded > 0 // the root has ended
				last[i] = rec.Counts
				leased += rec.Counts.Running
			}
			if same {
				mu.Lock()
				most, samples = max(most, leased), samples+1
				mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return func() (int64, int) {
		mu.Lock()
		defer mu.Unlock()
		return most, samples
	}
}

// holder waits for a process that holds tasks.
func holder(t *testing.T, s store.Store) (pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		for p := range s.Partitions() {
			sessions, err := s.LiveSessions(t.Context(), p)
			require.NoError(t, err)
			for _, rec := range sessions {
				if rec.Held > 0 {
					pid = rec.Worker.PID
					return true
				}
			}
		}
		return false
	}, time.Minute, time.Millisecond)
	return pid
}
