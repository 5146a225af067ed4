package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/rules"
)

// Modes of leases and waiters as they are stored.
const (
	modeShared    = "s"
	modeExclusive = "x"
)

// semaphoreCall begins a call of a script about one semaphore.
func semaphoreCall(k *format.Keyspace, key string) *script.Call {
	return script.NewCall(k.SemaphoreFacts(key), k.SemaphoreHeld(key), k.SemaphoreLine(key), k.SemaphoreLive(key))
}

// AcquireSemaphore implements [store.Semaphores].
func (s *Store) AcquireSemaphore(ctx context.Context, p store.SemaphoreClaim) (store.SemaphoreReply, error) {
	mode := modeShared
	if p.Exclusive {
		mode = modeExclusive
	}
	k := s.space(p.Key)
	c := semaphoreCall(k, p.Key)
	c.Key(k.Meta)
	c.Key(k.Listed)
	c.Add(k.Channel, p.Key, p.Token, p.Holder).
		Int(p.Max).
		Add(format.Millis(p.TTL), mode, format.Millis(p.Wait)).
		Int(rand.IntN(p.Max))
	word, rest, err := s.server.Word(ctx, script.AcquireSemaphore, c)
	switch {
	case err != nil:
		return store.SemaphoreReply{}, err
	case word == "ok" && len(rest) == 3:
		lease, err := parseHolder(rest[1], rest[2])
		return store.SemaphoreReply{
			Granted: err == nil,
			Lease:   lease,
			Now:     format.ParseMillis(script.Text(rest[0])),
		}, err
	case word == "wait" && len(rest) >= 4:
		reply := store.SemaphoreReply{
			Now: format.ParseMillis(
				script.Text(rest[0]),
			), Next: format.ParseMillis(script.Text(rest[1])), Ahead: int(script.Number(rest[2])), Place: parsePlace(script.Text(rest[3])),
		}
		reply.Holders = s.holders(ctx, p.Key, rest[4:])
		return reply, nil
	}
	return store.SemaphoreReply{}, script.Unexpected(script.AcquireSemaphore, word)
}

// RefreshSemaphore implements [store.Semaphores].
func (s *Store) RefreshSemaphore(ctx context.Context, key, token string, ttl time.Duration) (time.Time, error) {
	c := semaphoreCall(s.space(key), key).Add(token, format.Millis(ttl))
	word, rest, err := s.server.Word(ctx, script.RefreshSemaphore, c)
	switch {
	case err != nil:
		return time.Time{}, err
	case word == "lost":
		return time.Time{}, store.ErrLeaseLost
	case word != "ok" || len(rest) != 1:
		return time.Time{}, script.Unexpected(script.RefreshSemaphore, word)
	}
	return format.ParseMillis(script.Text(rest[0])), nil
}

// ReleaseSemaphore implements [store.Semaphores].
func (s *Store) ReleaseSemaphore(ctx context.Context, key, token string) error {
	k := s.space(key)
	c := semaphoreCall(k, key).Add(k.Channel, key, token)
	c.Key(k.Listed)
	word, _, err := s.server.Word(ctx, script.ReleaseSemaphore, c)
	switch {
	case err != nil:
		return err
	case word == "lost":
		return store.ErrLeaseLost
	case word != "ok":
		return script.Unexpected(script.ReleaseSemaphore, word)
	}
	return nil
}

// ForceReleaseSemaphore implements [store.Semaphores].
func (s *Store) ForceReleaseSemaphore(ctx context.Context, key string, first, last int64) (int, error) {
	k := s.space(key)
	line := rules.NewAuditLine(ctx, actions.End, store.RunID{}, key, "")
	c := semaphoreCall(k, key).Add(k.Channel, key).Int64(first).Int64(last).Add(format.AuditLine(line))
	c.Key(k.Listed)
	c.Key(k.Audit)
	r, err := s.server.Run(ctx, script.ForceReleaseSemaphore, c)
	if err != nil {
		return 0, err
	}
	if len(r) != 1 {
		return 0, script.Unexpected(script.ForceReleaseSemaphore, "")
	}
	return int(script.Number(r[0])), nil
}

