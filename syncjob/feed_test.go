package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// picture is what somebody knows of a namespace who reads only what topics name.
type picture struct {
	m       *syncjob.Manager
	mu      sync.Mutex
	seen    map[string]string
	changed chan struct{} // has a token after each topic
	topics  map[syncjob.TopicType]int
}

func newPicture(m *syncjob.Manager) *picture {
	return &picture{m: m, seen: map[string]string{}, changed: make(chan struct{}, 1), topics: map[syncjob.TopicType]int{}}
}

// follow reads until ctx ends.
func (p *picture) follow(ctx context.Context) error {
	for topic, err := range p.m.Watch(ctx) {
		if err != nil {
			return err
		}
		fresh, err := p.read(ctx, topic)
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.topics[topic.Type]++
		if topic.Type == syncjob.TopicResync {
			clear(p.seen)
		}
		maps.DeleteFunc(p.seen, func(what, _ string) bool {
			return topic.Type == syncjob.TopicJob && strings.HasSuffix(what, " of "+topic.Job)
		})
		maps.Copy(p.seen, fresh)
		p.mu.Unlock()
		select {
		case p.changed <- struct{}{}:
		default:
		}
	}
	return nil
}

// read reads what the topic is about.
func (p *picture) read(ctx context.Context, topic syncjob.Topic) (map[string]string, error) {
	fresh, everything := map[string]string{}, topic.Type == syncjob.TopicResync
	var errs []error
	add := func(what string, value any, err error) {
		errs = append(errs, err)
		fresh[what] = fmt.Sprintf("%+v", value)
	}
	if everything || topic.Type == syncjob.TopicJob || topic.Type == syncjob.TopicRun {
		for j, err := range p.m.Jobs(ctx, nil) {
			if err != nil {
				return nil, err
			}
			if everything || topic.Job == j.Name {
				add("definition of "+j.Name, []any{j.Type, j.Revision, j.Disabled, j.Changes, j.LastRun, j.NextDue}, nil)
			}
			if r := j.Run; r != nil && (everything || topic.Job == j.Name || topic.IsAbout(p.m.Run(j.Name, r.Number))) {
				add("run of "+j.Name, []any{r.Number, r.Status, r.Counts, r.Paused}, nil)
			}
		}
	}
	if everything || topic.Type == syncjob.TopicPauses {
		pauses, err := p.m.Pauses(ctx)
		add("pauses", pauses, err)
		mode, err := p.m.Mode(ctx)
		add("mode", mode, err)
	}
	if everything || topic.Type == syncjob.TopicConfiguration {
		c, err := p.m.Configuration(ctx, "tree", nil)
		add("configuration", c.Version, err)
	}
	if everything || topic.Type == syncjob.TopicWorkers {
		workers, err := p.m.Workers(ctx)
		for i := range workers {
			workers[i] = states.Worker{Name: workers[i].Name}
		}
		add("workers", workers, err)
	}
	return fresh, errors.Join(errs...)
}

// agrees waits until the picture is that of the store.
func (p *picture) agrees(t *testing.T, by *syncjob.Manager, what string) {
	t.Helper()
	end := time.After(patience)
	for {
		truth, err := (&picture{m: by}).read(t.Context(), syncjob.Topic{Type: syncjob.TopicResync})
		require.NoError(t, err)
		p.mu.Lock()
		seen := maps.Clone(p.seen)
		p.mu.Unlock()
		if reflect.DeepEqual(truth, seen) {
			return
		}
		select {
		case <-p.changed:
		case <-end:
			require.Equal(t, truth, seen, what)
		}
	}
}

