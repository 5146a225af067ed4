package redisstore

import (
	"math"
	"strconv"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// maxSummand is what a counter may be added to by each task of a call for the sum of all to be a
// number.
const maxSummand = math.MaxInt64 / bounds.MaxBatch

// counted packs the successes of a run that bring counters, with the sum of all: mostly every
// lease is still held, and then the sum is all that is added.
func (st *settlement) counted(r *settledRun) {
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
	if !large { // or else the sum may be none: the script adds one by one
		c.Args[at] = encodeCounters(sum)
	}
}

// encodeCounters is "name=number name=number …"; names have neither '=' nor spaces.
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
