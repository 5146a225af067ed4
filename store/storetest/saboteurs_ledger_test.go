package storetest_test

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
)

// mergesHeld counts what is held as waiting.
type mergesHeld struct{ store.Store }

func (s *mergesHeld) QueueStats(ctx context.Context, partition int) ([]store.QueueRecord, error) {
	list, err := s.Store.QueueStats(ctx, partition)
	for i := range list {
		list[i].Waiting, list[i].Held = list[i].Waiting+list[i].Held, 0
	}
	return list, err
}

// forgetsFigures forgets what became of the tasks of a route once none is left.
type forgetsFigures struct{ store.Store }

func (s *forgetsFigures) QueueStats(ctx context.Context, partition int) ([]store.QueueRecord, error) {
	list, err := s.Store.QueueStats(ctx, partition)
	var kept []store.QueueRecord
	for _, q := range list {
		if q.Waiting+q.Held+q.Delayed+q.Retrying+q.Running > 0 {
			kept = append(kept, q)
		}
	}
	return kept, err
}
