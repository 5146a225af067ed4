package storetest_test

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// listsHeldOnly lists semaphores that somebody holds.
type listsHeldOnly struct{ store.Store }

func (s *listsHeldOnly) SemaphoreKeys(ctx context.Context, p store.KeysParams) ([]string, error) {
	keys, err := s.Store.SemaphoreKeys(ctx, p)
	return slices.DeleteFunc(keys, func(key string) bool {
		rec, _ := s.Semaphore(ctx, key)
		return len(rec.Holders) == 0
	}), err
}

// listsTheGone lists every semaphore that ever was.
type listsTheGone struct {
	store.Store
	known []string
}

func (s *listsTheGone) AcquireSemaphore(ctx context.Context, p store.SemaphoreClaim) (store.SemaphoreReply, error) {
	s.known = append(s.known, p.Key)
	return s.Store.AcquireSemaphore(ctx, p)
}

func (s *listsTheGone) SemaphoreKeys(_ context.Context, p store.KeysParams) (keys []string, err error) {
	for _, key := range slices.Compact(slices.Sorted(slices.Values(s.known))) {
		if key > p.After && len(keys) < p.Limit {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// skipsAKey begins each page but the first one key too late.
type skipsAKey struct{ store.Store }

func (s *skipsAKey) SemaphoreKeys(ctx context.Context, p store.KeysParams) ([]string, error) {
	if p.After == "" {
		return s.Store.SemaphoreKeys(ctx, p)
	}
	p.Limit++
	keys, err := s.Store.SemaphoreKeys(ctx, p)
	return keys[min(1, len(keys)):], err
}

// hidesWhoWaits tells only of holders that have something.
type hidesWhoWaits struct{ store.Store }

func (s *hidesWhoWaits) Limit(ctx context.Context, limit string) (store.LimitRecord, error) {
	rec, err := s.Store.Limit(ctx, limit)
	rec.Holders = slices.DeleteFunc(rec.Holders, func(h store.LimitHolder) bool { return h.Held+h.Tokens == 0 })
	return rec, err
}

// hidesSilence tells of no holder that it is silent.
type hidesSilence struct{ store.Store }

func (s *hidesSilence) Limit(ctx context.Context, limit string) (store.LimitRecord, error) {
	rec, err := s.Store.Limit(ctx, limit)
	for i := range rec.Holders {
		rec.Holders[i].Silent = false
	}
	return rec, err
}

// listsNoCounters leaves out the counters of runs.
type listsNoCounters struct{ store.Store }

func (s *listsNoCounters) ListValues(ctx context.Context, p store.ValuesParams) (store.ValuesPage, error) {
	page, err := s.Store.ListValues(ctx, p)
	page.Values = slices.DeleteFunc(page.Values, func(v store.ValueRecord) bool { return p.Scope.InRecord(v.Type) })
	return page, err
}

// hidesExpiry tells of no value when it expires.
type hidesExpiry struct{ store.Store }

func (s *hidesExpiry) ListValues(ctx context.Context, p store.ValuesParams) (store.ValuesPage, error) {
	page, err := s.Store.ListValues(ctx, p)
	for i := range page.Values {
		page.Values[i].Expires = time.Time{}
	}
	return page, err
}

// releasesLater also ends the leases that were given since.
type releasesLater struct{ store.Store }

func (s *releasesLater) ForceReleaseSemaphore(ctx context.Context, key string, first, _ int64) (int, error) {
	return s.Store.ForceReleaseSemaphore(ctx, key, first, math.MaxInt64)
}

// countsTwice has two points for each.
type countsTwice struct{ store.Store }

func (s *countsTwice) ReadHistory(ctx context.Context, p store.HistoryParams) ([]store.HistoryPoint, error) {
	points, err := s.Store.ReadHistory(ctx, p)
	for i := range points {
		points[i].Succeeded *= 2
	}
	return points, err
}

// changesTimes changes the histograms that come.
type changesTimes struct {
	store.Store
	to func(t store.Times) store.Times
}

func (s *changesTimes) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	p.Times = slices.Clone(p.Times)
	for i := range p.Times {
		p.Times[i].Times = s.to(p.Times[i].Times)
	}
	return s.Store.Settle(ctx, p)
}

// notesNothing has no history.
type notesNothing struct{ store.Store }

func (s *notesNothing) ReadHistory(context.Context, store.HistoryParams) ([]store.HistoryPoint, error) {
	return nil, nil
}

// readsAll has the points of all minutes.
type readsAll struct{ store.Store }

func (s *readsAll) ReadHistory(ctx context.Context, p store.HistoryParams) ([]store.HistoryPoint, error) {
	p.From = p.From.Add(-time.Minute)
	p.To = p.To.Add(time.Minute)
	return s.Store.ReadHistory(ctx, p)
}
