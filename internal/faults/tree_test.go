package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"os"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
)

// node is a task that grows a tree: it enqueues the children that Fan says, and they
// theirs. Everything it does follows from its arguments, so that a test knows in
// advance what the tree must become.
type node struct {
	Path string `json:"p"`
	Fan  []int  `json:"f,omitempty"` // how many children, and children of children, and so on
	Leaf string `json:"l,omitempty"` // what tasks without children do
	// Moods makes some tasks fail once, some snooze once, and some children be enqueued
	// twice under one ID, as drawn from the path and this seed; 0 for none.
	Moods uint64 `json:"m,omitempty"`
	Quiet bool   `json:"q,omitempty"` // tasks write nothing to the ledger
	// Claim gives every child an ID of its parent's choice.
	Claim bool `json:"c,omitempty"`
	// For is how long a leaf lasts.
	For time.Duration `json:"d,omitempty"`
	// Once makes the first failure of every child its last.
	Once bool `json:"o,omitempty"`
	// Write makes every task append its path to a list and put it in a map, of its run and of its job.
	Write bool `json:"w,omitempty"`
	// Light makes tasks set no result: a success with one waits where there is no memory.
	Light bool `json:"n,omitempty"`
	// Secret is nobody's business.
	Secret string `json:"s,omitempty"`
	// Bulk makes the arguments that large.
	Bulk string `json:"b,omitempty"`
}

func (node) Kind() string { return "node" }

// What a leaf does, apart from being noted.
const (
	waits   = "waits"   // at the gate "leaf"
	works   = "works"   // for a millisecond
	toils   = "toils"   // for up to 40 ms
	lingers = "lingers" // the first attempt waits for the end of its context, then enqueues late
	sleeps  = "sleeps"  // the first attempt waits at the gate "leaf" and for nothing else, then enqueues late
	kills   = "kills"   // the process
	fathers = "fathers" // enqueues fathered tasks at once, then waits at the gate "leaf"
	lasts   = "lasts"   // for as long as the node says
	stalls  = "stalls"  // for ever, whatever becomes of its context
	fails   = "fails"   // every time
	panics  = "panics"  // every time, each path in a way of its own
)

// fathered is how many children a leaf that fathers has.
const fathered = 20

var (
	errMood  = errors.New("a mood")
	errFails = errors.New("fails every time")
)

// hands are the handlers of one worker process.
type hands struct {
	ledger     *ledger
	deliveries int                   // of a task, before it fails; 0 for 2
	weights    handlers.Counter      // sum of the weights of nodes
	grown      handlers.List[string] // paths of nodes, of the run
	latest     handlers.Map[int64]   // path → run that grew it last, of the job
}

func (h *hands) registry() (*handlers.Registry, error) {
	s := handlers.NewSet("tree", handlers.SetConfig{
		Attributes: handlers.Attributes{
			MaxDeliveries: cmp.Or(h.deliveries, 2),
			Backoff:       handlers.Exponential{First: 5 * time.Millisecond, Factor: 1, Jitter: handlers.NoJitter},
		},
		Hooks: handlers.Hooks{PostJob: h.postJob},
	})
	h.weights = handlers.NewCounter(s, "weights")
	h.grown = handlers.NewList[string](s, "grown", nil)
	h.latest = handlers.NewMap[int64](s, "latest", &handlers.ValueOptions{OfJob: true})
	handlers.Handle(s, h.node, nil)
	return handlers.NewRegistry(s)
}

// postJob notes itself. In runs that say so, its first attempt waits at the gate "hook".
func (h *hands) postJob(ctx context.Context, r *handlers.Run) error {
	attempt, err := h.ledger.count(fmt.Sprintf("%d/hook", r.Number))
	if err != nil {
		return err
	}
	e := event{What: hookBegan, Run: r.Number, Text: string(r.Status), Retry: r.Retry}
	if err := h.ledger.note(e); err != nil {
		return err
	}
	if r.Headers["hook"] == waits && attempt == 1 {
		if err := h.ledger.await(ctx, "hook"); err != nil {
			return err
		}
	}
	e.What = hookDone
	return h.ledger.note(e)
}

func (h *hands) node(ctx context.Context, t *handlers.Task[node]) error {
	n := &t.Args
	e := event{What: started, Run: t.Run.Number, Path: n.Path, Task: t.ID, Retry: t.Retry}
	// Which attempt this is must be settled before it is noted: what waits for the note
	// may pause the process with the next instruction.
	attempt := 0
	if n.Leaf == sleeps || n.Leaf == lingers || n.mood() == moodSnoozes {
		var err error
		if attempt, err = h.ledger.count(fmt.Sprintf("%d/%s", t.Run.Number, n.Path)); err != nil {
			return err
		}
	}
	if !n.Quiet {
		if err := errors.Join(h.ledger.note(e), n.setResult(t)); err != nil {
			return err
		}
	}
	h.weights.Add(t, n.weight())
	if n.Write {
		if err := errors.Join(h.grown.Append(t, n.Path), h.latest.Set(t, n.Path, t.Run.Number)); err != nil {
			return err
		}
	}
	if len(n.Fan) > 0 {
		if _, err := t.EnqueueAll(ctx, n.children()); err != nil {
			return err
		}
	} else if err := h.leaf(ctx, t, e, attempt == 1); err != nil {
		return err
	}
	switch mood := n.mood(); {
	case mood == moodFails && t.Retry == 0:
		return errMood // after the fan-out: none of it may become visible
	case mood == moodSnoozes && attempt == 1:
		return handlers.Snooze(5 * time.Millisecond)
	}
	return nil
}

