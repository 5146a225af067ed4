package faults

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob"
)

// bulky is a node whose arguments are that many bytes of JSON.
func bulky(path string, bytes int) node {
	n := node{Path: path, Bulk: "x"}
	n.Bulk = strings.Repeat("x", bytes-len(`{"p":"","b":""}`)-len(path))
	return n
}

// writes counts the calls by which users' input comes into the store, through the proxy, from
// now on. What managers and workers ask for by themselves is not among them.
func (w *world) writes() *atomic.Int64 {
	n := new(atomic.Int64)
	writes := w.anyCall("start_run", "enqueue", "ensure_job", "acquire_semaphore", "write_values")
	w.proxy.Inject(redistest.Fault{Match: func(c redistest.Command) bool {
		if writes(c) {
			n.Add(1)
		}
		return false
	}})
	return n
}

func sequence(nodes ...node) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for _, n := range nodes {
			if !yield(enqueue.Task(n, nil), nil) {
				return
			}
		}
	}
}

func payloadOrBatchAtTheLimit(t *testing.T) {
	w := newWorld(t, longLease, nil)
	atLimit, over := bulky("root", bounds.DefaultMaxPayload), bulky("root", bounds.DefaultMaxPayload+1)
	sent := w.writes()

	// One over: a typed error that names the field, before anything is sent.
	refused := func(err error, typed error, field string) {
		t.Helper()
		require.ErrorIs(t, err, typed)
		require.ErrorIs(t, err, syncjob.ErrInvalid)
		bad := (*syncjob.FieldError)(nil)
		require.ErrorAs(t, err, &bad)
		require.Contains(t, bad.Field, field)
		require.Zero(t, sent.Load(), "something was sent")
	}
	_, err := w.m.Start(t.Context(), syncjob.Job{Name: jobName, Set: "tree", Root: over}, nil)
	refused(err, syncjob.ErrPayloadTooLarge, "Root")

	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Root: atLimit, Open: true}, growth{paths: map[string]bool{"root": true}})
	many := make([]node, 0, 9)
	for _, path := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		many = append(many, bulky(path, bounds.DefaultMaxPayload))
		s.want.paths[path] = true
	}
	_, err = s.EnqueueAll(t.Context(), sequence(many...), nil)
	require.NoError(t, err)
	sent.Store(0)
	_, err = s.Enqueue(t.Context(), over, nil)
	refused(err, syncjob.ErrPayloadTooLarge, "Payload")
	_, err = s.EnqueueAll(t.Context(), sequence(node{Path: "never sent"}, over), nil)
	refused(err, syncjob.ErrPayloadTooLarge, "Payload")
	for field, opts := range map[string]*enqueue.Options{
		"ID":      {ID: strings.Repeat("i", bounds.MaxTaskIDLen+1)},
		"Headers": {Headers: map[string]string{"h": strings.Repeat("v", encode.MaxHeaderBytes)}},
		"Queue":   {Queue: strings.Repeat("q", bounds.MaxNameLen+1)},
	} {
		_, err = s.Enqueue(t.Context(), node{Path: "never sent"}, opts)
		refused(err, syncjob.ErrInvalid, field)
	}
	_, err = s.Enqueue(t.Context(), node{Path: "longest"}, &enqueue.Options{
		ID: strings.Repeat("i", bounds.MaxTaskIDLen), Headers: map[string]string{"h": strings.Repeat("v", encode.MaxHeaderBytes-1)},
	})
	require.NoError(t, err)
	s.want.paths["longest"] = true

	value := values.NewValue[string](w.m.Values(), store.JobScope(jobName), "bulk")
	sent.Store(0)
	refused(value.Set(t.Context(), strings.Repeat("x", bounds.MaxValueLen-1)), syncjob.ErrInvalid, "Value") // with two quotes
	require.NoError(t, value.Set(t.Context(), strings.Repeat("x", bounds.MaxValueLen-2)))
	require.Positive(t, sent.Load(), "writes of values are counted")

	// Handlers meet the same limits: the child that is too large is refused, and the handler fails.
	fat := node{Path: "fat", Fan: []int{3}, Bulk: over.Bulk[:len(over.Bulk)-30]}
	_, err = s.Enqueue(t.Context(), fat, &enqueue.Options{MaxRetries: enqueue.NoRetries})
	require.NoError(t, err)
	s.want.paths["fat"] = true
	for i := range 3 {
		s.want.paths[fat.child(i).Path] = true
	}
	worker := w.worker(4)
	require.NoError(t, s.Seal(t.Context()))
	s.requireGrown(0)

	w.batchesAtTheLimit(s)
	worker.drain()
	s.requireNothingLeft()
}

