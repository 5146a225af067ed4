package storetest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/signals"
)

// drawer is one holder of a limit: it numbers its calls.
type drawer struct {
	s *scene
	p store.DrawParams
}

func (s *scene) drawer(limit string, maxRunning int) *drawer {
	return &drawer{s, store.DrawParams{Limit: limit, Holder: s.name("holder"), TTL: steady, Max: maxRunning}}
}

// draw makes a call for permits.
func (d *drawer) draw(keep, want int) store.DrawReply {
	d.s.tb.Helper()
	d.p.Number++
	d.p.Keep, d.p.Want = keep, want
	return d.again()
}

// again repeats the last call, as after a lost reply.
func (d *drawer) again() store.DrawReply {
	d.s.tb.Helper()
	reply, err := d.s.store.Draw(d.s.ctx, d.p)
	d.s.NoError(err)
	return reply
}

// lend takes tokens of a rate, and reports those of the call before.
func (d *drawer) lend(n, unused int, used time.Time) store.DrawReply {
	d.s.tb.Helper()
	d.p.Tokens, d.p.Unused, d.p.Used = n, unused, used
	return d.draw(0, 0)
}

var limitsContract = []testCase{
	{"no more permits are held than there are, and what is given back goes to others", func(s *scene) {
		a, b := s.drawer("ingest/scan", 3), s.drawer("ingest/scan", 3)
		s.Equal(2, a.draw(0, 2).Held)
		reply := b.draw(0, 9)
		s.Equal(1, reply.Held)
		s.False(reply.Wanted, "who holds all that it wants asks for no more")
		s.Equal(1, b.draw(1, 9).Held)
		s.True(a.draw(2, 2).Wanted)
		s.Equal(2, a.draw(2, 2).Held, "what is in use is kept")
		s.Equal(0, a.draw(0, 0).Held)
		s.Equal(3, b.draw(1, 9).Held)
		s.Equal(3, s.drawer("ingest/file", 3).draw(0, 5).Held, "each limit has an account of its own")
	}},
	{"each gets its share, and who holds more gives it back as tasks end", func(s *scene) {
		a, b, c := s.drawer("l", 9), s.drawer("l", 9), s.drawer("l", 9)
		reply := a.draw(0, 20)
		s.Equal(9, reply.Held)
		s.Equal(9, reply.Reuse)
		s.Zero(b.draw(0, 20).Held)
		s.Zero(c.draw(0, 2).Held)
		reply = a.draw(9, 20)
		s.Equal(9, reply.Held)
		s.Equal(4, reply.Reuse, "3 are owed to one, and 2 to the other")
		s.Equal(4, a.draw(4, 4).Held)
		s.Equal(3, b.draw(0, 20).Held)
		s.Equal(2, c.draw(0, 2).Held)
		s.Equal(3, a.draw(3, 3).Held)
		s.Equal(4, b.draw(3, 20).Held, "what nobody is owed goes to whoever asks")
	}},
	{"who waits longest is first, also where there are more holders than permits", func(s *scene) {
		var line []*drawer
		for range 4 {
			line = append(line, s.drawer("l", 1))
		}
		s.Equal(1, line[0].draw(0, 1).Held)
		for _, d := range line[1:] {
			s.Zero(d.draw(0, 8).Held)
			s.h.Advance(s.tb, time.Millisecond)
		}
		s.Zero(line[0].draw(1, 1).Reuse, "others wait")
		for i := range 8 {
			l := s.listen()
			last, next := line[i%4], line[(i+1)%4]
			s.Zero(last.draw(0, 0).Held)
			l.hears("that it is the turn of the first", func(sig store.Signal) bool {
				return sig.Type == signals.Limit && sig.Limit == "l" && sig.Holder == next.p.Holder &&
					sig.Partition == s.partition("l")
			})
			l.stop()
			s.Zero(last.draw(0, 8).Held, "it yields to those who wait")
			for _, d := range line {
				if d != next {
					s.Zero(d.draw(0, 8).Held)
				}
			}
			s.Equal(1, next.draw(0, 8).Held)
		}
	}},
	{"holders are signalled when others come to want permits", func(s *scene) {
		a, b := s.drawer("l", 2), s.drawer("l", 2)
		s.Equal(2, a.draw(0, 2).Held)
		l := s.listen()
		defer l.stop()
		b.draw(0, 1)
		l.hears(
			"that others want permits",
			func(sig store.Signal) bool { return sig.Type == signals.Limit && sig.Holder == a.p.Holder },
		)
	}},
	{"what is in use is kept when there are fewer, and more are there at once", func(s *scene) {
		a, b := s.drawer("l", 6), s.drawer("l", 6)
		s.Equal(6, a.draw(0, 6).Held)
		a.p.Max, b.p.Max = 2, 2
		reply := a.draw(6, 6)
		s.Equal(6, reply.Held)
		s.Equal(2, reply.Reuse)
		s.Zero(b.draw(0, 1).Held)
		s.Equal(2, a.draw(2, 2).Held)
		s.Zero(b.draw(0, 1).Held)
		a.p.Max, b.p.Max = 4, 4
		s.Equal(1, b.draw(0, 1).Held)
		s.Equal(3, a.draw(2, 9).Held)
	}},
	{"who says that it wants less than it keeps wants what it keeps", func(s *scene) {
		a, b := s.drawer("l", 1), s.drawer("l", 1)
		s.Equal(1, a.draw(0, 1).Held)
		s.Zero(b.draw(0, 1).Held)
		reply := a.draw(1, 0)
		s.Equal(1, reply.Held)
		s.Equal(a.again().Reuse, reply.Reuse, "a repeat")
		s.Equal(a.draw(1, 1).Reuse, reply.Reuse)
	}},
	{"calls are a stream: a repeat is answered as the first time, and an earlier one is refused", func(s *scene) {
		a, b := s.drawer("l", 3), s.drawer("l", 3)
		first := a.draw(0, 2)
		s.Equal(1, b.draw(0, 3).Held)
		s.Equal(first.Held, a.again().Held)
		s.Equal(2, a.draw(2, 2).Held)
		late := a.p
		late.Number, late.Keep, late.Want = 1, 0, 0
		_, err := s.store.Draw(s.ctx, late)
		s.ErrorIs(err, store.ErrStale)
		s.Equal(1, b.draw(1, 3).Held, "nothing was given back")
	}},
	{"a silent holder keeps its permits until they are forfeited", func(s *scene) {
		dead, alive := s.drawer("l", 2), s.drawer("l", 2)
		dead.p.TTL = brief
		s.Equal(2, dead.draw(0, 2).Held)
		s.NoError(s.store.Forfeit(s.ctx, "l", store.Holding{Holder: dead.p.Holder, Number: 1}))
		s.Zero(alive.draw(0, 2).Held, "a holder that is not silent loses nothing")
		var silent []store.Holding
		s.until(s.partition("l"), "it is silent", func() bool {
			reply := alive.draw(0, 2)
			s.Zero(reply.Held)
			silent = reply.Silent
			return len(silent) > 0
		})
		s.Equal([]store.Holding{{Holder: dead.p.Holder, Number: 1}}, silent)
		s.Equal(2, dead.draw(2, 2).Held, "it was slow")
		s.NoError(s.store.Forfeit(s.ctx, "l", silent[0]))
		s.Zero(alive.draw(0, 2).Held, "it was heard from since")
		s.until(s.partition("l"), "it is silent again", func() bool {
			silent = alive.draw(0, 2).Silent
			return len(silent) > 0
		})
		l := s.listen()
		defer l.stop()
		s.NoError(s.store.Forfeit(s.ctx, "l", silent[0]))
		l.hears(
			"that permits are there",
			func(sig store.Signal) bool { return sig.Type == signals.Limit && sig.Holder == alive.p.Holder },
		)
		s.NoError(s.store.Forfeit(s.ctx, "l", silent[0]))
		s.Equal(2, alive.draw(0, 2).Held)
		s.Empty(alive.draw(2, 2).Silent)
	}},
	{"one that only waited and died stands in nobody's way", func(s *scene) {
		holder, dead, alive := s.drawer("l", 1), s.drawer("l", 1), s.drawer("l", 1)
		dead.p.TTL = brief
		holder.draw(0, 1)
		s.Zero(dead.draw(0, 1).Held)
		s.Zero(alive.draw(0, 1).Held)
		holder.draw(0, 0)
		s.until(s.partition("l"), "the next is served", func() bool { return alive.draw(0, 1).Held == 1 })
	}},
	{"sessions are left until what they held is given back", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, task(scan, "t"))
		w := r.shortLived()
		w.one()
		left := func(prefix string) int {
			n, err := s.store.SessionsLeft(s.ctx, r.partition, prefix)
			s.NoError(err)
			return n
		}
		s.Equal(1, left(w.session.ID))
		s.Equal(1, left(w.session.ID[:4]))
		s.Zero(left(w.session.ID + "x"))
		s.until(r.partition, "the session is gone", func() bool { return left(w.session.ID) == 0 })
		r.counts(store.Counts{Pending: 1}, "the session is gone")
	}},
	{"tokens come at their rate, and no time has more than a burst and what the rate adds", func(s *scene) {
		rate := store.Rate{Events: 200, Per: time.Second, Burst: 7}
		var spent []time.Time
		var holders []*drawer
		unused := make([]int, 3)
		used := make([]time.Time, 3)
		for range 3 {
			d := s.drawer("l", 0)
			d.p.Rate = rate
			holders = append(holders, d)
		}
		for range 120 {
			i := rand.IntN(len(holders))
			reply := holders[i].lend(1+rand.IntN(9), unused[i], used[i])
			n := 0
			if reply.Tokens > 0 {
				n = rand.IntN(reply.Tokens + 1)
				s.True(reply.Until.After(reply.Now))
			}
			unused[i], used[i] = reply.Tokens-n, time.Time{}
			if n > 0 {
				used[i] = reply.Now
			}
			for range n {
				spent = append(spent, reply.Now)
			}
			if rand.IntN(2) == 0 {
				s.h.Advance(s.tb, time.Duration(rand.IntN(12))*time.Millisecond)
			}
		}
		s.NotEmpty(spent)
		for i := range spent {
			for j := i; j < len(spent); j++ {
				d := spent[j].Sub(spent[i]) + time.Millisecond // the clock's grain
				allowed := float64(rate.Burst) + float64(rate.Events)*d.Seconds()
				s.LessOrEqual(float64(j-i+1), allowed+1e-6, "tokens spent within %v", d)
			}
		}
	}},
	{"who is told to wait for a token finds one then, and unused ones are put back", func(s *scene) {
		d, other := s.drawer("l", 0), s.drawer("l", 0)
		d.p.Rate = store.Rate{Events: 1, Per: 2 * time.Second, Burst: 2} // slow machines take less for these calls
		other.p.Rate = d.p.Rate
		reply := d.lend(9, 0, time.Time{})
		s.Equal(2, reply.Tokens)
		s.Equal(2, d.again().Tokens, "a repeat lends the same")
		s.Zero(other.lend(1, 0, time.Time{}).Tokens)
		s.Zero(d.lend(0, 2, time.Time{}).Tokens)
		reply = other.lend(2, 0, time.Time{})
		s.Equal(2, reply.Tokens)
		reply = other.lend(1, 0, reply.Now)
		s.Zero(reply.Tokens)
		s.True(reply.Next.After(reply.Now))
		s.h.Advance(s.tb, reply.Next.Sub(reply.Now)+time.Millisecond)
		s.Equal(1, other.lend(1, 0, time.Time{}).Tokens)
	}},
	{"tokens of a holder that is silent, or that was forfeited, count until they are void", func(s *scene) {
		for _, want := range []int{0, 1} {
			limit := s.name("l")
			dead, alive := s.drawer(limit, 1), s.drawer(limit, 1)
			dead.p.TTL = brief
			dead.p.Rate = store.Rate{Events: 20, Per: time.Second, Burst: 3}
			alive.p.Rate, dead.p.Tokens, alive.p.Tokens = dead.p.Rate, 3, 3
			until := dead.draw(0, want).Until
			for {
				reply := alive.draw(0, 0)
				if !reply.Now.Before(until) {
					break
				}
				s.Zero(reply.Tokens, "all may be spent right now")
				for _, h := range reply.Silent {
					s.NoError(s.store.Forfeit(s.ctx, limit, h))
				}
				s.h.Advance(s.tb, tick)
			}
		}
	}},
	{"tokens that nobody reports count as spent when they are void", func(s *scene) {
		silent, other := s.drawer("l", 0), s.drawer("l", 0)
		silent.p.Rate = store.Rate{Events: 20, Per: time.Second, Burst: 3}
		other.p.Rate = silent.p.Rate
		until := silent.lend(3, 0, time.Time{}).Until
		s.h.Advance(s.tb, bounds.TokenTTL+time.Millisecond)
		reply := other.lend(3, 0, time.Time{})
		s.False(reply.Now.Before(until))
		allowed := 20 * (reply.Now.Sub(until) + time.Millisecond).Seconds()
		s.LessOrEqual(float64(reply.Tokens), allowed+1e-6, "three may have been spent just before")
	}},
	{"a rate counts on while others know of none", func(s *scene) {
		old, plain, fresh := s.drawer("l", 1), s.drawer("l", 1), s.drawer("l", 1)
		old.p.Rate = store.Rate{Events: 20, Per: time.Second, Burst: 3}
		fresh.p.Rate = old.p.Rate
		old.lend(0, 0, old.lend(3, 0, time.Time{}).Now) // all were spent
		s.h.Advance(s.tb, brief)
		reply := old.lend(3, 0, time.Time{})
		s.Equal(3, reply.Tokens, "the bucket is full again")
		void := reply.Until
		s.h.Advance(s.tb, bounds.TokenTTL+time.Millisecond)
		s.Zero(plain.lend(3, 0, time.Time{}).Tokens, "who knows of no rate gets none")
		reply = fresh.lend(3, 0, time.Time{})
		allowed := 20 * (reply.Now.Sub(void) + time.Millisecond).Seconds()
		s.LessOrEqual(float64(reply.Tokens), allowed+1e-6, "they may have been spent just before")
	}},
	{"bad calls are refused", func(s *scene) {
		good := s.drawer("l", 1).p
		good.Number = 1
		for field, spoil := range map[string]func(p *store.DrawParams){
			"Limit":      func(p *store.DrawParams) { p.Limit = "" },
			"Holder":     func(p *store.DrawParams) { p.Holder = "a:b" },
			"Number":     func(p *store.DrawParams) { p.Number = 0 },
			"TTL":        func(p *store.DrawParams) { p.TTL = 0 },
			"Max":        func(p *store.DrawParams) { p.Max = -1 },
			"Rate.Burst": func(p *store.DrawParams) { p.Rate = store.Rate{Events: 1, Per: time.Second} },
		} {
			bad := good
			spoil(&bad)
			_, err := s.store.Draw(s.ctx, bad)
			s.refuses(err, field)
		}
	}},
	{"a rate at its bounds lends, one beyond them is refused by its field", func(s *scene) {
		top, per := bounds.MaxRateEvents, []time.Duration{bounds.MinPer, bounds.MinPer + 1, time.Second, bounds.MaxPer}
		for i, p := range per {
			for _, events := range []int{1, top} {
				for _, burst := range []int{1, top} {
					d := s.drawer(fmt.Sprintf("limit-%d-%d-%d", i, events, burst), 0)
					d.p.Rate, d.p.Tokens = store.Rate{Events: events, Per: p, Burst: burst}, top
					reply := d.draw(0, 0)
					s.Positive(reply.Tokens, "%+v", d.p.Rate)
					s.LessOrEqual(reply.Tokens, burst)
					s.True(reply.Until.After(reply.Now))
					if reply.Tokens == burst && burst < top {
						s.True(reply.Next.After(reply.Now), "some are missing: %+v", d.p.Rate)
						s.False(reply.Next.After(reply.Now.Add(p+time.Second)), "one comes within Per: %+v", d.p.Rate)
					}
				}
			}
		}
		for field, rates := range map[string][]store.Rate{
			"Rate.Events": {{Events: 0, Per: time.Second, Burst: 1}, {Events: -1, Per: time.Second, Burst: 1},
				{Events: top + 1, Per: time.Second, Burst: 1}},
			"Rate.Per": {{Events: 1, Burst: 1}, {Events: 1, Per: -1, Burst: 1}, {Events: 1, Per: 1, Burst: 1},
				{Events: 1, Per: bounds.MinPer - 1, Burst: 1}, {Events: 1, Per: bounds.MaxPer + 1, Burst: 1}},
			"Rate.Burst": {{Events: 1, Per: time.Second}, {Events: 1, Per: time.Second, Burst: -1},
				{Events: 1, Per: time.Second, Burst: top + 1}},
		} {
			for _, rate := range rates {
				d := s.drawer("limit", 0)
				d.p.Number, d.p.Rate, d.p.Tokens = 1, rate, 1
				_, err := s.store.Draw(s.ctx, d.p)
				s.refuses(err, field)
			}
		}
	}},
	{"an account that nobody draws on is forgotten", func(s *scene) {
		before := s.leftovers()
		d := s.drawer("l", 2)
		d.p.TTL = brief
		d.p.Rate = store.Rate{Events: 100, Per: time.Second, Burst: 2}
		d.lend(2, 0, time.Time{})
		d.draw(0, 1)
		d.draw(0, 0)
		s.nothingBeyond(before, s.partition("l"))
	}},
}
