package enqueue_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake keeps producer streams as the contract asks, and every batch it applied.
type fake struct {
	store.Store // nil: only producers are called
	partitions  int

	// before, if set, is called ahead of each Enqueue and may refuse it.
	before func(ctx context.Context, call int) error
	// openErr refuses OpenProducer.
	openErr error
	// judge, if set, refuses entries.
	judge func(store.Entry) store.EnqueueResult
	// refuse is the answer to hold changes.
	refuse error

	mu      sync.Mutex
	streams map[string]int64
	opened  int
	calls   int
	batches []store.EnqueueParams
	open    map[string]bool // holds
	stored  int
}

func (f *fake) Partitions() int { return max(1, f.partitions) }

func (f *fake) CloseProducer(_ context.Context, _ int, stream string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.streams, stream)
	return nil
}

func (f *fake) OpenProducer(_ context.Context, _ int, stream string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.openErr != nil {
		return f.openErr
	}
	f.opened++
	if f.streams == nil {
		f.streams = make(map[string]int64)
	}
	f.streams[stream] = 0
	return nil
}

func (f *fake) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.before != nil {
		call := f.calls
		f.mu.Unlock()
		err := f.before(ctx, call)
		f.mu.Lock()
		if err != nil {
			return store.EnqueueReply{}, err
		}
	}
	last, known := f.streams[p.Stream]
	switch {
	case !known:
		return store.EnqueueReply{}, store.ErrResultUnknown
	case p.Number != last+1:
		return store.EnqueueReply{}, store.ErrStale
	}
	f.streams[p.Stream] = p.Number
	p.Entries, p.Holds = slices.Clone(p.Entries), slices.Clone(p.Holds)
	f.batches = append(f.batches, p)
	return f.apply(p), nil
}

func (f *fake) apply(p store.EnqueueParams) store.EnqueueReply {
	var reply store.EnqueueReply
	for _, h := range p.Holds {
		if f.open == nil {
			f.open = make(map[string]bool)
		}
		f.open[h.Name] = !h.Close
		reply.Holds = append(reply.Holds, f.refuse)
	}
	for _, e := range p.Entries {
		var result store.EnqueueResult
		if f.judge != nil {
			result = f.judge(e)
		}
		if result == (store.EnqueueResult{}) {
			f.stored++
		}
		reply.Entries = append(reply.Entries, result)
	}
	return reply
}

// forget drops every stream, as a day of idleness or a flush does.
func (f *fake) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streams = nil
}

var run = store.RunID{Job: "import/42", Number: 7}

type fileArgs struct {
	Path string `json:"path"`
}

func (fileArgs) Kind() string { return "file" }

func file(path string) enqueue.Item { return enqueue.Task(fileArgs{path}, nil) }

func newEnqueuer(t *testing.T, s store.Store) *enqueue.Enqueuer {
	t.Helper()
	e, err := enqueue.New(enqueue.Config{Store: s})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}
