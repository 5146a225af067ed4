package effective

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

const (
	// maxAge is how old the answers may be that callers use.
	maxAge = time.Second
	// pollInterval is how often a watcher asks, unless the store tells of each change. The store
	// mostly answers from memory.
	pollInterval = 250 * time.Millisecond
)

// reading is something that is read from the store again and again. It has the one rule of when
// that is: what was read is used for maxAge or, while somebody in the process watches a store that
// signals every change, until a change is signalled. One caller reads at a time. The others go on
// with what is known; only those who know nothing yet wait.
type reading struct {
	told *told
	read func(context.Context) error
	log  *slog.Logger

	tried  atomic.Int64 // when it was last tried, in ns since 1970
	heeded atomic.Int64 // told.count, as it was before

	turn    turn      // of who reads
	done    time.Time // when it last succeeded; only for who reads
	failing bool      // that was logged; likewise
}

func newReading(t *told, read func(context.Context) error, log *slog.Logger) *reading {
	return &reading{told: t, read: read, log: log, turn: newTurn()}
}

// current reports whether what was read last may still be used.
func (r *reading) current() bool {
	if r.told.everything() {
		return r.told.count.Load() == r.heeded.Load()
	}
	return time.Now().UnixNano()-r.tried.Load() < int64(maxAge)
}

// ensure reads unless what was read is current. It takes at most maxAge.
func (r *reading) ensure(ctx context.Context) {
	if r.current() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, maxAge)
	defer cancel()
	tried := r.tried.Load()
	if tried == 0 { // nobody goes on knowing nothing
		if r.turn.take(ctx) != nil {
			return
		}
	} else if !r.turn.tryTake() {
		return
	}
	defer r.turn.give()
	if r.tried.Load() == tried {
		_ = r.readNow(ctx) // a failure is logged
	}
}

// refresh reads for a watcher, unless another one just did and nothing was told since.
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

// force reads whatever is known already.
func (r *reading) force(ctx context.Context) error {
	if err := r.turn.take(ctx); err != nil {
		return err
	}
	defer r.turn.give()
	return r.readNow(ctx)
}

// readNow is for whose turn it is.
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
		r.log.WarnContext(ctx, "cannot read what is in force for handler sets; what is known stays", "error", err)
	}
	return err
}

// told counts what the watchers of the process are told of what is read.
type told struct {
	signals  Signals
	watchers atomic.Int64
	count    atomic.Int64
}

// watch has changes counted, and wakes who watches, until leave is called.
func (t *told) watch(signalled chan<- struct{}) (leave func()) {
	deafen := t.signals.Listen(func(s store.Signal) {
		if s.Type == store.SignalConfiguration || s.Type == store.SignalSync {
			t.count.Add(1)
			lifecycle.Wake(signalled)
		}
	})
	t.count.Add(1) // what changed before was told to nobody
	t.watchers.Add(1)
	return func() {
		t.watchers.Add(-1)
		deafen()
	}
}

// everything reports whether somebody watches, and is told of every change.
func (t *told) everything() bool { return t.watchers.Load() > 0 && t.signals.TellsAll() }
