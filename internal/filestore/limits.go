package filestore

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/signals"
)

// debt is what a holder lacks of what it wants, up to a share.
func (h *holder) debt(share int) int { return max(0, min(h.Want, share)-h.Held) }

// level is how many tokens would be in the bucket at a time if none were lent.
func (l *limit) level(at time.Time) float64 {
	if l.At.IsZero() {
		return float64(l.Rate.Burst)
	}
	added := float64(max(0, at.Sub(l.At))) * float64(l.Rate.Events) / float64(l.Rate.Per)
	return min(float64(l.Rate.Burst), l.Level+added)
}

// spend counts tokens as spent at a time, or at that of the last ones if that is later.
func (l *limit) spend(at time.Time, n int) {
	if at.Before(l.At) {
		at = l.At
	}
	l.Level, l.At = l.level(at)-float64(n), at
}

// expire counts tokens as spent that are void and were not reported, and forgets the holders of
// whom nothing is left.
func (s *state) expire(l *limit) {
	for _, name := range slices.Sorted(maps.Keys(l.Holders)) {
		h := l.Holders[name]
		if h.Lent && !s.now.Before(h.Until) {
			l.spend(h.Until, h.Tokens)
			h.Lent = false
		}
		if h.Held == 0 && !h.Lent && !s.now.Before(h.Ends) {
			delete(l.Holders, name)
		}
	}
}

// idle reports whether nothing of a limit needs to be remembered.
func (s *state) idle(l *limit) bool {
	s.expire(l)
	return len(l.Holders) == 0 && l.level(s.now) >= float64(l.Rate.Burst)
}

// Draw says what a holder keeps and wants, and takes what it may have.
func (b *backend) Draw(ctx context.Context, p store.DrawParams) (store.DrawReply, error) {
	return change(ctx, b, p, (*state).draw)
}

func (s *state) draw(p store.DrawParams) (store.DrawReply, error) {
	l := s.Limits[p.Limit]
	if l == nil {
		l = &limit{Holders: map[string]*holder{}}
		s.Limits[p.Limit] = l
	}
	if p.Rate.Events > 0 { // or others still count by the last one
		l.Rate = p.Rate
	}
	if s.now.Before(l.At) { // the clock has gone back
		l.At = s.now
	}
	me := l.Holders[p.Holder]
	switch {
	case me == nil:
		me = &holder{}
		l.Holders[p.Holder] = me
	case p.Number < me.Number:
		return store.DrawReply{}, store.ErrStale
	}
	me.Ends = s.now.Add(p.TTL)
	s.expire(l)
	if p.Number == me.Number {
		return s.drawn(me, &p, l.around(me, p.Max, s.now)), nil
	}
	newly := l.takePermits(me, &p, s)
	next := l.lend(me, &p, s.now)
	reply := s.drawn(me, &p, l.around(me, p.Max, s.now))
	reply.Next = next
	s.wake(l, p.Limit, p.Max)
	if newly {
		for name, h := range l.Holders {
			if h != me && h.Held > 0 && s.now.Before(h.Ends) {
				s.hints = append(s.hints, store.Signal{Type: signals.Limit, Limit: p.Limit, Holder: name})
			}
		}
	}
	return reply, nil
}

// others is what a holder has to know of the others.
type others struct {
	held    int
	wanting int // how many want any permits, with me
	share   int // of each of those
	owed    int // what the others lack of it
	ahead   int // what those lack who wait for longer
	wanted  bool
	silent  []store.Holding
}

// around sums up the others. A silent one still holds its permits, and wants none.
func (l *limit) around(me *holder, most int, now time.Time) (o others) {
	for name, h := range l.Holders {
		if h.Want > 0 && (h == me || now.Before(h.Ends)) {
			o.wanting++
		}
		if h == me {
			continue
		}
		if o.held += h.Held; h.Held > 0 && !now.Before(h.Ends) {
			o.silent = append(o.silent, store.Holding{Holder: name, Number: h.Number})
		}
	}
	o.share = max(1, most/max(1, o.wanting))
	for _, h := range l.Holders {
		if h == me || !now.Before(h.Ends) {
			continue
		}
		o.owed += h.debt(o.share)
		if h.Want > h.Held {
			o.wanted = true
			if me.Since == 0 || h.Since < me.Since {
				o.ahead += h.debt(o.share)
			}
		}
	}
	return o
}

