package mirror

import (
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

// workOn is a worker until its standard input ends, or it kills itself.
func workOn(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	var moments atomic.Int64
	point := func() {
		if moments.Add(1) == o.DieAt {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
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
	m, err := syncjob.Open(ctx, o.URL, syncjob.Config{Registry: registry, Namespace: o.Namespace})
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
	go func() { // whoever started it is gone
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	return errors.Join(w.Run(ctx), m.Close())
}

// worker is a process that works, and is started again each time that it dies.
type worker struct {
	t     *testing.T
	stop  chan struct{}
	ended chan int // how often it died
}

// startWorker starts a worker. It dies at the moments that dieAt returns.
func startWorker(t *testing.T, o order, dieAt func() int64) *worker {
	w := &worker{t: t, stop: make(chan struct{}), ended: make(chan int, 1)}
	go func() {
		deaths := 0
		for {
			o.DieAt = dieAt()
			died, err := w.run(o)
			if err != nil {
				t.Error(err)
			}
			if err != nil || !died {
				w.ended <- deaths
				return
			}
			deaths++
		}
	}()
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
	cmd.Stderr = os.Stderr
	alive, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return false, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return true, nil
		}
		return false, fmt.Errorf("the worker ended: %w", err)
	case <-w.stop:
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-done; err != nil {
			w.t.Logf("the worker ended: %v", err)
		}
		_ = alive.Close()
		return false, nil
	}
}

// end stops the worker and returns how often it died.
func (w *worker) end() int {
	close(w.stop)
	return <-w.ended
}

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