// Semaphore implements [store.Semaphores].
func (s *Store) Semaphore(ctx context.Context, key string) (store.SemaphoreRecord, error) {
	r, err := s.server.Run(ctx, script.ReadSemaphore, semaphoreCall(s.space(key), key))
	if err != nil {
		return store.SemaphoreRecord{}, err
	}
	if len(r) != 3 {
		return store.SemaphoreRecord{}, script.Unexpected(script.ReadSemaphore, "")
	}
	leases, err := r[1].ToArray()
	if err != nil {
		return store.SemaphoreRecord{}, script.Unexpected(script.ReadSemaphore, "")
	}
	waiters, err := r[2].ToArray()
	if err != nil {
		return store.SemaphoreRecord{}, script.Unexpected(script.ReadSemaphore, "")
	}
	rec := store.SemaphoreRecord{Now: format.ParseMillis(script.Text(r[0]))}
	rec.Holders = s.holders(ctx, key, leases)
	for i := 0; i+1 < len(waiters); i += 2 {
		w, err := parseWaiter(waiters[i], waiters[i+1])
		if err != nil {
			s.config.Logger.ErrorContext(ctx, "a waiter is left out of a semaphore", "semaphore", key, "error", err)
			continue
		}
		rec.Waiters = append(rec.Waiters, w)
	}
	return rec, nil
}

// parsePlace reads a number in the line. It may have the form of a score.
func parsePlace(s string) int64 {
	f, _ := strconv.ParseFloat(s, 64)
	return int64(f)
}

// holders reads pairs of a lease and its end. A damaged one is left out; it ends when its time has
// passed, like any other.
func (s *Store) holders(ctx context.Context, key string, ms []rueidis.RedisMessage) []store.SemaphoreHolder {
	var out []store.SemaphoreHolder
	for i := 0; i+1 < len(ms); i += 2 {
		h, err := parseHolder(ms[i], ms[i+1])
		if err != nil {
			s.config.Logger.ErrorContext(ctx, "a lease is left out of a semaphore", "semaphore", key, "error", err)
			continue
		}
		out = append(out, h)
	}
	return out
}

// parseHolder reads a lease in the form that scripts write: "SLOT FENCE ACQUIRED MODE HOLDER".
func parseHolder(lease, expires rueidis.RedisMessage) (store.SemaphoreHolder, error) {
	f := strings.SplitN(script.Text(lease), " ", 5)
	if len(f) != 5 {
		return store.SemaphoreHolder{}, fmt.Errorf("%w: lease %q of a semaphore", store.ErrCorrupt, script.Text(lease))
	}
	slot, err1 := format.ParseInt(f[0])
	fence, err2 := format.ParseInt(f[1])
	if err1 != nil || err2 != nil {
		return store.SemaphoreHolder{}, fmt.Errorf("%w: lease %q of a semaphore", store.ErrCorrupt, script.Text(lease))
	}
	return store.SemaphoreHolder{
		Slot: int(slot), Fence: fence, Acquired: format.ParseMillis(f[2]), Exclusive: f[3] == modeExclusive,
		Holder: strings.Clone(f[4]), Expires: format.ParseMillis(script.Text(expires)),
	}, nil
}

// parseWaiter reads a place in the line in the form that scripts write: "MAX SINCE MODE HOLDER".
func parseWaiter(waiter, expires rueidis.RedisMessage) (store.SemaphoreWaiter, error) {
	f := strings.SplitN(script.Text(waiter), " ", 4)
	if len(f) != 4 {
		return store.SemaphoreWaiter{}, fmt.Errorf(
			"%w: waiter %q of a semaphore", store.ErrCorrupt, script.Text(waiter),
		)
	}
	return store.SemaphoreWaiter{
		Since: format.ParseMillis(
			f[1],
		), Exclusive: f[2] == modeExclusive, Holder: strings.Clone(f[3]), Expires: format.ParseMillis(script.Text(expires)),
	}, nil
}