// operate does each thing that has a topic, some in random order, and calls between after each.
func operate(t *testing.T, m *syncjob.Manager, between func(what string)) {
	ctx := t.Context()
	do := func(what string, errs ...error) {
		t.Helper()
		require.NoError(t, errors.Join(errs...), what)
		between(what)
	}
	stop := work(t, m, syncjob.WorkerConfig{Name: "first", Queues: []syncjob.Queue{{Name: "none"}}})
	do("a worker starts")
	_, err := m.Ensure(ctx, syncjob.Job{Name: "mail", Set: "tree", Open: true})
	do("declare", err)
	_, err = m.Ensure(ctx, syncjob.Job{Name: "mail", Set: "tree", Open: true, Retention: time.Hour})
	do("declare otherwise", err)
	run, err := m.Start(ctx, syncjob.Job{Name: "album", Set: "tree", Open: true}, nil)
	do("start", err)
	slow := syncjob.Scope{Queue: "slow"}
	steps := map[string]func() error{
		"enqueue": func() error { _, err := run.Enqueue(ctx, leaf{}, nil); return err },
		"enqueue by name": func() error {
			_, err := m.Enqueue(ctx, "mail", leaf{}, nil)
			if errors.Is(err, syncjob.ErrJobDisabled) || errors.Is(err, syncjob.ErrJobStopped) {
				return nil
			}
			return err
		},
		"pause the run":  func() error { return run.Pause(ctx) },
		"resume the run": func() error { return run.Resume(ctx) },
		"pause a queue":  func() error { return m.Pause(ctx, slow, "because") },
		"resume a queue": func() error { return m.Resume(ctx, slow) },
		"read-only":      func() error { return m.SetMode(ctx, syncjob.ModeReadOnly) },
		"read-write":     func() error { return m.SetMode(ctx, syncjob.ModeReadWrite) },
		"stop by name":   func() error { return m.Stop(ctx, "mail", nil) },
		"enable":         func() error { return m.Enable(ctx, "mail") },
		"configure":      func() error { return configureRetries(ctx, m, rand.IntN(100)) },
		"start and delete it": func() error {
			short, err := m.Start(ctx, syncjob.Job{Name: "short", Set: "tree", Open: true}, nil)
			if err == nil {
				err = errors.Join(short.Stop(ctx, nil), short.Delete(ctx))
			}
			return err
		},
	}
	for range 3 {
		for what, step := range steps { // in random order
			do(what, step())
		}
	}
	do("stop", run.Stop(ctx, nil))
	do("delete", m.Stop(ctx, "mail", nil), m.Delete(ctx, "mail"))
	do("a worker ends", stop())
}

func configureRetries(ctx context.Context, m *syncjob.Manager, retries int) error {
	_, err := m.Configure(ctx, "tree", nil, func(c *syncjob.Configuration) error {
		c.Set.MaxRetries = retries
		return nil
	})
	return err
}

// Nothing is read without a topic, so each change had one.
func TestWhoReadsWhatTopicsNameKnowsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		p := newPicture(m)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.follow(ctx) }()
		operate(t, m, func(what string) { p.agrees(t, m, what) })
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		require.LessOrEqual(t, p.topics[syncjob.TopicResync], 2, "the first one, and that of the subscription")
		for _, topic := range []syncjob.TopicType{
			syncjob.TopicJob, syncjob.TopicRun, syncjob.TopicWorkers, syncjob.TopicPauses, syncjob.TopicConfiguration,
		} {
			require.NotZero(t, p.topics[topic], topic)
		}
	})
}

// The connections of who watches break all the time; those of who changes things do not.
func TestTopicsOverRedisSurviveLostConnections(t *testing.T) {
	server, namespace := redistest.Shared(t)
	proxy := redistest.NewProxy(t, server.Addr)
	over := func(url string) *syncjob.Manager {
		s, err := redisstore.Open(t.Context(), url, redisstore.Config{Namespace: namespace, Partitions: 2})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return managerOn(t, s, set(t, handlers.SetConfig{}, noop))
	}
	m := over(server.URL())
	p := newPicture(over(proxy.URL()))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.follow(ctx) }()
	cuts := 0
	operate(t, m, func(what string) {
		switch rand.IntN(4) {
		case 0:
			proxy.CutAll()
			cuts++
		case 1:
			p.agrees(t, m, what)
		}
	})
	p.agrees(t, m, "at the end")
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	t.Logf("%d cuts, topics: %v", cuts, p.topics)
}

