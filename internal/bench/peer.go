package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// peer is one way to do the work, connected to a server. Several may be open on
// one server at a time, as several processes would be.
type peer interface {
	// enqueue stores one task, to run after the delay, and returns when it is stored. It may
	// be called concurrently.
	enqueue(ctx context.Context, payload []byte, delay time.Duration) error
	// fill stores n tasks in batches, each with a payload of its own.
	fill(ctx context.Context, n int) error
	// work starts a worker that calls handle for every task, at most concurrency at a time. The
	// function it returns ends the worker and waits for it.
	work(ctx context.Context, concurrency int, handle func(payload []byte)) (stop func() error, err error)
	// drained returns when the store knows of n tasks of this peer as done, and of none as not done.
	drained(ctx context.Context, n int) error
	close()
}

// opener makes peers.
type opener struct {
	name string
	slow bool // does a tenth of the tasks, not to hold up the others
	open func(ctx context.Context, url string) (peer, error)
}

var openers = []opener{
	{name: "rollcall", open: openRollcall},
	{name: "asynq", slow: true, open: openAsynq},
	{name: "watermill", slow: true, open: openWatermill},
	{name: "floor", open: openFloor},
}

func peerNames() []string {
	var names []string
	for _, o := range openers {
		names = append(names, o.name)
	}
	return names
}

func selectPeers(names string) ([]opener, error) {
	var out []opener
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, o := range openers {
			if o.name == name {
				out, found = append(out, o), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no peer is named %q, only %s", name, strings.Join(peerNames(), ", "))
		}
	}
	return out, nil
}

// payloadSize is the size of most payloads, in bytes.
const payloadSize = 200

// payload is JSON, different for each task as real ones are: equal strings would cost a script
// less.
func payload(i int) []byte {
	return fmt.Appendf(make([]byte, 0, payloadSize), "\"%0*d\"", payloadSize-2, i)
}

// countdown closes done when it has been called n times.
type countdown struct {
	mu   sync.Mutex
	left int
	at   time.Time // when done was closed
	done chan struct{}
}

func newCountdown(n int) *countdown { return &countdown{left: n, done: make(chan struct{})} }

func (c *countdown) tick([]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		c.at = time.Now()
		close(c.done)
	}
}

func (c *countdown) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		return fmt.Errorf("%d tasks were not handled: %w", c.left, ctx.Err())
	}
}

// poll calls ready now and then until it is true.
func poll(ctx context.Context, ready func() (bool, error)) error {
	for {
		ok, err := ready()
		if ok || err != nil {
			return err
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
