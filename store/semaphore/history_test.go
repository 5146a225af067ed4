package semaphore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
)

const (
	historySlots = 2
	historyTTL   = 400 * time.Millisecond
)

// step is one call about the semaphore and its answer. Times are the store's, which is the clock
// of this machine: call and back bound the moment at which the store decided.
type step struct {
	verb       string // acquire, refresh, release
	token      string
	call, back time.Time
	repeated   bool // a reply was lost, so that the store decided more than once

	ok      bool
	fence   int64     // acquire
	now     time.Time // acquire: when the store decided
	expires time.Time // acquire, refresh
}

// held is the model's state: the leases that were given, less those known to have ended.
type held struct {
	fence  int64 // of the last lease
	leases []modelLease
}

type modelLease struct {
	token   string
	expires time.Time
}

func (h held) find(token string) int {
	return slices.IndexFunc(h.leases, func(l modelLease) bool { return l.token == token })
}

func (h held) without(i int) held {
	return held{h.fence, slices.Delete(slices.Clone(h.leases), i, i+1)}
}

// semaphoreModel is a semaphore in which each call takes effect at one instant.
var semaphoreModel = porcupine.Model{
	Init:  func() any { return held{} },
	Step:  func(state, _, output any) (bool, any) { return advance(state.(held), output.(step)) },
	Equal: func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) },
	DescribeOperation: func(_, output any) string {
		s := output.(step)
		return fmt.Sprintf("%s %s: %t %d", s.verb, s.token, s.ok, s.fence)
	},
}

// advance makes a step, and reports whether a semaphore may answer so.
func advance(h held, s step) (bool, held) {
	at := h.find(s.token)
	from := s.call.Truncate(time.Millisecond) // a server tells its clock in milliseconds
	switch {
	case s.verb == "acquire":
		h.leases = slices.DeleteFunc(slices.Clone(h.leases), func(l modelLease) bool { return !s.now.Before(l.expires) })
		if !s.ok {
			return len(h.leases) >= historySlots, h
		}
		grown := s.fence > h.fence && len(h.leases) < historySlots
		return grown, held{s.fence, append(h.leases, modelLease{s.token, s.expires})}
	case s.ok && s.verb == "release" && s.repeated: // it ended with a try whose reply was lost, or with its time
		if at >= 0 {
			h = h.without(at)
		}
		return true, h
	case s.ok: // held until the store decided
		if at < 0 || !from.Before(h.leases[at].expires) {
			return false, h
		}
		h = h.without(at)
		if s.verb == "refresh" {
			h.leases = append(h.leases, modelLease{s.token, s.expires})
		}
		return true, h
	case at < 0: // lost
		return true, h
	default: // lost since its time had passed
		return !s.back.Before(h.leases[at].expires), h.without(at)
	}
}

// history records what the clients of one semaphore did.
type history struct {
	began time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
}

func (h *history) add(client int, s step) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{
		ClientId: client, Output: s, Call: int64(s.call.Sub(h.began)), Return: int64(s.back.Sub(h.began)),
	})
}

// forgetful is a store of one client that loses a reply now and then, never twice in a row.
type forgetful struct {
	store.Store
	random *rand.Rand
	lost   bool // since it was last cleared
}

func forget[R any](f *forgetful, v R, err error) (R, error) {
	if !f.lost && f.random.IntN(5) == 0 {
		f.lost = true
		var none R
		return none, store.Transient(errors.New("reply lost"))
	}
	return v, err
}

func (f *forgetful) AcquireSemaphore(ctx context.Context, p store.SemaphoreClaim) (store.SemaphoreReply, error) {
	v, err := f.Store.AcquireSemaphore(ctx, p)
	return forget(f, v, err)
}

func (f *forgetful) RefreshSemaphore(ctx context.Context, key, token string, ttl time.Duration) (time.Time, error) {
	v, err := f.Store.RefreshSemaphore(ctx, key, token, ttl)
	return forget(f, v, err)
}

func (f *forgetful) ReleaseSemaphore(ctx context.Context, key, token string) error {
	_, err := forget(f, struct{}{}, f.Store.ReleaseSemaphore(ctx, key, token))
	return err
}