// Redis signals the counts of a run four times a second. What changes between two signals is in the
// topic that comes again.
func TestTheLastOfManyFastChangesHasATopic(t *testing.T) {
	server, namespace := redistest.Shared(t)
	s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{Namespace: namespace})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	m := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
	p := newPicture(m)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.follow(ctx) }()
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	for range 6 {
		_, err = run.Enqueue(t.Context(), leaf{}, nil)
		require.NoError(t, err)
		p.agrees(t, m, "the last task")
	}
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestAWatcherThatIsSlowReadsEverythingOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		go func() { _ = newPicture(m).follow(t.Context()) }() // subscribes
		synctest.Wait()
		next, stop := iter.Pull2(m.Watch(t.Context()))
		defer stop()
		hears := func(want ...syncjob.Topic) {
			t.Helper()
			for _, w := range want {
				topic, err, _ := next()
				require.NoError(t, err)
				require.Equal(t, w, topic)
			}
		}
		resync := syncjob.Topic{Type: syncjob.TopicResync}
		hears(resync)
		begin := func(n int) (all []syncjob.Topic) {
			for i := range n {
				job := fmt.Sprintf("job %d of %d", i, n)
				run, err := m.Start(t.Context(), syncjob.Job{Name: job, Set: "tree", Open: true}, nil)
				require.NoError(t, err)
				for range 3 {
					require.NoError(t, run.Pause(t.Context()))
					require.NoError(t, run.Resume(t.Context()))
				}
				synctest.Wait()
				all = append(all,
					syncjob.Topic{Type: syncjob.TopicRun, Run: run.Number()}, syncjob.Topic{Type: syncjob.TopicJob, Job: job})
			}
			return all
		}
		hears(begin(100)...)
		begin(600)
		hears(resync)
		hears(begin(1)...)
	})
}

func TestWatchersShareOneSubscriptionAndEndWithTheirContextOrTheManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counted := &replaceable{Store: memstore.New(nil)}
		m := managerOn(t, counted, set(t, handlers.SetConfig{}, noop))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		watch := func(ctx context.Context) {
			for _, err := range m.Watch(ctx) {
				if err != nil {
					ended <- err
				}
			}
		}
		for range 10 {
			go watch(ctx)
			go watch(t.Context())
		}
		synctest.Wait()
		require.EqualValues(t, 1, counted.subscriptions.Load())
		cancel()
		for range 10 {
			require.ErrorIs(t, <-ended, context.Canceled)
		}
		go func() { _ = m.Close() }()
		for range 10 {
			require.ErrorIs(t, <-ended, syncjob.ErrClosed)
		}
	})
}

func TestATopicIsAboutTheRunThatItNames(t *testing.T) {
	m := managerOn(t, memstore.New(&memstore.Options{Partitions: 4}), set(t, handlers.SetConfig{}, noop))
	run, partition := m.Run("a", 7), store.PartitionOf("a", 4)
	require.True(t, syncjob.Topic{Type: syncjob.TopicRun, Run: 7, Partition: partition}.IsAbout(run))
	require.True(t, syncjob.Topic{Type: syncjob.TopicResync}.IsAbout(run))
	require.False(t, syncjob.Topic{Type: syncjob.TopicRun, Run: 7, Partition: (partition + 1) % 4}.IsAbout(run))
	require.False(t, syncjob.Topic{Type: syncjob.TopicRun, Run: 8, Partition: partition}.IsAbout(run))
	require.False(t, syncjob.Topic{Type: syncjob.TopicJob, Job: "a", Partition: partition}.IsAbout(run))
}
