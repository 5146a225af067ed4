package storetest_test

import (
	"context"
	"slices"
	"sync"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// changesResults settles outcomes as a function leaves them.
type changesResults struct {
	store.Store
	change func(s store.Store, o *store.Outcome)
}

func (s *changesResults) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	p.Outcomes = slices.Clone(p.Outcomes)
	for i := range p.Outcomes {
		s.change(s.Store, &p.Outcomes[i])
	}
	return s.Store.Settle(ctx, p)
}

func keepsResultsForever(_ store.Store, o *store.Outcome) { o.Keep.Age = 0 }

func keepsAllResults(_ store.Store, o *store.Outcome) { o.Keep.Number = 0 }

// dropsLateResults drops the result of a task whose run is stopping.
func dropsLateResults(s store.Store, o *store.Outcome) {
	if r, err := s.Run(context.Background(), o.Lease.Lane.Run); err == nil && r.Status == statuses.Stopping {
		o.Result = nil
	}
}

// notesResults answers also with results of attempts that the store has not accepted: of one
// verdict, or of all.
type notesResults struct {
	store.Store
	only  verdicts.Verdict // 0 for all
	mu    sync.Mutex
	noted map[store.RunID][]store.TaskResult
}

func (s *notesResults) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noted == nil {
		s.noted = make(map[store.RunID][]store.TaskResult)
	}
	for i := range p.Outcomes {
		o := &p.Outcomes[i]
		r, _ := o.TaskResult()
		if run := o.Lease.Lane.Run; len(o.Result) > 0 && (s.only == 0 || o.Verdict == s.only) {
			s.noted[run] = append(s.noted[run], r)
		}
	}
	return s.Store.Settle(ctx, p)
}

func (s *notesResults) Results(ctx context.Context, p store.ResultsParams) (store.ResultsReply, error) {
	reply, err := s.Store.Results(ctx, p)
	if err != nil || reply.Next != "" || len(reply.Results) > 0 {
		return reply, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.noted[p.Run] {
		if p.ID == "" || p.ID == r.ID {
			return store.ResultsReply{Results: []store.TaskResult{r}}, nil
		}
	}
	return reply, nil
}

// repeatsPages begins each page with the last result of the page before.
type repeatsPages struct{ store.Store }

func (s *repeatsPages) Results(ctx context.Context, p store.ResultsParams) (store.ResultsReply, error) {
	reply, err := s.Store.Results(ctx, p)
	if n := len(reply.Results); reply.Next != "" && n > 1 {
		reply.Next = reply.Results[n-2].Cursor()
	}
	return reply, err
}
