package worker

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/effective"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/worker/intake"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// DefaultPoll is how often a worker looks for work without a signal: signals may be lost.
const DefaultPoll = 5 * time.Second

// reliefGap limits the prefetched tasks of a worker: if its handlers would need longer for them,
// the worker gives them back. It is much more than the worker prefetches on purpose.
const reliefGap = 10 * intake.Horizon

// Config configures an engine.
type Config struct {
	Name        string
	Concurrency int
	Queues      []intake.Queue
	StrictOrder bool
	Once        bool // run until nothing is left to do
	Grace       time.Duration
	Lease       time.Duration
	Poll        time.Duration              // how often it looks for work without a signal
	CanRun      func(context.Context) bool // asked before each fetch; nil for always
	Info        store.WorkerInfo

	Store    store.Store
	Registry *handlers.Registry
	Live     *handlers.Live // has the attributes in force
	Execute  execute.Config // of attempts; the engine sets the Runtime
	Logger   *slog.Logger
	Host     Host
}

// Engine is one Run of a worker. It has a pool of slots that run handlers. For each partition of
// the store it has a loop that feeds the pool and reports outcomes. shutdown.go says how it ends.
type Engine struct {
	id    string // random, never reused
	cfg   Config
	host  Host
	store store.Store
	log   *slog.Logger
	runs  *runCache

	configured     chan struct{} // closed when the configurations are in force
	reconfigured   chan struct{} // capacity 1: a configuration has changed
	configuredRuns *effective.Runs

	intake        *intake.Intake
	drawer        *drawer
	perJobChanged atomic.Bool  // limits per job changed, and no partition knows it yet
	redeeming     atomic.Int64 // lost sessions whose tasks may still be leased
	routes        []store.Route
	inReadOnly    []string // sets whose tasks run in read-only mode
	partitions    []*partition
	slots         []*slot
	backlog       *backlog
	gate          gate
	ending        sync.Mutex    // so that the intake knows the last statuses of all partitions
	drained       atomic.Bool   // Run ends since all of them are draining
	stocked       chan struct{} // capacity 1: tasks were fetched
	synced        chan struct{} // capacity 1: a subscription has started or ended
	slotsLeft     atomic.Int64
	slotsDone     chan struct{} // closed when every slot has returned
	executed      atomic.Int64  // how many handlers have returned

	// Three contexts end one after the other: of fetching, of handlers, of reporting.
	fetching context.Context
	drain    context.CancelFunc // ends fetching
	values   context.Context    // handlers inherit it
	hard     context.Context    // of calls that report
	kill     context.CancelCauseFunc

	hungUp context.Context // ends fetches in flight
	hangUp context.CancelFunc

	fetchers *lifecycle.Group // fetch loops of all sessions
	drawers  *lifecycle.Group // loops that draw on limits; they run while tasks are leased
	loops    *lifecycle.Group // partition loops and the safety poll
	pool     *lifecycle.Group // slots; shutdown does not wait for those whose handlers are stuck
	tellers  *lifecycle.Group // goroutines that report runs that have ended

	aborted context.Context // ends with abort
	giveUp  context.CancelFunc
}

