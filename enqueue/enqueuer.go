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
	"github.com/rollcall-go/rollcall/store/actions"
)

// Config configures an [Enqueuer].
type Config struct {
	// Store to enqueue into. Required. Pass one made by [store.WithRetry]: it repeats calls that
	// fail for a short time.
	Store store.Store
	// Router gives the queue of each kind, and refuses unknown kinds. Defaults to none: every kind
	// is accepted, and waits in Options.Queue or [DefaultQueue].
	Router Router
	// MaxPayload is the largest payload, in bytes. Defaults to [bounds.DefaultMaxPayload].
	MaxPayload int
	// Propagator stores values of the context, such as a trace, in the task's headers. Defaults to
	// none.
	Propagator Propagator
	// Logger gets a record when a stream had to be replaced. Defaults to [slog.DiscardHandler].
	Logger *slog.Logger
}

// Enqueuer adds tasks to runs from outside of handlers. Its methods may be
// called concurrently.
type Enqueuer struct {
	cfg       Config
	group     *lifecycle.Group
	producers []*stream.Stream[*request] // by partition
}

// Receipt is the result of an enqueue.
type Receipt struct {
	Run store.RunID
	ID  string // the task's ID, chosen or generated
	// Duplicate is true if the run already has a task with the chosen ID. Then nothing was added.
	Duplicate bool
}

// New returns an Enqueuer. It makes no call: the stream of a partition is opened at its first use.
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

// Enqueue adds one task to an active run of the given handler set and returns when it is stored. An
// invalid item gives [*store.FieldError]s, and nothing is sent. Errors of the run are
// [store.ErrRunNotFound], [store.ErrJobStopped] and [store.ErrRunFinished].
//
// If ctx ends first, its error is returned. The task may be stored or not: a call that was sent is
// not cancelled. With Options.ID it is safe to repeat the call.
func (e *Enqueuer) Enqueue(ctx context.Context, run store.RunID, set string, it Item) (Receipt, error) {
	item, err := Encode(ctx, &e.cfg, set, it)
	if err := store.JoinFields(validateRun(run), err); err != nil {
		return Receipt{}, fmt.Errorf("enqueue: %w", err)
	}
	req := &request{}
	req.add(run, item)
	req.says(ctx, actions.Enqueue, run, item.Task.ID)
	if err := e.producer(run).Do(ctx, req); err != nil {
		return Receipt{}, fmt.Errorf("enqueue into %s/%d: %w", run.Job, run.Number, err)
	}
	result := req.reply.Entries[0]
	if result.Err != nil {
		return Receipt{}, fmt.Errorf("enqueue into %s/%d: %w", run.Job, run.Number, result.Err)
	}
	return Receipt{Run: run, ID: item.Task.ID, Duplicate: result.Duplicate}, nil
}

// SetHold opens or closes a named hold. A run with an open hold cannot finish, so a producer can
// add tasks in several calls. Opening an open hold changes nothing, nor does closing a closed one.
// To seal an open run, close [store.HoldOpen]. The errors are those of [Enqueuer.Enqueue].
func (e *Enqueuer) SetHold(ctx context.Context, run store.RunID, name string, open bool) error {
	if err := store.JoinFields(validateRun(run), store.ValidateName("Hold", name)); err != nil {
		return fmt.Errorf("set hold: %w", err)
	}
	return e.changeHold(ctx, store.HoldChange{Run: run, Name: name, Close: !open})
}

func (e *Enqueuer) changeHold(ctx context.Context, h store.HoldChange) error {
	req := &request{}
	req.holds = []store.HoldChange{h}
	if h.Close && !h.Guarded {
		req.says(ctx, actions.Release, h.Run, h.Name)
	}
	err := e.producer(h.Run).Do(ctx, req)
	if err == nil {
		err = req.reply.Holds[0]
	}
	if err != nil {
		return fmt.Errorf("set hold %q of run %d of job %q: %w", h.Name, h.Run.Number, h.Run.Job, err)
	}
	return nil
}

// Close waits until the calls in progress have finished, for at most [store.CloseTime]. Calls that
// the store has not answered by then fail with an error that matches [store.ErrClosed]; their tasks
// may be stored or not. Later calls return [store.ErrClosed]. Close does not close the store. It
// may be called twice.
func (e *Enqueuer) Close() error {
	e.CloseBy(time.Now().Add(store.CloseTime))
	return nil
}

// CloseBy is [Enqueuer.Close] that waits until a deadline. Several things that close together can
// share one.
func (e *Enqueuer) CloseBy(deadline time.Time) {
	for _, p := range e.producers {
		p.Close()
	}
	e.group.StopAfter(time.Until(deadline), store.ErrClosed)
}

func (e *Enqueuer) producer(run store.RunID) *stream.Stream[*request] {
	return e.producers[store.PartitionOf(run.Job, len(e.producers))]
}
