package syncjob_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/syncjob"
)

// crowdSize is more than a worker fetches.
const crowdSize = 2000

var leavesPaused = syncjob.Scope{Kind: "leaf"}

// crowded is a worker of two slots that runs two tasks and has fetched more. Each task goes on when
// it gets a token.
type crowded struct {
	t     *testing.T
	m     *syncjob.Manager
	run   *syncjob.Run
	begun atomic.Int64
	nodes int64
	token chan struct{}

	release func() // gives tokens to all
}

// crowd brings a worker on the store there, at one moment of the clock of the bubble: any time that
// passes would have it give back what its handlers are too slow for.
func crowd(t *testing.T, s store.Store) *crowded {
	c := &crowded{t: t, token: make(chan struct{})}
	c.release = sync.OnceFunc(func() { close(c.token) })
	c.m = managerOn(t, s, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
		if c.begun.Add(1) > 40 { // the first are quick, so that more are fetched
			<-c.token
		}
		return nil
	}))
	run, err := c.m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	c.run = run
	work(t, c.m, syncjob.WorkerConfig{Concurrency: 2})
	t.Cleanup(c.release)    // before the worker is stopped, also if the test fails
	time.Sleep(time.Second) // so that a heartbeat may come at once
	_, err = run.EnqueueAll(t.Context(), leaves(crowdSize), nil)
	require.NoError(t, err)
	require.Greater(t, c.held(), int64(3), "some are prefetched")
	return c
}

// held is how many tasks the worker holds once it has nothing more to do at this moment.
func (c *crowded) held() int64 {
	c.t.Helper()
	synctest.Wait()
	state, err := c.run.State(c.t.Context())
	require.NoError(c.t, err)
	return state.Counts.Running
}

// endsWell requires that nothing begins while the kind is paused, and that everything runs once
// afterwards.
func (c *crowded) endsWell() {
	c.t.Helper()
	before := c.begun.Load()
	c.release()
	time.Sleep(time.Hour)
	require.Equal(c.t, before, c.begun.Load(), "nothing begins while it is paused")
	state, err := c.run.State(c.t.Context())
	require.NoError(c.t, err)
	require.Equal(c.t, before+c.nodes, state.Counts.Succeeded)
	require.Zero(c.t, state.Retried, "what is given back is no attempt")
	require.NoError(c.t, c.m.Resume(c.t.Context(), leavesPaused))
	require.NoError(c.t, c.run.Seal(c.t.Context()))
	await(c.t, c.run)
	require.EqualValues(c.t, crowdSize, c.begun.Load())
}

// Each of the ways in which a worker learns of a pause is enough.
func TestAWorkerGivesBackWhatItHasNotBegun(t *testing.T) {
	for _, how := range []string{"signal", "sync", "heartbeat", "fetch"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &toldBy{Store: memstore.New(nil), how: how}
				c := crowd(t, s)
				held, fetches := c.held(), s.fetches.Load()
				require.NoError(t, c.m.Pause(t.Context(), leavesPaused, ""))
				switch how {
				case "heartbeat":
					require.Equal(t, held, c.held(), "it has not heard of the pause")
					// Its run has moved, so that the next one comes at once.
					_, err := c.run.Enqueue(t.Context(), node{}, &enqueue.Options{Delay: time.Minute})
					require.NoError(t, err)
					c.nodes++
				case "fetch":
					for synctest.Wait(); s.fetches.Load() == fetches; held-- {
						require.Equal(t, held, c.held(), "it has not heard of the pause")
						c.token <- struct{}{} // it asks for more when enough has ended
						synctest.Wait()
					}
				}
				require.LessOrEqual(t, c.held(), int64(2), "what runs goes on, the rest is given back")
				c.endsWell()
			})
		})
	}
}

// toldBy is a store that tells of pauses in one way only.
type toldBy struct {
	store.Store
	how     string
	fetches atomic.Int64
	paused  atomic.Bool
}

func (s *toldBy) Pause(ctx context.Context, partition int, p store.Pause) error {
	s.paused.Store(true)
	return s.Store.Pause(ctx, partition, p)
}

func (s *toldBy) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	return s.Store.Subscribe(ctx, func(sig store.Signal) {
		switch {
		case s.how == "heartbeat" && sig.Type == signals.Run && !s.paused.Load(): // or one has just been made
		case sig.Type != signals.Pause || s.how == "signal":
			fn(sig)
		case s.how == "sync":
			fn(store.Signal{Type: signals.Sync, Partition: sig.Partition})
		}
	})
}

func (s *toldBy) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	reply, err := s.Store.Fetch(ctx, p)
	if s.fetches.Add(1); s.how != "fetch" {
		reply.Pauses = 0
	}
	return reply, err
}

func (s *toldBy) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	reply, err := s.Store.Heartbeat(ctx, p)
	if s.how != "heartbeat" {
		reply.Pauses = 0
	}
	return reply, err
}

func TestWhatArrivesAfterAPauseWasHeardIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &lateFetches{Store: memstore.New(nil), late: make(chan struct{})}
		var begun atomic.Int64
		m := managerOn(t, s, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			begun.Add(1)
			return nil
		}))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		_, err = run.EnqueueAll(t.Context(), leaves(20), nil)
		require.NoError(t, err)
		work(t, m, syncjob.WorkerConfig{})
		synctest.Wait()
		require.NoError(t, m.Pause(t.Context(), leavesPaused, ""))
		synctest.Wait()
		close(s.late)
		time.Sleep(time.Minute)
		require.Zero(t, begun.Load(), "it was leased before the pause, and arrived after it")
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 20, state.Counts.Pending)
		require.NoError(t, m.Resume(t.Context(), leavesPaused))
		require.NoError(t, run.Seal(t.Context()))
		await(t, run)
		require.EqualValues(t, 20, begun.Load())
	})
}

// lateFetches is a store whose replies to fetches that deliver are late.
type lateFetches struct {
	store.Store
	late chan struct{}
}

func (s *lateFetches) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	reply, err := s.Store.Fetch(ctx, p)
	if len(reply.Deliveries) > 0 {
		<-s.late
	}
	return reply, err
}
