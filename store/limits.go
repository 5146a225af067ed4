package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// Scope is a group of tasks that a limit counts together: those of some kinds of a set, in all
// queues.
type Scope struct {
	Set   string
	Kinds []string
}

// Covers reports whether tasks of the route are counted. Hooks are never counted.
func (s Scope) Covers(r Route) bool {
	return r.Set == s.Set && r.Counted() && slices.Contains(s.Kinds, r.Kind)
}

// Budget is the largest number of tasks of a scope that a fetch may lease: the worker's share of a
// limit over all partitions and processes. Other tasks of the scope keep waiting.
type Budget struct {
	Scope Scope
	Left  int
	// Until is when the budget ends, by the clock of the partition: a later fetch leases nothing of
	// the scope. Zero means never.
	Until time.Time
}

// Tallies reports whether the fetch makes each run count its leases of a route.
func (p *FetchParams) Tallies(r Route) bool {
	return slices.ContainsFunc(p.PerRun, func(l RunLimit) bool { return l.Scope.Covers(r) })
}

// RunLimit limits how many tasks of a scope are leased at a time in each run, in all sessions
// together. It counts only leases of fetches that named a limit for the kind.
type RunLimit struct {
	Scope Scope
	Max   int
}

// Limits keeps the accounts of limits over all partitions and processes. The first call makes an
// account, in the partition that [PartitionOf] returns for its name. Workers draw permits and
// tokens from it. Their fetches, in any partition, spend these as [Budget]s. A permit is for one
// task at a time: it is used for one task after another, then given back. A token is for one start
// of a task.
//
// At most Max permits are held, unless Max is lowered below the number in use. If holders want more
// permits than there are, each gets a share, and the one that has waited longest is first. A share
// is Max divided by the number of holders that want any permits and are not silent, and at least
// one. Up to its share, a holder gets permits that are free after holders that have waited longer
// got their shares. Beyond its share, it gets only permits that are free after all others got
// theirs. A holder starts to wait when it first wants more than it holds. It stops when it has all
// that it wants.
//
// Tokens come from a bucket of size Burst, which fills by Events in each period Per. In any period
// of length d, at most Burst + d × Events / Per tokens are spent. A lent token uses room in the
// bucket until its use is reported, or its time is over. Then it counts as spent at the reported
// time, or at that moment.
type Limits interface {
	// Draw tells the store what a holder keeps and wants, takes what it may have, and holds it for
	// p.TTL. The calls of one holder for one limit are a stream: it numbers them; the last number
	// gets the same reply again, and a lower one [ErrStale]. The store signals holders that may
	// take more because others gave back, and holders of what others now want.
	//
	// When its TTL has passed, a holder keeps its permits until Forfeit takes them, because tasks
	// may still be leased under them.
	Draw(ctx context.Context, p DrawParams) (DrawReply, error)

	// Forfeit takes the permits of a silent holder, as Draw listed it. Before that, the caller
	// checks with SessionsLeft that nothing is leased under them. If the holder has called Draw
	// since, Forfeit changes nothing. A repeat changes nothing.
	Forfeit(ctx context.Context, limit string, h Holding) error

	// Limit reads the account of a limit, in one atomic step. A limit of which nothing is drawn has no
	// holders. Bad input gives a [*FieldError].
	Limit(ctx context.Context, limit string) (LimitRecord, error)
}

// DrawParams are the parameters of Draw.
type DrawParams struct {
	Limit  string // 1 to MaxLimitLen bytes, by the rule of job names
	Holder string // random, never used again; the IDs of its sessions begin with it
	Number int64  // positive
	TTL    time.Duration

	Max  int // permits in all; 0 if there is no limit on what runs
	Keep int // permits in use; the holder keeps them whatever Max is
	Want int // permits that it could use, including Keep; if less, it counts as Keep

	Rate   Rate      // zero if there is none: the bucket stays as it is
	Tokens int       // tokens that it wants; those of the reply before can no longer be used
	Unused int       // unused tokens of the reply before, given back
	Used   time.Time // when the last token of the reply before was spent, by the clock of a partition; zero if none was
}

