package storetest_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is the harness of a store in memory, in virtual time.
func memory() storetest.Harness {
	return storetest.Harness{
		New:    func(testing.TB) store.Store { return memstore.New(nil) },
		Bubble: true,
	}
}

func TestSuiteOnMemory(t *testing.T) { storetest.Run(t, memory()) }

// counted is a store of a third party that wraps another one: it adds to one method, and keeps the
// optional interface.
type counted struct {
	store.Store
	started atomic.Int64
}

func (c *counted) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	reply, err := c.Store.StartRun(ctx, p)
	if err == nil && !reply.Existing {
		c.started.Add(1)
	}
	return reply, err
}

func (c *counted) SignalsAreComplete() bool { return store.SignalsAreComplete(c.Store) }

func TestSuiteOnAWrapper(t *testing.T) {
	var started int64
	h := memory()
	h.New = func(tb testing.TB) store.Store {
		c := &counted{Store: memstore.New(nil)}
		tb.Cleanup(func() { started += c.started.Load() })
		return c
	}
	storetest.Run(t, h)
	require.Positive(t, started)
	require.True(t, store.SignalsAreComplete(store.WithRetry(h.New(t), nil)), "also behind the checks")
}

func TestModelOnMemory(t *testing.T) {
	storetest.RunModel(t, memory(), storetest.ModelOptions{Sequences: 500})
}
