package effective_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/effective"
	"github.com/rollcall-go/rollcall/store"
)

// book is a store in which one run has a document.
type book struct {
	store.Configurations
	document atomic.Pointer[string]
	err      atomic.Pointer[error]
	reads    atomic.Int64
	slow     time.Duration
}

func (b *book) Configuration(ctx context.Context, _ store.ConfigurationID) (store.ConfigurationRecord, error) {
	b.reads.Add(1)
	select {
	case <-time.After(b.slow):
	case <-ctx.Done():
		return store.ConfigurationRecord{}, ctx.Err()
	}
	if err := b.err.Load(); err != nil {
		return store.ConfigurationRecord{}, *err
	}
	return store.ConfigurationRecord{Version: 1, Document: []byte(*b.document.Load())}, nil
}

func (b *book) write(document string) { b.document.Store(&document) }

func (b *book) fail(err error) { b.err.Store(&err) }

// desk is a worker that holds tasks of a run, in two sessions.
type desk struct {
	*book
	runs *effective.Runs
	held [2]effective.Run
}

func sit(t *testing.T) *desk {
	t.Helper()
	d := &desk{book: &book{slow: time.Second}}
	d.runs = effective.NewRuns(d.book, handlers.NewLive(library(t)), slog.New(slog.DiscardHandler))
	for i := range d.held {
		d.held[i].ID, d.held[i].Set = store.RunID{Job: "a", Number: 7}, "library"
	}
	return d
}

// obey has all sessions obey a mark at once, and returns what they go by then.
func (d *desk) obey(ctx context.Context, mark int64) (timeouts []time.Duration) {
	var obeying sync.WaitGroup
	for i := range d.held {
		obeying.Go(func() { d.runs.Obey(ctx, &d.held[i], mark) })
	}
	obeying.Wait()
	for i := range d.held {
		var timeout time.Duration
		if live := d.held[i].Live(); live != nil {
			attrs, _ := live.Attributes("library", "file")
			timeout = attrs.Timeout
		}
		timeouts = append(timeouts, timeout)
	}
	return timeouts
}

func both(d time.Duration) []time.Duration { return []time.Duration{d, d} }

func TestTheConfigurationOfARunIsReadOnceForEachMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := sit(t)
		require.Equal(t, both(0), d.obey(t.Context(), 0))
		require.Zero(t, d.reads.Load(), "it has none of its own")
		for i, mark := range []int64{500, 900, 500} { // the server lost the second change
			d.write([]string{
				`{"v":1,"set":{"timeout":1000000000}}`,
				`{"v":1,"set":{"timeout":2000000000}}`,
				`{"v":1,"set":{"timeout":1000000000}}`,
			}[i])
			want := []time.Duration{time.Second, 2 * time.Second, time.Second}[i]
			require.Equal(t, both(want), d.obey(t.Context(), mark))
			require.Equal(t, both(want), d.obey(t.Context(), mark))
			require.EqualValues(t, i+1, d.reads.Load())
		}
		d.write(`{"v":1}`)
		require.Equal(t, both(time.Minute), d.obey(t.Context(), 0), "the server lost the first, too")
		require.EqualValues(t, 4, d.reads.Load())
	})
}

func TestWhatCannotBeReadOfARunLeavesWhatWasInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := sit(t)
		d.write(`{"v":1,"set":{"timeout":1000000000}}`)
		require.Equal(t, both(time.Second), d.obey(t.Context(), 1))
		d.write(`{`)
		require.Equal(t, both(time.Second), d.obey(t.Context(), 2))
		require.EqualValues(t, 2, d.reads.Load())
		d.obey(t.Context(), 2)
		require.EqualValues(t, 2, d.reads.Load(), "reading it again would not help")

		d.fail(store.ErrUnavailable)
		require.Equal(t, both(time.Second), d.obey(t.Context(), 3))
		d.err.Store(nil)
		d.write(`{"v":1,"set":{"timeout":3000000000}}`)
		require.Equal(t, both(3*time.Second), d.obey(t.Context(), 3), "it is read again")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		d.write(`{"v":1,"set":{"timeout":4000000000}}`)
		require.Equal(t, both(3*time.Second), d.obey(ctx, 4), "nobody waits longer than they may")
		require.Equal(t, both(4*time.Second), d.obey(t.Context(), 4))
	})
}