// batchesAtTheLimit makes calls of the store's own contract that carry as much as is
// allowed, and one more.
func (w *world) batchesAtTheLimit(beside *subject) {
	t := w.t
	proxy, sent := redistest.NewProxy(t, w.server.Addr), new(atomic.Int64) // nobody else's
	proxy.Inject(redistest.Fault{Match: func(c redistest.Command) bool {
		if redistest.Work(c) {
			sent.Add(1)
		}
		return false
	}})
	s, err := redisstore.Open(t.Context(), proxy.URL(), redisstore.Config{Namespace: w.namespace})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	run := store.RunID{Job: beside.Job(), Number: beside.Number()}
	entry := store.Entry{Run: run, Item: store.Item{Route: store.Route{Queue: "q", Set: "tree", Kind: "node"}, Task: store.Task{ID: "a"}}}
	entries := make([]store.Entry, bounds.MaxBatch+1)
	outcomes := make([]store.Outcome, bounds.MaxBatch+1)
	session := store.SessionID{ID: "limits"}
	lease := store.Lease{Session: session.ID, Lane: store.Lane{Run: run, Route: entry.Item.Route}}
	for i := range entries {
		entries[i] = entry
		lease.Index = i
		outcomes[i] = store.Outcome{Lease: lease, Verdict: verdicts.Success}
	}
	require.NoError(t, s.OpenProducer(t.Context(), 0, "limits"))
	require.NoError(t, s.OpenSession(t.Context(), session, store.WorkerInfo{Name: "limits"}, time.Minute))
	calls := map[string]func(ctx context.Context, n int) error{
		"Enqueue": func(ctx context.Context, n int) error {
			_, err := s.Enqueue(ctx, store.EnqueueParams{Stream: "limits", Number: 1, Entries: entries[:n]})
			return err
		},
		"Settle": func(ctx context.Context, n int) error {
			_, err := s.Settle(ctx, store.SettleParams{Session: session, Number: 1, Outcomes: outcomes[:n]})
			return err
		},
		"Fetch": func(ctx context.Context, n int) error {
			_, err := s.Fetch(
				ctx,
				store.FetchParams{
					Session: session,
					Number:  1,
					Max:     n,
					Queues:  []store.FetchQueue{{Queue: "q", Routes: []store.Route{entry.Item.Route}}},
				},
			)
			return err
		},
		"Stage": func(ctx context.Context, n int) error {
			items := make([]store.Item, n)
			for i := range items {
				items[i] = entry.Item
			}
			err := s.Stage(ctx, store.StageParams{Session: session, Lease: lease, Route: entry.Item.Route, Items: items})
			if errors.Is(err, store.ErrLeaseLost) { // it is nobody's lease: the batch was looked at
				return nil
			}
			return err
		},
	}
	for name, call := range calls {
		require.NoError(t, call(t.Context(), bounds.MaxBatch), name)
		sent.Store(0)
		err := call(t.Context(), bounds.MaxBatch+1)
		require.ErrorIs(t, err, store.ErrInvalid, name)
		require.Zero(t, sent.Load(), "%s has sent something", name)
	}
	require.NoError(t, s.CloseSession(t.Context(), session))
}