// New returns an engine that ends when ctx ends. The contexts of handlers have the values of ctx.
func New(ctx context.Context, cfg Config) *Engine {
	e := &Engine{
		id:    rand.Text(),
		cfg:   cfg,
		host:  cfg.Host,
		store: cfg.Store,
		log:   cfg.Logger,
		runs:  newRunCache(cfg.Store),

		configured:     make(chan struct{}),
		reconfigured:   make(chan struct{}, 1),
		configuredRuns: effective.NewRuns(cfg.Store, cfg.Live, cfg.Logger),
		backlog:        newBacklog(),
		gate:           gate{canRun: cfg.CanRun, closed: make(chan struct{}, 1)},
		slotsDone:      make(chan struct{}),
		stocked:        make(chan struct{}, 1),
		synced:         make(chan struct{}, 1),
		values:         context.WithoutCancel(ctx),
	}
	e.intake = intake.New(intake.Config{
		Concurrency: cfg.Concurrency,
		Partitions:  cfg.Store.Partitions(),
		Once:        cfg.Once,
		Queues:      cfg.Queues,
		Strict:      cfg.StrictOrder,
		Holder:      e.id,
		Place:       cfg.Poll,
		Scopes:      cfg.Registry.Scopes(),
		Attributes:  cfg.Live.Attributes,
	})
	e.drawer = &drawer{store: e.store, intake: e.intake, lease: cfg.Lease, log: e.log}
	for _, q := range cfg.Queues {
		e.routes = append(e.routes, q.Routes...)
	}
	for _, set := range cfg.Registry.Sets() {
		if cfg.Registry.RunsInReadOnly(set) {
			e.inReadOnly = append(e.inReadOnly, set)
		}
	}
	e.fetching, e.drain = context.WithCancel(ctx)
	e.hard, e.kill = context.WithCancelCause(e.values)
	e.aborted, e.giveUp = context.WithCancel(e.values)
	e.hungUp, e.hangUp = context.WithCancel(e.hard)
	e.fetchers = lifecycle.New(e.hard)
	e.drawers = lifecycle.New(e.hard)
	e.loops = lifecycle.New(e.fetching)
	e.pool = lifecycle.New(e.values)
	e.tellers = lifecycle.New(e.values)
	for i := range cfg.Store.Partitions() {
		e.partitions = append(e.partitions, newPartition(e, i))
	}
	return e
}

// Run works until its context ends or Abort is called; with Once, or if the worker is draining,
// also until nothing is left to do. Then it shuts down. It returns how many handlers are stuck:
// their contexts were cancelled, but they have not returned.
func (e *Engine) Run(ctx context.Context) (stuck int, err error) {
	e.log.InfoContext(ctx, events.WorkerStarted, "concurrency", e.cfg.Concurrency, "partitions", len(e.partitions))
	leave := e.host.Listen(e.notify)
	e.startSlots()
	for _, p := range e.partitions {
		e.loops.Go(p.run)
		e.loops.Go(p.watchPauses)
	}
	e.loops.Go(e.poll)
	e.loops.Go(e.relieve)
	e.loops.Go(e.watchConfiguration)
	e.loops.Go(e.watchLimits)
	e.loops.Go(e.watchGate)
	select {
	case <-e.fetching.Done():
	case <-e.intake.NothingLeft():
		e.drained.Store(e.draining())
	case <-e.aborted.Done():
	}
	stuck, err = e.shutdown()
	leave()
	e.log.InfoContext(ctx, events.WorkerStopped, "executed", e.executed.Load(), "error", err)
	return stuck, err
}

// Abort makes Run skip the grace period. It does not block.
func (e *Engine) Abort() {
	e.drain()
	e.giveUp()
}

// notify passes signals on. It does not block.
func (e *Engine) notify(s store.Signal) {
	if s.Type == signals.Limit {
		if s.Holder == e.id {
			e.intake.Signalled(s.Limit)
		}
		return
	}
	if s.Type == signals.Sync {
		for _, p := range e.partitions {
			p.source.Awaken()
			lifecycle.Wake(p.dueMoved)
			lifecycle.Wake(p.pauses.moved)
			p.askStatus("")
			p.schedules.Notify(s)
		}
		lifecycle.Wake(e.synced)
		return
	}
	if s.Partition < 0 || s.Partition >= len(e.partitions) {
		return
	}
	p := e.partitions[s.Partition]
	p.schedules.Notify(s)
	switch s.Type {
	case signals.Work:
		if e.intake.Serves(s.Queue) {
			p.source.Awaken()
		}
	case signals.Pause:
		p.source.Awaken()
		lifecycle.Wake(p.pauses.moved)
	case signals.Due:
		lifecycle.Wake(p.dueMoved)
	case signals.Worker:
		p.askStatus(s.Session)
	case signals.Run:
		p.runMoved(s.Run)
	}
}