// Rate lends Events tokens in each period Per, and Burst at once after a pause. [Rate.Validate]
// checks it.
type Rate struct {
	Events int
	Per    time.Duration
	Burst  int
}

// Validate checks that Events and Burst are 1 to [bounds.MaxRateEvents], and Per is [bounds.MinPer]
// to [bounds.MaxPer]. The errors are [*FieldError]s for the fields "Rate.Events", "Rate.Per" and
// "Rate.Burst", joined.
func (r Rate) Validate() error {
	var f faults
	f.check(within("Rate.Events", r.Events, 1, bounds.MaxRateEvents), "")
	f.add(r.Per < bounds.MinPer || r.Per > bounds.MaxPer, "Rate.Per", "is not within 1 ms to 31 days")
	f.check(within("Rate.Burst", r.Burst, 1, bounds.MaxRateEvents), "")
	return f.err()
}

// DrawReply says what a holder may spend.
type DrawReply struct {
	Now    time.Time // the store's clock
	Held   int       // permits
	Reuse  int       // how many of these it may use again and again; the others it must give back when their tasks end
	Wanted bool      // others want permits: it must give back unused ones now
	Tokens int
	Until  time.Time // until when the tokens may be used
	Next   time.Time // when another try for tokens may succeed; zero unless some are missing
	Silent []Holding // holders of permits that did not call for their TTL
}

// Holding names a holder, and its last call.
type Holding struct {
	Holder string
	Number int64
}

// maxPermits is the largest number of permits or tokens. Higher numbers are treated as this one: no
// fleet has so many.
const maxPermits = 1 << 40

// clamp lowers numbers above [maxPermits] to it, so that their sums are exact.
func (p *DrawParams) clamp() {
	for _, n := range []*int{&p.Max, &p.Keep, &p.Want, &p.Tokens, &p.Unused} {
		*n = min(*n, maxPermits)
	}
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *DrawParams) Validate() error {
	var f faults
	f.check(validateLimit(p.Limit), "")
	f.name("Holder", p.Holder)
	f.check(validateNumber(p.Number), "")
	f.check(validateTTL(p.TTL), "")
	f.add(p.Max < 0, "Max", "is negative")
	f.add(p.Keep < 0, "Keep", "is negative")
	f.add(p.Want < 0, "Want", "is negative")
	if p.Rate != (Rate{}) {
		f.check(p.Rate.Validate(), "")
	}
	f.add(p.Tokens < 0, "Tokens", "is negative")
	f.add(p.Unused < 0, "Unused", "is negative")
	f.check(ValidateTime("Used", p.Used), "")
	return f.err()
}

// validateLimit checks the name of a limit.
func validateLimit(name string) error { return validateSeen("Limit", name, bounds.MaxLimitLen) }

// Validate returns a [*FieldError] for each bad field, joined.
func (h *Holding) Validate() error { return ValidateName("Holder", h.Holder) }

// LimitRecord is the account of a limit at one moment.
type LimitRecord struct {
	Now     time.Time     // the store's clock
	Holders []LimitHolder // those that hold or want permits or tokens: first those that wait, in order; then by name
}

// LimitHolder is what one holder has drawn.
type LimitHolder struct {
	Holder string
	Held   int       // permits
	Want   int       // permits that it could use, as of its last call, with those that it holds
	Since  time.Time // when it began to want more than it holds; zero if it does not
	Tokens int       // lent and not reported, nor void
	Silent bool      // it did not call for its TTL: it keeps its permits, and wants none
}

// Tidy leaves out the holders that have and want nothing, and sorts the others. It is for
// implementers.
func (r *LimitRecord) Tidy() {
	for i := range r.Holders {
		if h := &r.Holders[i]; h.Silent || h.Want <= h.Held {
			h.Since = time.Time{}
		}
	}
	r.Holders = slices.DeleteFunc(r.Holders, func(h LimitHolder) bool {
		return h.Held == 0 && h.Tokens == 0 && h.Since.IsZero()
	})
	slices.SortFunc(r.Holders, func(a, b LimitHolder) int {
		if a.Since.IsZero() == b.Since.IsZero() {
			return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Holder, b.Holder))
		}
		return b.Since.Compare(a.Since) // who does not wait comes last
	})
}