// client acquires, refreshes, releases, stands still past the end of its lease, and dies while it
// holds one, at random.
func client(ctx context.Context, s store.Store, h *history, name int, seed uint64, rounds int) error {
	random := rand.New(rand.NewPCG(seed, uint64(name)))
	lossy := &forgetful{Store: s, random: random}
	retrying := store.WithRetry(lossy, nil)
	record := func(st step, call func(*step) error) (bool, error) {
		lossy.lost = false
		st.call = time.Now()
		err := call(&st)
		st.back, st.repeated, st.ok = time.Now(), lossy.lost, err == nil && st.ok
		if err != nil && !errors.Is(err, store.ErrLeaseLost) {
			return false, err
		}
		h.add(name, st)
		return st.ok, nil
	}
	wait := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	for round := range rounds {
		token := fmt.Sprintf("%d.%d", name, round)
		granted, err := record(step{verb: "acquire", token: token}, func(st *step) error {
			r, err := retrying.AcquireSemaphore(
				ctx, store.SemaphoreClaim{Key: "k", Token: token, Holder: token, Max: historySlots, TTL: historyTTL},
			)
			st.ok, st.fence, st.now, st.expires = r.Granted, r.Lease.Fence, r.Now, r.Lease.Expires
			if st.ok {
				st.now = r.Lease.Acquired // a repeat answers later
			}
			return err
		})
		if err != nil {
			return err
		}
		if !granted {
			wait(time.Duration(random.Int64N(int64(historyTTL / 8))))
			continue
		}
		for lives := true; lives; {
			wait(time.Duration(random.Int64N(int64(historyTTL / 4))))
			verb := "refresh"
			switch random.IntN(10) {
			case 0: // dies: its lease ends with its time
				lives = false
				continue
			case 1: // stands still
				wait(historyTTL + historyTTL/8)
			case 2, 3, 4, 5:
				verb = "release"
			}
			ok, err := record(step{verb: verb, token: token}, func(st *step) (err error) {
				st.ok = true
				if verb == "release" {
					return retrying.ReleaseSemaphore(ctx, "k", token)
				}
				st.expires, err = retrying.RefreshSemaphore(ctx, "k", token, historyTTL)
				return err
			})
			if err != nil {
				return err
			}
			lives = ok && verb == "refresh"
		}
	}
	return nil
}

// play lets clients loose on one semaphore of the stores, and checks what they saw.
func play(t *testing.T, seed uint64, clients, rounds int, stores ...store.Store) {
	t.Helper()
	h := &history{began: time.Now()}
	errs := make([]error, clients)
	group := lifecycle.New(t.Context())
	for i := range clients {
		group.Go(func(ctx context.Context) { errs[i] = client(ctx, stores[i%len(stores)], h, i, seed, rounds) })
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))
	require.GreaterOrEqual(t, len(h.ops), clients*rounds)
	checkHistory(t, seed, h.ops)
}

func checkHistory(t *testing.T, seed uint64, ops []porcupine.Operation) {
	t.Helper()
	if result := porcupine.CheckOperationsTimeout(semaphoreModel, ops, time.Minute); result != porcupine.Ok {
		var b strings.Builder
		for _, op := range ops {
			fmt.Fprintf(&b, "%+v\n", op.Output)
		}
		t.Fatalf("no semaphore answers so (%v, seed %d):\n%s", result, seed, b.String())
	}
}

func TestHistoriesInMemoryAreThoseOfASemaphore(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) { play(t, seed, 6, 12, memstore.New(nil)) })
	}
}

func TestHistoriesOnRedisAreThoseOfASemaphore(t *testing.T) {
	open := onRedis(t)
	play(t, 1, 8, 10, open(), open(), open())
}

func TestTheCheckOfHistoriesSeesFaults(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(1000 + ms)) }
	acquire := func(token string, ms int, fence int64) step {
		return step{
			verb:    "acquire",
			token:   token,
			call:    at(ms),
			back:    at(ms),
			now:     at(ms),
			ok:      true,
			fence:   fence,
			expires: at(ms).Add(historyTTL),
		}
	}
	end := func(verb, token string, ms int, ok bool) step {
		return step{verb: verb, token: token, call: at(ms), back: at(ms), ok: ok, expires: at(ms).Add(historyTTL)}
	}
	refused := step{verb: "acquire", token: "r", call: at(2), back: at(2), now: at(2)}
	for name, steps := range map[string][]step{
		"one too many":                   {acquire("a", 0, 1), acquire("b", 1, 2), acquire("c", 2, 3)},
		"a number again":                 {acquire("a", 0, 1), end("release", "a", 1, true), acquire("b", 2, 1)},
		"refused though a place is free": {acquire("a", 0, 1), refused},
		"refused after a release":        {acquire("a", 0, 1), acquire("b", 0, 2), end("release", "a", 1, true), refused},
		"lost before its time":           {acquire("a", 0, 1), end("refresh", "a", 1, false)},
		"refreshed after its time":       {acquire("a", 0, 1), end("refresh", "a", 400, true)},
		"released twice":                 {acquire("a", 0, 1), end("release", "a", 1, true), end("release", "a", 2, true)},
	} {
		h := &history{began: at(0)}
		for i, s := range steps {
			s.back = s.back.Add(time.Duration(i)) // one after the other
			s.call = s.call.Add(time.Duration(i))
			h.add(i, s)
		}
		require.Equal(t, porcupine.Illegal, porcupine.CheckOperationsTimeout(semaphoreModel, h.ops, time.Minute), name)
	}
}