// poll makes every partition look for work from time to time. If the store signals all work, it
// does so rarely.
func (e *Engine) poll(ctx context.Context) {
	timer := time.NewTimer(lifecycle.Jitter(e.cfg.Poll))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.synced:
		case <-timer.C:
			for _, p := range e.partitions {
				p.source.Awaken()
			}
		}
		timer.Reset(lifecycle.Jitter(e.host.Every(e.cfg.Poll)))
	}
}

// relieve gives back prefetched tasks if handlers are slower than expected, so that other workers
// can run them. It checks only while tasks wait here.
func (e *Engine) relieve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.stocked:
		}
		for e.backlog.len() > 0 && ctx.Err() == nil {
			before := e.executed.Load()
			lifecycle.Pause(ctx, reliefGap)
			if int64(e.backlog.len()) > e.executed.Load()-before {
				e.intake.Slowed(reliefGap)
				e.unload(all)
			}
		}
	}
}

// watchConfiguration keeps the configurations in force.
func (e *Engine) watchConfiguration(ctx context.Context) {
	begin := sync.OnceFunc(func() { close(e.configured) })
	e.host.Fresh(ctx, func() {
		begin()
		lifecycle.Wake(e.reconfigured)
		for _, p := range e.partitions {
			if s := p.session.Load(); s != nil {
				lifecycle.Wake(s.beatSoon)
			}
		}
	})
}

// watchLimits keeps the limits as they are configured, and starts a loop for each limit that comes
// into force. If a partition could not be told of a change, it repeats the call.
func (e *Engine) watchLimits(ctx context.Context) {
	select {
	case <-e.configured:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		e.refreshLimits()
		var again <-chan time.Time
		if !e.reconsider(ctx) {
			again = time.After(lifecycle.Jitter(retryWait))
		}
		select {
		case <-ctx.Done():
		case <-e.reconfigured:
		case <-again:
		}
	}
}

// reconsider makes the store look again at runs that wait because of a limit per job. It is called
// after such limits changed, and repeated until it succeeded in every partition. It reports whether
// it has.
func (e *Engine) reconsider(ctx context.Context) bool {
	if e.perJobChanged.Swap(false) {
		for _, p := range e.partitions {
			p.stale.Store(true)
		}
	}
	all := true
	for _, p := range e.partitions {
		if !p.stale.Swap(false) {
			continue
		}
		if err := e.store.Reconsider(ctx, p.index, e.routes); err != nil {
			p.stale.Store(true)
			all = false
			if ctx.Err() == nil {
				p.log(ctx, "cannot tell a partition that limits changed; it is repeated", "error", err)
			}
		}
	}
	return all
}

func (e *Engine) refreshLimits() {
	change := e.intake.Refresh(e.inventory)
	if change.PerJob {
		e.perJobChanged.Store(true)
		lifecycle.Wake(e.reconfigured) // if a partition noticed the change
	}
	for _, l := range change.First {
		e.drawers.Go(func(ctx context.Context) { e.drawer.loop(ctx, l) })
	}
	if change.Lowered {
		e.unload(all) // tasks that were prefetched under a higher limit count as running
	}
}

// inventory yields every task that is leased to the worker.
func (e *Engine) inventory(yield func(*intake.Task) bool) {
	for _, p := range e.partitions {
		if s := p.session.Load(); s != nil {
			for t := range s.leased {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// Executed returns how many handlers have returned, hooks included.
func (e *Engine) Executed() int { return int(e.executed.Load()) }

// Idle reports whether no partition is left to ask for work.
func (e *Engine) Idle() bool { return e.intake.Idle() }

// Healthy returns nil if every partition of the store has answered within the last lease.
func (e *Engine) Healthy() error {
	for _, p := range e.partitions {
		if silent := time.Since(p.heard.time()); silent > e.cfg.Lease {
			return fmt.Errorf("%w: partition %d has not answered for %v",
				store.ErrUnavailable, p.index, silent.Round(time.Millisecond))
		}
	}
	return nil
}

// moment is a time that can be read and set concurrently.
type moment struct{ at atomic.Pointer[time.Time] }

func (m *moment) set(t time.Time) { m.at.Store(&t) }

func (m *moment) time() time.Time {
	if t := m.at.Load(); t != nil {
		return *t
	}
	return time.Time{}
}