// setResult sets the path as the result of the task.
func (n *node) setResult(t *handlers.Task[node]) error {
	if n.Light {
		return nil
	}
	return t.SetResult(n.Path)
}

func (h *hands) leaf(ctx context.Context, t *handlers.Task[node], e event, first bool) error {
	switch t.Args.Leaf {
	case waits:
		return h.wait(ctx, e)
	case works:
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
	case toils:
		select {
		case <-time.After(time.Duration(t.Args.draw()%40) * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	case sleeps:
		if first {
			err := h.ledger.await(context.WithoutCancel(ctx), "leaf")
			return errors.Join(err, h.late(ctx, t, e))
		}
	case lingers:
		if first {
			return h.linger(ctx, t, e)
		}
	case kills:
		os.Exit(killedItself)
	case lasts:
		select {
		case <-time.After(t.Args.For):
			e.What = ended
		case <-ctx.Done():
			e.What, e.Text = cancelled, context.Cause(ctx).Error()
		}
		return h.ledger.note(e)
	case stalls:
		select {}
	case fails:
		return errFails
	case panics:
		panicIn(t.Args.Path)
	case fathers:
		for i := range fathered {
			child := node{Path: fmt.Sprintf("%s/%d", t.Args.Path, i)}
			// A chosen ID, so that an attempt that is repeated adds none twice.
			if _, err := t.EnqueueNow(ctx, child, &enqueue.Options{ID: child.Path, IDFor: time.Hour}); err != nil {
				return err
			}
		}
		return h.wait(ctx, e)
	}
	return nil
}

// wait stands at the gate "leaf", and notes why it left.
func (h *hands) wait(ctx context.Context, e event) error {
	err := h.ledger.await(ctx, "leaf")
	e.What = ended
	if err != nil {
		e.What, e.Text = cancelled, err.Error()
	}
	return errors.Join(err, h.ledger.note(e))
}

// linger waits for the end of its context.
func (h *hands) linger(ctx context.Context, t *handlers.Task[node], e event) error {
	<-ctx.Done()
	e.What, e.Text = cancelled, context.Cause(ctx).Error()
	return errors.Join(h.ledger.note(e), h.late(ctx, t, e))
}

// late enqueues more than travels with a success, and succeeds: neither must be
// accepted from an attempt whose lease is lost.
func (h *hands) late(ctx context.Context, t *handlers.Task[node], e event) error {
	parent := node{Path: t.Args.Path + "/late", Fan: []int{1000}}
	_, err := t.EnqueueAll(context.WithoutCancel(ctx), parent.children())
	e.What, e.Text = staged, ""
	if err != nil {
		e.Text = err.Error()
	}
	return h.ledger.note(e)
}

// children are the tasks that a node enqueues.
func (n *node) children() iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for i := range n.Fan[0] {
			child := n.child(i)
			var opts *enqueue.Options
			if child.claimed() {
				opts = &enqueue.Options{ID: child.Path, IDFor: time.Hour}
			}
			if n.Once {
				opts = &enqueue.Options{MaxRetries: enqueue.NoRetries}
			}
			copies := 1
			if child.doubled() {
				copies = 2
			}
			for range copies {
				if !yield(enqueue.Task(child, opts), nil) {
					return
				}
			}
		}
	}
}

func (n *node) child(i int) node {
	c := *n
	c.Path, c.Fan = fmt.Sprintf("%s/%d", n.Path, i), n.Fan[1:]
	return c
}

// weight is what a node adds to a counter with its success. Two nodes hardly share one, so that
// the sum tells which were counted.
func (n *node) weight() int64 { return int64(n.draw() % (1 << 40)) }

type mood uint8

const (
	moodFails mood = iota + 1
	moodSnoozes
)

func (n *node) draw() uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s", n.Moods, n.Path)
	return h.Sum64() >> 7
}

func (n *node) mood() mood {
	if n.Moods == 0 {
		return 0
	}
	return mood(n.draw() % 40) // two of forty mean something
}

// claimed says that the task is enqueued under an ID of its parent's choice.
func (n *node) claimed() bool { return n.Claim || n.Moods != 0 && (n.draw()/40)%4 == 0 }

// doubled says that it is enqueued twice under that ID.
func (n *node) doubled() bool { return n.Moods != 0 && n.claimed() && (n.draw()/160)%10 == 0 }

// growth is what a tree must have become in the end.
type growth struct {
	paths      map[string]bool // false: it is counted, and never runs
	weights    int64
	retried    int64
	duplicates int64
	snoozes    map[string]bool // paths that snooze once
	quiet      bool            // nothing of it is in the ledger
	light      bool            // tasks set no results
}

// grown is what becomes of a root task.
func (n node) grown() growth {
	g := n.unborn()
	n.grow(&g)
	return g
}

// childrenGrown is what becomes of the children that a producer enqueues for the node,
// which is itself no task.
func (n node) childrenGrown() growth {
	g := n.unborn()
	n.growChildren(&g)
	return g
}

func (n node) unborn() growth {
	return growth{paths: make(map[string]bool), snoozes: make(map[string]bool), quiet: n.Quiet, light: n.Light}
}

func (n *node) grow(g *growth) {
	g.paths[n.Path] = true
	g.weights += n.weight()
	switch n.mood() {
	case moodFails:
		g.retried++
	case moodSnoozes:
		g.snoozes[n.Path] = true
	}
	n.growChildren(g)
}

func (n *node) growChildren(g *growth) {
	if len(n.Fan) == 0 {
		return
	}
	for i := range n.Fan[0] {
		c := n.child(i)
		if c.doubled() {
			g.duplicates++
		}
		c.grow(g)
	}
}
