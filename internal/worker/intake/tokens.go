package intake

import (
	"math"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// blockTime is how much of a rate, in time, a worker takes at once.
const blockTime = 100 * time.Millisecond

// tokens are a worker's part of a rate. It gets a block, uses it for fetches, and reports what it
// used before it gets the next block.
type tokens struct {
	rate store.Rate // zero means no limit

	lent     int       // size of the block in the last reply, until it is reported
	left     int       // tokens of the block that are neither spent nor reserved
	reserved int       // tokens reserved for fetches in flight
	asked    time.Time // when the block was asked for, by the local clock
	until    time.Time // when the block expires, by the store's clock
	spent    time.Time // when the last token was spent, by the store's clock; zero if none was
	next     time.Time // when another try may succeed, by the local clock
}

func (t *tokens) limits() bool { return t.rate.Events > 0 }

func (t *tokens) set(r store.Rate) (moved bool) {
	if t.rate == r {
		return false
	}
	t.rate, t.next = r, time.Time{}
	return true
}

func (t *tokens) free(now time.Time) int {
	if now.Sub(t.asked) >= bounds.TokenTTL {
		return 0
	}
	return t.left
}

func (t *tokens) reserve(n int)   { t.left, t.reserved = t.left-n, t.reserved+n }
func (t *tokens) unreserve(n int) { t.left, t.reserved = t.left+n, t.reserved-n }

// spend records how many tokens a fetch used. void says that the store found them expired.
func (t *tokens) spend(n int, at time.Time, void bool) {
	if t.left -= n; n > 0 {
		t.spent = at
	}
	if void {
		t.asked = time.Time{}
	}
}

// due reports whether a block must be reported, or another one is needed and may be available.
func (t *tokens) due(short bool, now time.Time) bool {
	switch {
	case t.reserved > 0:
		return false // a fetch in flight may spend tokens
	case t.lent > 0 && (t.left == 0 || now.Sub(t.asked) >= bounds.TokenTTL/2):
		return true
	}
	return short && t.limits() && t.free(now) == 0 && !now.Before(t.next)
}

// ask reports the last block, and asks for another one if it is needed.
func (t *tokens) ask(q *store.DrawParams, short bool, appetite int, now time.Time) bool {
	if !t.due(short, now) {
		return false
	}
	q.TTL, q.Rate, q.Unused, q.Used = placeTime, t.rate, max(0, t.left), t.spent
	if short && t.limits() {
		block := math.Ceil(float64(t.rate.Events) * float64(blockTime) / float64(t.rate.Per))
		q.Tokens = min(appetite, bounds.MaxBatch, int(block))
	}
	t.lent, t.left, t.asked, t.spent = 0, 0, now, time.Time{}
	return true
}

func (t *tokens) answer(q *store.DrawParams, r *store.DrawReply, now time.Time) {
	t.lent, t.left, t.until, t.next = r.Tokens, r.Tokens, r.Until, time.Time{}
	if r.Tokens == 0 && q.Tokens > 0 {
		t.next = now.Add(max(time.Millisecond, r.Next.Sub(r.Now)))
	}
}

// wait returns after what time the next call is needed even if nothing happens; 0 means never.
func (t *tokens) wait(now time.Time) time.Duration {
	switch {
	case t.reserved > 0:
		return 0 // the reply to the fetch will say more
	case t.lent > 0:
		return max(time.Millisecond, bounds.TokenTTL/2-now.Sub(t.asked))
	}
	return max(0, t.next.Sub(now))
}