// takePermits takes what a holder may have: up to a share the line decides, beyond that it gets
// only what nobody is owed. It reports whether the holder has come to want more than it holds.
func (l *limit) takePermits(me *holder, p *store.DrawParams, s *state) (newly bool) {
	keep := p.Keep
	me.Number, me.Want = p.Number, max(p.Want, keep)
	if p.Max == 0 {
		me.Want = keep
	}
	o := l.around(me, p.Max, s.now)
	free := p.Max - o.held - keep
	take := max(0, min(min(me.Want, o.share)-keep, free-o.ahead))
	take += max(0, min(me.Want-keep-take, free-take-o.owed))
	me.Held = keep + take
	switch {
	case me.Want <= me.Held:
		me.Since = 0
	case me.Since == 0:
		me.Since, newly = s.next(), true
	}
	return newly
}

// lend settles the tokens that a holder had, and lends it others. Those of the other holders may
// be spent at any moment, so they are not there; they do not refill the bucket either. If some are
// missing, it returns when another try may succeed.
func (l *limit) lend(me *holder, p *store.DrawParams, now time.Time) (next time.Time) {
	if me.Lent {
		at := now
		if !p.Used.IsZero() && p.Used.Before(now) {
			at = p.Used
		}
		if used := me.Tokens - min(p.Unused, me.Tokens); used > 0 {
			l.spend(at, used)
		}
	}
	if me.Tokens, me.Lent = 0, false; p.Rate.Events == 0 {
		return time.Time{}
	}
	lent, void := 0, time.Time{}
	for _, h := range l.Holders {
		if h.Lent {
			lent += h.Tokens
			void = earlier(void, h.Until)
		}
	}
	left := l.level(now) - float64(lent)
	me.Tokens = max(0, min(p.Tokens, int(math.Floor(left+1e-9))))
	me.Lent, me.Until = me.Tokens > 0, now.Add(bounds.TokenTTL)
	switch {
	case me.Tokens == p.Tokens:
	case lent >= p.Rate.Burst:
		next = void
	default:
		missing := 1 - (left - float64(me.Tokens))
		wait := math.Ceil(missing * float64(p.Rate.Per) / float64(p.Rate.Events))
		next = now.Add(time.Duration(min(wait, float64(bounds.MaxFill))))
	}
	return next
}

// drawn is the reply to a holder.
func (s *state) drawn(me *holder, p *store.DrawParams, o others) store.DrawReply {
	free := p.Max - o.held - me.Held
	reply := store.DrawReply{Now: s.now, Held: me.Held, Reuse: me.Held, Wanted: o.wanted, Silent: o.silent}
	if p.Max > 0 && (o.owed > free || free < 0) {
		fair := 0
		if p.Max >= o.wanting {
			fair = o.share
		}
		reply.Reuse = min(me.Held, max(fair, p.Max-o.held-o.owed))
	}
	if reply.Tokens = me.Tokens; me.Tokens > 0 {
		reply.Until = me.Until
	}
	return reply
}

// wake signals those who want more of what is free: first those who are owed some of their share,
// and of these who waits longest.
func (s *state) wake(l *limit, name string, most int) {
	o := l.around(&holder{}, most, s.now)
	free := most - o.held
	var line []string
	for who, h := range l.Holders {
		if s.now.Before(h.Ends) && h.Want > h.Held {
			line = append(line, who)
		}
	}
	slices.SortFunc(line, func(a, b string) int {
		x, y := l.Holders[a], l.Holders[b]
		return cmp.Or(cmp.Compare(min(1, y.debt(o.share)), min(1, x.debt(o.share))), cmp.Compare(x.Since, y.Since))
	})
	for _, who := range line {
		if free < 1 {
			return
		}
		s.hints = append(s.hints, store.Signal{Type: signals.Limit, Limit: name, Holder: who})
		free -= max(1, l.Holders[who].debt(o.share))
	}
}

// Forfeit takes the permits of a silent holder.
func (b *backend) Forfeit(ctx context.Context, name string, named store.Holding) error {
	return do(ctx, b, named, func(s *state, named store.Holding) error {
		l := s.Limits[name]
		if l == nil {
			return nil
		}
		h := l.Holders[named.Holder]
		if h == nil || h.Number != named.Number || s.now.Before(h.Ends) {
			return nil
		}
		held := h.Held
		h.Held, h.Want, h.Since = 0, 0, 0
		s.wake(l, name, l.held()+held)
		return nil
	})
}

// held is how many permits are held.
func (l *limit) held() (n int) {
	for _, h := range l.Holders {
		n += h.Held
	}
	return n
}
