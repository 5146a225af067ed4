package redisstore

import (
	"math"
	"strconv"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// maxSummand is the largest number that each task of a call may add to a counter, so that the sum
// of all is an exact number.
const maxSummand = math.MaxInt64 / bounds.MaxBatch

// counted packs the successes of a run and route with counters, and the sum of all. Usually every
// lease is still held; then the script adds only the sum.
func (st *settlement) counted(r *settledRoute) {
	c := st.Call
	c.Int(len(r.counted))
	if len(r.counted) == 0 {
		return
	}
	at := c.Reserve()
	sum, large := make(map[string]int64), false
	for _, i := range r.counted {
		o := &st.params.Outcomes[i]
		st.ordinals = append(st.ordinals, i)
		c.Add(st.leaseField(&o.Lease), encodeCounters(o.Counters))
		for name, n := range o.Counters {
			sum[name] += n
			large = large || n > maxSummand || n < -maxSummand
		}
	}
	if !large { // otherwise the sum may not be exact: then the script adds one by one
		c.Args[at] = encodeCounters(sum)
	}
}

// encodeCounters returns "name=number name=number …". Names have neither '=' nor spaces.
func encodeCounters(counters map[string]int64) string {
	if len(counters) == 0 {
		return ""
	}
	b := make([]byte, 0, 32*len(counters))
	for name, n := range counters {
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(append(b, name...), '=')
		b = strconv.AppendInt(b, n, 10)
	}
	return string(b)
}
