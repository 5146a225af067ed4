package enqueue

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/stream"
	"github.com/rollcall-go/rollcall/store"
)

// Config configures an [Enqueuer].
type Config struct {
	// Store to enqueue into. Calls that fail for a while are repeated by it: pass
	// one made by [store.WithRetry]. Required.
	Store store.Store
	// Router refuses unknown kinds and supplies their queues. Defaults to none: every kind is accepted, into
	// Options.Queue or [DefaultQueue].
	Router Router
	// MaxPayload is the largest payload, in bytes. Defaults to [store.DefaultMaxPayload].
	MaxPayload int
	// Propagator of what the context of an enqueue carries. Defaults to none.
	Propagator Propagator
	// Logger told when a stream had to be replaced. Defaults to [slog.DiscardHandler].
	Logger *slog.Logger
}

// Enqueuer adds tasks to runs from outside of handlers. Its methods may be
// called concurrently.
type Enqueuer struct {
	cfg       Config
	group     *lifecycle.Group
	producers []*stream.Stream[*request] // by partition
}

// Receipt says what became of an item.
type Receipt struct {
	Run store.RunID
	ID  string // the task's ID, chosen or generated
	// Duplicate says that the run already holds a task of the chosen ID, so that
	// nothing was added.
	Duplicate bool
}

// New returns an Enqueuer. It makes no call: a stream of a partition is opened when
// it is first needed.
func New(cfg Config) (*Enqueuer, error) {
	if cfg.Store == nil {
		return nil, fmt.Errorf("new enqueuer: %w", invalid("Store", "is nil"))
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Enqueuer{
		cfg:       cfg,
		group:     lifecycle.New(context.Background()),
		producers: make([]*stream.Stream[*request], max(1, cfg.Store.Partitions())),
	}
	for i := range e.producers {
		line := &producer{store: cfg.Store, partition: i, log: guard.Logger(cfg.Logger)}
		e.producers[i] = stream.New(line, e.group, store.ErrClosed)
	}
	return e, nil
}

// Enqueue adds one task to an active run of the given handler set and returns
// when it is stored. Errors of the item are [*store.FieldError]s, and nothing was
// sent. The run may refuse with [store.ErrRunNotFound], [store.ErrJobStopped]
// or [store.ErrRunFinished].
//
// If ctx ends first its error is returned, and the task may be stored or not: a
// call that is under way is not taken back. With Options.ID it is safe to repeat.
func (e *Enqueuer) Enqueue(ctx context.Context, run store.RunID, set string, it Item) (Receipt, error) {
	item, err := Encode(ctx, &e.cfg, set, it)
	if err := store.JoinFields(validateRun(run), err); err != nil {
		return Receipt{}, fmt.Errorf("enqueue: %w", err)
	}
	req := &request{}
	req.add(run, item)
	if err := e.producer(run).Do(ctx, req); err != nil {
		return Receipt{}, fmt.Errorf("enqueue into %s/%d: %w", run.Job, run.Number, err)
	}
	result := req.reply.Entries[0]
	if result.Err != nil {
		return Receipt{}, fmt.Errorf("enqueue into %s/%d: %w", run.Job, run.Number, result.Err)
	}
	return Receipt{Run: run, ID: item.Task.ID, Duplicate: result.Duplicate}, nil
}

// SetHold opens or closes a named hold: a run that has one cannot finish, so
// that a producer may add tasks in several calls. Opening an open one and closing
// a closed one change nothing. Sealing an open run is closing [store.HoldOpen].
// Errors as for [Enqueuer.Enqueue].
func (e *Enqueuer) SetHold(ctx context.Context, run store.RunID, name string, open bool) error {
	if err := store.JoinFields(validateRun(run), store.ValidateName("Hold", name)); err != nil {
		return fmt.Errorf("set hold: %w", err)
	}
	req := &request{}
	req.holds = []store.HoldChange{{Run: run, Name: name, Close: !open}}
	if err := e.producer(run).Do(ctx, req); err != nil {
		return fmt.Errorf("set hold %q of run %d of job %q: %w", name, run.Number, run.Job, err)
	}
	if err := req.reply.Holds[0]; err != nil {
		return fmt.Errorf("set hold %q of run %d of job %q: %w", name, run.Number, run.Job, err)
	}
	return nil
}

// Close lets calls that were accepted finish, and waits for them, for at most [store.CloseTime]: a store that does not answer
// has them fail then, stored or not, with an error that matches [store.ErrClosed]. Later calls
// return [store.ErrClosed]. It does not close the store, and may be called
// twice.
func (e *Enqueuer) Close() error {
	e.CloseBy(time.Now().Add(store.CloseTime))
	return nil
}

// CloseBy is [Enqueuer.Close] with another bound: who closes several things at once gives them one.
func (e *Enqueuer) CloseBy(deadline time.Time) {
	for _, p := range e.producers {
		p.Close()
	}
	e.group.StopAfter(time.Until(deadline), store.ErrClosed)
}

func (e *Enqueuer) producer(run store.RunID) *stream.Stream[*request] {
	return e.producers[store.PartitionOf(run.Job, len(e.producers))]
}
