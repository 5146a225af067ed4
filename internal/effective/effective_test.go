package effective_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/effective"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type file struct{}

func (file) Kind() string { return "file" }

type dir struct{}

func (dir) Kind() string { return "dir" }

// library is a registry of one set with two kinds, one of them with an alias.
func library(t *testing.T) *handlers.Registry {
	t.Helper()
	set := handlers.NewSet("library", handlers.SetConfig{
		Attributes: handlers.Attributes{Queue: "books", Timeout: time.Minute, Weight: 3}, RunsInReadOnly: true,
	})
	handlers.Handle(set, func(context.Context, *handlers.Task[file]) error { return nil }, &handlers.KindOptions{
		Aliases: []string{"page"}, Attributes: handlers.Attributes{MaxRetries: 7, MaxRunning: 5},
	})
	handlers.Handle(set, func(context.Context, *handlers.Task[dir]) error { return nil }, nil)
	reg, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	return reg
}

// ears hear what a test tells.
type ears struct {
	all       atomic.Bool
	mu        sync.Mutex
	listeners map[int]func(store.Signal)
	last      int
}

func (e *ears) Listen(notify func(store.Signal)) (leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.listeners == nil {
		e.listeners = make(map[int]func(store.Signal))
	}
	e.last++
	place := e.last
	e.listeners[place] = notify
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.listeners, place)
	}
}

func (e *ears) TellsAll() bool { return e.all.Load() }

func (e *ears) Every(d time.Duration) time.Duration {
	if e.all.Load() {
		return 24 * time.Hour
	}
	return d
}

func (e *ears) tell(signal signals.Type) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, notify := range e.listeners {
		notify(store.Signal{Type: signal})
	}
}

// shelf is a store that counts how often it is read, and may be slow.
type shelf struct {
	store.Store
	reads atomic.Int64
	slow  atomic.Int64 // how long reading takes, in ns
}

func (s *shelf) WatchConfigurations(ctx context.Context, sets []string) ([]store.ConfigurationRecord, error) {
	s.reads.Add(1)
	select {
	case <-time.After(time.Duration(s.slow.Load())):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.Store.WatchConfigurations(ctx, sets)
}

func (s *shelf) configure(t *testing.T, document string) {
	t.Helper()
	_, err := s.WriteConfiguration(t.Context(), store.ConfigurationWrite{
		ID:    store.ConfigurationID{Set: "library"},
		Token: fmt.Sprint(time.Now().UnixNano(), document), IfVersion: store.AnyVersion, Document: []byte(document),
	})
	require.NoError(t, err)
}

// house is a store, and two processes: one has the set in its registry, the other has not.
type house struct {
	*shelf
	ears
	with, without *effective.Sets
	log           bytes.Buffer // of with
}

func build(t *testing.T) *house {
	t.Helper()
	h := &house{shelf: &shelf{Store: memstore.New(nil)}}
	cfg := effective.Config{Store: h.shelf, Signals: &h.ears, Logger: slog.New(slog.DiscardHandler)}
	h.without = effective.New(cfg)
	cfg.Registry = library(t)
	cfg.Logger = slog.New(slog.NewTextHandler(&h.log, nil))
	h.with = effective.New(cfg)
	require.NoError(t, h.with.Publish(t.Context(), 0))
	return h
}

// both visits the process that has the set in its registry, and the other.
func (h *house) both(visit func(s *effective.Sets)) {
	visit(h.with)
	visit(h.without)
}

func (h *house) timeouts(t *testing.T) (all []time.Duration) {
	t.Helper()
	h.both(func(s *effective.Sets) {
		s.Fresh(t.Context(), "library")
		attrs, ok := s.Attributes("library", "file")
		require.True(t, ok)
		all = append(all, attrs.Timeout)
	})
	return all
}

func TestTheAnswerIsTheSameWithAndWithoutARegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		for _, document := range []string{
			`{"v":1}`,
			`{"v":1,"set":{"queue":"rare","weight":9}}`,
			`{"v":1,"set":{"timeout":1000000000},"kinds":{"file":{"max_retries":2,"max_running":-1}}}`,
			`{"v":1,"kinds":{"dir":{"queue":"slow","rate":{"events":5}},"file":{"params":{"a":1}}}}`,
			`{"v":1}`,
		} {
			h.configure(t, document)
			time.Sleep(time.Second)
			h.both(func(s *effective.Sets) { s.Fresh(t.Context(), "library") })
			was, ok := h.with.Describe("library")
			require.True(t, ok)
			is, ok := h.without.Describe("library")
			require.True(t, ok)
			require.Equal(t, was, is)
			for _, kind := range []string{"", "file", "page", "dir", "none"} {
				want, known := h.with.Attributes("library", kind)
				got, ok := h.without.Attributes("library", kind)
				require.Equal(t, known, ok, kind)
				require.Equal(t, want, got, kind)
				require.Equal(t, h.with.InForce("library", kind), h.without.InForce("library", kind), kind)
				if known {
					queue, err := h.with.Queue("library", kind)
					require.NoError(t, err)
					require.Equal(t, want.Queue, queue)
				}
			}
		}
		_, err := h.with.Queue("library", "none")
		require.ErrorIs(t, err, store.ErrInvalid, "who has a registry refuses what is not in it")
		queue, err := h.without.Queue("library", "none")
		require.NoError(t, err)
		require.Equal(t, "books", queue, "a kind inherits from its set")
		queue, err = h.without.Queue("none", "file")
		require.NoError(t, err)
		require.Equal(t, "default", queue)
	})
}

func TestWhatWasReadIsGoneByForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		h.both(func(s *effective.Sets) {
			h.reads.Store(0)
			for range 100 {
				s.Fresh(t.Context(), "library")
				time.Sleep(9 * time.Millisecond)
			}
			require.EqualValues(t, 1, h.reads.Load())
			time.Sleep(100 * time.Millisecond)
			s.Fresh(t.Context(), "library")
			require.EqualValues(t, 2, h.reads.Load())
		})
	})
}

func TestWhileSomebodyWatchesAStoreThatTellsItIsReadWhenItTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		h.all.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		changed := 0
		var watching sync.WaitGroup
		watching.Go(func() { h.with.Watch(ctx, func() { changed++ }) })
		synctest.Wait()
		require.Equal(t, 1, changed)
		for i := range 3 {
			h.configure(t, fmt.Sprintf(`{"v":1,"set":{"weight":%d}}`, i+5))
			h.tell(signals.Configuration)
			synctest.Wait()
			require.Equal(t, i+2, changed)
			h.reads.Store(0)
			for range 1000 {
				h.with.Fresh(t.Context(), "library")
				h.with.Fresh(t.Context(), "somebody else's")
				time.Sleep(time.Minute / 2)
			}
			require.EqualValues(t, 1, h.reads.Load(), "the other sets, once")
			attrs, _ := h.with.Attributes("library", "")
			require.InDelta(t, float64(i+5), attrs.Weight, 0)
		}
		h.tell(signals.Work)
		synctest.Wait()
		require.EqualValues(t, 1, h.reads.Load(), "that is about something else")
		h.tell(signals.Sync)
		synctest.Wait()
		require.EqualValues(t, 2, h.reads.Load())
		cancel()
		watching.Wait()
		h.configure(t, `{"v":1,"set":{"weight":77}}`)
		time.Sleep(time.Second)
		h.with.Fresh(t.Context(), "library")
		attrs, _ := h.with.Attributes("library", "")
		require.InDelta(t, 77, attrs.Weight, 0, "nobody watches any more")
	})
}

func TestAWatcherPollsAStoreThatDoesNotTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		ctx, cancel := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		for range 3 { // of one process: they share the work
			watching.Go(func() { h.with.Watch(ctx, func() {}) })
		}
		time.Sleep(time.Minute)
		require.InDelta(t, 4*60, h.reads.Load(), 50)
		cancel()
		watching.Wait()
	})
}

func TestNobodyGoesByTheCodeAloneWhileTheFirstReadingIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		h.configure(t, `{"v":1,"set":{"timeout":1000000000}}`)
		h.slow.Store(int64(time.Second / 2))
		h.both(func(s *effective.Sets) {
			var asking sync.WaitGroup
			for range 5 {
				asking.Go(func() {
					s.Fresh(t.Context(), "library")
					attrs, ok := s.Attributes("library", "file")
					if !ok || attrs.Timeout != time.Second {
						t.Errorf("goes by %v", attrs.Timeout)
					}
				})
				time.Sleep(10 * time.Millisecond)
			}
			asking.Wait()
		})
		require.EqualValues(t, 2, h.reads.Load())
	})
}

func TestAStoreThatDoesNotAnswerIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		require.Equal(t, []time.Duration{time.Minute, time.Minute}, h.timeouts(t))
		h.slow.Store(int64(time.Hour))
		time.Sleep(time.Minute)
		h.both(func(s *effective.Sets) {
			begun := time.Now()
			var asking sync.WaitGroup
			for range 10 {
				asking.Go(func() { s.Fresh(t.Context(), "library") })
			}
			asking.Wait()
			require.LessOrEqual(t, time.Since(begun), time.Second)
			begun = time.Now()
			s.Fresh(t.Context(), "library")
			require.Zero(t, time.Since(begun), "it was just tried")
		})
		h.slow.Store(0)
		h.configure(t, `{"v":1,"set":{"timeout":1000000000}}`)
		time.Sleep(time.Second)
		require.Equal(t, []time.Duration{time.Second, time.Second}, h.timeouts(t))
	})
}

func TestOfWhatCannotBeReadTheLastGoodOneStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		h.configure(t, `{"v":1,"set":{"timeout":2000000000}}`)
		require.Equal(t, []time.Duration{2 * time.Second, 2 * time.Second}, h.timeouts(t))
		h.configure(t, `{`)
		for range 3 {
			time.Sleep(time.Second)
			require.Equal(t, []time.Duration{2 * time.Second, 2 * time.Second}, h.timeouts(t))
		}
		require.Equal(t, 1, strings.Count(h.log.String(), events.Configured))
		require.Equal(t, 1, strings.Count(h.log.String(), events.ConfigurationUnreadable))
		h.configure(t, `{"v":1}`)
		time.Sleep(time.Second)
		require.Equal(t, []time.Duration{time.Minute, time.Minute}, h.timeouts(t))
	})
}

func TestWhatIsUnknownIsLookedForBeforeItIsSaidToBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		cfg := effective.Config{Store: s, Signals: &ears{}, Logger: slog.New(slog.DiscardHandler)}
		without := effective.New(cfg)
		_, known, err := without.Unknown(t.Context(), "library", nil)
		require.NoError(t, err)
		require.False(t, known)
		cfg.Registry = library(t)
		with := effective.New(cfg)
		require.NoError(t, with.Publish(t.Context(), 0))
		unknown, known, err := without.Unknown(t.Context(), "library", []string{"dir", "none"})
		require.NoError(t, err)
		require.True(t, known)
		require.Equal(t, []string{"none"}, unknown)

		// A worker with a later version of the set may know what the registry does not.
		later := handlers.NewSet("library", handlers.SetConfig{})
		handlers.Handle(later, func(context.Context, *handlers.Task[audio]) error { return nil }, nil)
		cfg.Registry, err = handlers.NewRegistry(later)
		require.NoError(t, err)
		require.NoError(t, effective.New(cfg).Publish(t.Context(), 0))
		for _, s := range []*effective.Sets{with, without} {
			unknown, known, err = s.Unknown(t.Context(), "library", []string{"audio", "none"})
			require.NoError(t, err)
			require.True(t, known)
			require.Equal(t, []string{"none"}, unknown)
		}
	})
}

func TestAKindOfALaterVersionIsAsItsWorkersPublishedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		h.with.Fresh(t.Context(), "library", "audio")
		_, known := h.with.Attributes("library", "audio")
		require.False(t, known)
		require.Equal(t, "books", h.with.InForce("library", "audio").Queue, "that of its set")
		set := handlers.NewSet("library", handlers.SetConfig{})
		handlers.Handle(set, func(context.Context, *handlers.Task[audio]) error { return nil }, &handlers.KindOptions{
			Attributes: handlers.Attributes{Queue: "tapes", MaxRunning: 2},
		})
		reg, err := handlers.NewRegistry(set)
		require.NoError(t, err)
		cfg := effective.Config{Store: h.shelf, Registry: reg, Signals: &h.ears, Logger: slog.New(slog.DiscardHandler)}
		require.NoError(t, effective.New(cfg).Publish(t.Context(), 0))
		h.configure(t, `{"v":1,"kinds":{"audio":{"max_running":4}}}`)
		time.Sleep(time.Second)
		h.both(func(s *effective.Sets) {
			s.Fresh(t.Context(), "library", "audio")
			attrs, known := s.Attributes("library", "audio")
			require.True(t, known)
			require.Equal(t, "tapes", attrs.Queue)
			require.Equal(t, 4, attrs.MaxRunning)
		})
		attrs, known := h.with.Attributes("library", "file")
		require.True(t, known)
		require.Equal(t, "books", attrs.Queue, "what it has is as its code says")
	})
}

type audio struct{}

func (audio) Kind() string { return "audio" }
