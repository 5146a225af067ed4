package syncjob_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
)

// workerEnv holds the URL of the server that this binary shall work for as a process of its own.
const workerEnv = "SYNCJOB_TEST_WORKER"

// workAsProcess runs a worker until its input ends. Its leaves print their timeout and when they
// began.
func workAsProcess(url string) error {
	s := handlers.NewSet("tree", handlers.SetConfig{Attributes: handlers.Attributes{Timeout: 10 * time.Second}})
	handlers.Handle(s, func(context.Context, *handlers.Task[node]) error { return nil }, nil)
	handlers.Handle(s, func(ctx context.Context, _ *handlers.Task[leaf]) error {
		now := time.Now()
		deadline, _ := ctx.Deadline()
		fmt.Println(deadline.Sub(now).Round(10*time.Millisecond).Nanoseconds(), now.UnixNano())
		return nil
	}, nil)
	reg, err := handlers.NewRegistry(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	m, err := syncjob.Open(ctx, url, syncjob.Config{Registry: reg})
	if err != nil {
		return err
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 1})
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := w.Run(ctx); err != nil {
		return err
	}
	return m.Close()
}

// nodes are n tasks that do nothing.
func nodes(n int) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for range n {
			if !yield(enqueue.Task(node{}, nil), nil) {
				return
			}
		}
	}
}

// attempt is one that a worker process reported.
type attempt struct {
	worker  int
	timeout time.Duration
	began   time.Time
}

// workerProcess starts a worker that reports its attempts.
func workerProcess(t *testing.T, url string, worker int, attempts chan<- attempt) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), workerEnv+"="+url)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			timeout, began, _ := strings.Cut(lines.Text(), " ")
			d, _ := strconv.ParseInt(timeout, 10, 64)
			ns, _ := strconv.ParseInt(began, 10, 64)
			attempts <- attempt{worker, time.Duration(d), time.Unix(0, ns)}
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		<-ended
		_ = cmd.Wait()
	})
}

// commands counts what clients, not scripts, had the server do: calls of scripts, and readings of
// configurations.
func commands(t *testing.T, server *redistest.Server) (scripts, readings int) {
	t.Helper()
	text, err := server.Client.Do(t.Context(), server.Client.B().Info().Section("commandstats").Build()).ToString()
	require.NoError(t, err)
	calls := func(command string) int {
		_, stat, _ := strings.Cut(text, "cmdstat_"+command+":calls=")
		stat, _, _ = strings.Cut(stat, ",")
		n, _ := strconv.Atoi(stat)
		return n
	}
	return calls("evalsha") + calls("eval"), calls("client|caching")
}

// Two worker processes obey a change of the timeout, and tasks cost as many commands as before it.
func TestTwoProcessesObeyAChangeAndTasksCostNoMoreCommands(t *testing.T) {
	server := redistest.Start(t, nil)
	attempts := make(chan attempt, 1<<16)
	for worker := range 2 {
		workerProcess(t, server.URL(), worker, attempts)
	}
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Registry: set(t, handlers.SetConfig{}, noop)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	run := standing(t, m, syncjob.Job{Name: "a"})

	// until feeds leaves until both workers have reported one of the timeout, and returns the last
	// that began with it first.
	until := func(timeout time.Duration) (last time.Time) {
		first := make(map[int]time.Time)
		for len(first) < 2 {
			_, err := run.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
			a := <-attempts
			if _, ok := first[a.worker]; ok {
				require.Equal(t, timeout, a.timeout, "a worker that has obeyed a change does not go back")
			} else if a.timeout == timeout {
				first[a.worker], last = a.began, a.began
			}
		}
		return last
	}
	const tasks = 10_000
	spend := func() (scripts, readings int) {
		scriptsBefore, readingsBefore := commands(t, server)
		before, err := run.State(t.Context())
		require.NoError(t, err)
		_, err = run.EnqueueAll(t.Context(), nodes(tasks), nil)
		require.NoError(t, err)
		for s, err := range run.Watch(t.Context()) {
			require.NoError(t, err)
			if s.Counts.Succeeded >= before.Counts.Succeeded+tasks {
				break
			}
		}
		scriptsAfter, readingsAfter := commands(t, server)
		return scriptsAfter - scriptsBefore, readingsAfter - readingsBefore
	}
	// How many tasks share a call depends on the moment: the median of some rounds counts.
	rounds := func(when string) {
		var all []int
		read := 0
		for range 5 {
			scripts, readings := spend()
			read += readings
			all = append(all, scripts)
		}
		// The producer reads what has changed when it next enqueues a second later: once.
		require.LessOrEqual(t, read, 1, "%s the change, tasks or time cost readings of configuration", when)
		slices.Sort(all)
		t.Logf("%s the change: %.4f script calls per task and %d readings of configuration in all (rounds of %d tasks: %v calls)",
			when, float64(all[len(all)/2])/tasks, read, tasks, all)
	}
	until(10 * time.Second)
	rounds("before")

	_, err = m.Configure(t.Context(), "tree", &syncjob.ConfigureOptions{By: "test", Reason: "hurry"}, withTimeout(100*time.Millisecond))
	changed := time.Now()
	require.NoError(t, err)
	obeyed := until(100 * time.Millisecond)
	t.Logf("both workers obeyed after %v", obeyed.Sub(changed).Round(time.Millisecond))
	rounds("after")
	_, readings := commands(t, server)
	require.Positive(t, readings, "it was read by the way that is counted")
}
