package redisstore

import (
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// settledRoute holds the outcomes of one run and route that have no effects but their counts.
type settledRoute struct {
	route   store.Route
	plain   []int // successes without effects and without a claimed ID
	counted []int // successes with counters, but without other effects
}

// of finds the outcomes of a route, or makes them.
func (r *settledRun) of(route *store.Route) *settledRoute {
	for _, some := range r.routes {
		if some.route == *route {
			return some
		}
	}
	some := &settledRoute{route: *route}
	r.routes = append(r.routes, some)
	return some
}

// isPlain reports whether an outcome only redeems its lease, counts as a success and adds to
// counters.
func (st *settlement) isPlain(o *store.Outcome) bool {
	return o.Verdict == verdicts.Success && o.Lease.Lane.Route.Counted() && !o.Task.Claimed && !o.Lease.Tallied &&
		len(o.Children)+len(o.Writes)+len(o.Staged)+len(o.Result) == 0
}

// redeemed holds the plain successes of one fetch under one route of a run, by their positions in
// the fetch.
type redeemed struct {
	lease     *store.Lease // of any of them
	positions [(bounds.MaxBatch + 63) / 64]uint64
	odd       []int // other positions, which no fetch gives
}

func (r *redeemed) add(position int) {
	if position < 0 || position >= bounds.MaxBatch {
		r.odd = append(r.odd, position)
		return
	}
	r.positions[position/64] |= 1 << (position % 64)
}

// from returns the first position from i on that was added (held is true) or not added (held is
// false). If there is none, it returns MaxBatch or more.
func (r *redeemed) from(i int, held bool) int {
	for i < bounds.MaxBatch {
		word := r.positions[i/64]
		if !held {
			word = ^word
		}
		if rest := word >> (i % 64); rest != 0 {
			return i + bits.TrailingZeros64(rest)
		}
		i = (i/64 + 1) * 64
	}
	return bounds.MaxBatch
}

// plain packs the plain successes of a run and route. Most tasks that are settled together were
// fetched together, and ended in nearly the same order. So a few ranges of positions are enough to
// name them.
func (st *settlement) plain(r *settledRoute) {
	c := st.Call
	st.plains = append(st.plains, r.plain)
	c.Int(len(r.plain))
	if len(r.plain) == 0 {
		return
	}
	var fetches []*redeemed
	var last *redeemed
	for _, i := range r.plain {
		l := &st.params.Outcomes[i].Lease
		if last == nil || last.lease.Fetch != l.Fetch {
			last = nil
			for _, f := range fetches {
				if f.lease.Fetch == l.Fetch {
					last = f
					break
				}
			}
			if last == nil {
				last = &redeemed{lease: l}
				fetches = append(fetches, last)
			}
		}
		last.add(l.Index)
	}
	c.Int(len(fetches))
	for _, f := range fetches {
		f.pack(c)
	}
}

func (r *redeemed) pack(c *script.Call) {
	prefix, suffix := leaseAffixes(r.lease)
	c.Add(prefix, suffix)
	count := c.Reserve()
	singles, ranges := len(r.odd), 0
	for _, position := range r.odd {
		c.Int(position)
	}
	var spans []int
	for first := r.from(0, true); first < bounds.MaxBatch; {
		next := r.from(first, false)
		switch next - first {
		case 1, 2: // as short as a range, and spelled already
			for ; first < next; first++ {
				c.Int(first)
				singles++
			}
		default:
			spans = append(spans, first, next-1)
			ranges++
		}
		first = r.from(next, true)
	}
	c.Set(count, singles)
	c.Int(ranges)
	for _, position := range spans {
		c.Int(position)
	}
}

// leaseAffixes returns what comes before and after the position in a [leaseField].
func leaseAffixes(l *store.Lease) (prefix, suffix string) {
	field := format.LeaseField(*l)
	before := len(strconv.FormatInt(l.Fetch, 10)) + 1
	return field[:before], field[before+len(strconv.Itoa(l.Index)):]
}

// leaseField is [leaseField], but the fields of a call share memory.
func (st *settlement) leaseField(l *store.Lease) string {
	start := len(st.fields)
	st.fields = format.AppendLeaseField(st.fields, l)
	field := st.fields[start:]
	return unsafe.String(unsafe.SliceData(field), len(field)) // not written again
}
