package effective

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
)

const (
	// maxAge is the largest age of data that callers use.
	maxAge = time.Second
	// pollInterval is how often a watcher reads, unless the store signals each change. Usually the
	// store answers from memory.
	pollInterval = 250 * time.Millisecond
)

// reading is data that is read from the store again and again. It has the rule of when to read:
// data is used for maxAge. If the process watches, and the store signals every change, data is used
// until a change is signalled. One caller reads at a time. The others use the data that is known;
// they wait only if none is known yet.
type reading struct {
	told *told
	read func(context.Context) error
	log  *slog.Logger

	tried  atomic.Int64 // when a read was last tried, in ns since 1970
	heeded atomic.Int64 // told.count before that read

	turn    turn      // taken by the caller that reads
	done    time.Time // when a read last succeeded; only for the caller that reads
	failing bool      // the last logged error; only for the caller that reads
}

func newReading(t *told, read func(context.Context) error, log *slog.Logger) *reading {
	return &reading{told: t, read: read, log: log, turn: newTurn()}
}

// current reports whether the data may still be used.
func (r *reading) current() bool {
	if r.told.everything() {
		return r.told.count.Load() == r.heeded.Load()
	}
	return time.Now().UnixNano()-r.tried.Load() < int64(maxAge)
}

// ensure reads unless the data is current. It takes at most maxAge.
func (r *reading) ensure(ctx context.Context) {
	if r.current() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, maxAge)
	defer cancel()
	tried := r.tried.Load()
	if tried == 0 { // no caller continues without any data
		if r.turn.take(ctx) != nil {
			return
		}
	} else if !r.turn.tryTake() {
		return
	}
	defer r.turn.give()
	if r.tried.Load() == tried {
		_ = r.readNow(ctx) // readNow logs a failure
	}
}

// refresh reads for a watcher, unless another one has just read and no change was signalled since.
func (r *reading) refresh(ctx context.Context) error {
	if err := r.turn.take(ctx); err != nil {
		return err
	}
	defer r.turn.give()
	if r.told.count.Load() == r.heeded.Load() && time.Since(r.done) < pollInterval*3/4 {
		return nil
	}
	return r.readNow(ctx)
}

// force reads even if the data is current.
func (r *reading) force(ctx context.Context) error {
	if err := r.turn.take(ctx); err != nil {
		return err
	}
	defer r.turn.give()
	return r.readNow(ctx)
}

// readNow reads. The caller must have the turn.
func (r *reading) readNow(ctx context.Context) error {
	told := r.told.count.Load()
	err := r.read(ctx)
	r.heeded.Store(told)
	r.tried.Store(time.Now().UnixNano())
	switch {
	case err == nil:
		r.done, r.failing = time.Now(), false
	case !r.failing && !errors.Is(ctx.Err(), context.Canceled):
		r.failing = true
		r.log.WarnContext(ctx, "cannot read handler sets; the last known data stays in force", "error", err)
	}
	return err
}

// told counts the signals of changes that the watchers of the process get.
type told struct {
	signals  Signals
	watchers atomic.Int64
	count    atomic.Int64
}

// watch counts changes and wakes the watcher, until leave is called.
func (t *told) watch(signalled chan<- struct{}) (leave func()) {
	deafen := t.signals.Listen(func(s store.Signal) {
		if s.Type == signals.Configuration || s.Type == signals.Sync {
			t.count.Add(1)
			lifecycle.Wake(signalled)
		}
	})
	t.count.Add(1) // nobody was told of changes before this
	t.watchers.Add(1)
	return func() {
		t.watchers.Add(-1)
		deafen()
	}
}

// everything reports whether the process watches and gets a signal for every change.
func (t *told) everything() bool { return t.watchers.Load() > 0 && t.signals.TellsAll() }
