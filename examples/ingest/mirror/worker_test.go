package mirror

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// orderEnv has the order of a process of this test binary that is a worker.
const orderEnv = "ROLLCALL_MIRROR_WORKER"

// order says what a worker does.
type order struct {
	URL, Namespace string
	Faults         string // a file with the directories that it cannot read, one a line
	Hooks          string // a file to which it adds each hook after an event: its name and the path, quoted
	DieAt          int64  // the moment at which it kills itself: a call of the source, or a hook; 0 is never
	PauseAt        int64  // the moment at which it pauses itself; 0 is never
}

func TestMain(m *testing.M) {
	if text := os.Getenv(orderEnv); text != "" {
		if err := workOn(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// workOn is a worker until its standard input ends, or it kills itself. It answers each line there
// when no task runs in it. If it was paused before, it dies then.
func workOn(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	var moments atomic.Int64
	die := func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	point := func() {
		switch moments.Add(1) {
		case o.DieAt:
			die()
		case o.PauseAt:
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		}
	}
	var running sync.RWMutex // each task reads
	before := func(context.Context, handlers.Event) error { point(); return nil }
	after := func(ctx context.Context, e handlers.Event) error {
		point()
		f, err := os.OpenFile(o.Hooks, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(f, "%s %q\n", e.Name, PathOf(ctx))
		return errors.Join(err, f.Close())
	}
	registry, err := NewRegistry(Config{
		Hooks: handlers.EventHooks{Before: before, After: after},
		Middleware: []handlers.Middleware{func(next handlers.Handler) handlers.Handler {
			return func(ctx context.Context, a *handlers.Attempt) error {
				running.RLock()
				defer running.RUnlock()
				return next(ctx, a)
			}
		}},
		Open: func(_ context.Context, src string) (Source, error) {
			unreadable, err := os.ReadFile(o.Faults)
			f := &faulty{Source: DirectorySource(src), list: make(map[string]int), point: point}
			for _, dir := range strings.Split(strings.TrimSuffix(string(unreadable), "\n"), "\n") {
				f.list[dir] = 0
			}
			if len(unreadable) == 0 {
				clear(f.list)
			}
			return f, err
		},
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	m, err := open(ctx, o.URL, syncjob.Config{Registry: registry, Namespace: o.Namespace})
	if err != nil {
		return err
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{
		Concurrency: 2, Lease: time.Second,
		Queues: []syncjob.Queue{{Name: RestartQueue}, {Name: PathQueue}, {Name: FileQueue}},
	})
	if err != nil {
		return err
	}
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			running.Lock()
			fmt.Println()
			if o.PauseAt > 0 && moments.Load() >= o.PauseAt {
				die()
			}
			running.Unlock()
		}
		os.Exit(1) // whoever started it is gone
	}()
	return errors.Join(w.Run(ctx), m.Close())
}

// open opens a store. If the server does not answer in time, it tries again, as whoever starts a
// program does.
func open(ctx context.Context, url string, c syncjob.Config) (*syncjob.Manager, error) {
	for {
		m, err := syncjob.Open(ctx, url, c)
		if !errors.Is(err, syncjob.ErrUnavailable) || ctx.Err() != nil {
			return m, err
		}
	}
}

// worker is a process that works, and is started again each time that it dies.
type worker struct {
	t     *testing.T
	stop  chan struct{}
	asked chan chan<- bool // whether the process is quiet; false if it died before it was
	over  chan struct{}    // closed when it is not started again
	ended func() int       // stops it and returns how often it died
}

// startWorker starts a worker. Each of its lives is as order returns.
func startWorker(t *testing.T, next func() order) *worker {
	w := &worker{t: t, stop: make(chan struct{}), asked: make(chan chan<- bool), over: make(chan struct{})}
	deaths := 0
	go func() {
		defer close(w.over)
		for died := true; died; {
			var err error
			died, err = w.run(next())
			switch {
			case err != nil:
				t.Error(err)
			case died:
				deaths++
			}
		}
	}()
	w.ended = sync.OnceValue(func() int {
		close(w.stop)
		<-w.over
		return deaths
	})
	t.Cleanup(func() { w.ended() })
	return w
}

// run is one life.
func (w *worker) run(o order) (died bool, err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return false, err
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), orderEnv+"="+string(text))
	answers := make(answers, 1)
	cmd.Stdout, cmd.Stderr = answers, os.Stderr
	alive, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return false, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	asked, reply := w.asked, make(chan<- bool, 1)
	defer func() { reply <- false }()
	for {
		select {
		case reply = <-asked:
			asked = nil // one at a time
			_ = cmd.Process.Signal(syscall.SIGCONT)
			_, _ = io.WriteString(alive, "\n")
		case <-answers:
			reply <- true
			asked, reply = w.asked, make(chan<- bool, 1)
		case err := <-done:
			if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
				return true, nil
			}
			return false, fmt.Errorf("the worker ended: %w", err)
		case <-w.stop:
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Process.Signal(syscall.SIGCONT)
			if err := <-done; err != nil {
				w.t.Logf("the worker ended: %v", err)
			}
			_ = alive.Close()
			return false, nil
		}
	}
}

// answers receives the answers of a process.
type answers chan struct{}

// Write implements io.Writer.
func (a answers) Write(p []byte) (int, error) {
	a <- struct{}{}
	return len(p), nil
}

// quiet wakes the worker if it is paused, and returns when no task runs in it. A worker that was
// paused for longer than its lease does not know at once that others have done its tasks, and the
// run may have ended without it.
func (w *worker) quiet() {
	for {
		reply := make(chan bool, 1)
		select {
		case w.asked <- reply:
			if <-reply {
				return
			}
		case <-w.over:
			return
		}
	}
}

// end stops the worker and returns how often it died.
func (w *worker) end() int { return w.ended() }

// below reports whether an entry is in one of the directories.
func below(dirs []string, path string) bool {
	for _, dir := range dirs {
		if strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}

// walk lists a tree: its directories, and everything else.
func walk(t *testing.T, root string) (dirs, files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && rel != ".":
			dirs = append(dirs, rel)
		case !d.IsDir():
			files = append(files, rel)
		}
		return nil
	}))
	return dirs, files
}
