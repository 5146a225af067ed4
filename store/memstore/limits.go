package memstore

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/signals"
)

// limit is the account of a limit for all partitions.
type limit struct {
	holders map[string]*holder
	level   float64       // tokens that are there at the time at
	at      time.Time     // zero until a token is first asked for
	idle    time.Duration // after this time an unused bucket is full again
}

// holder holds what one worker has drawn.
type holder struct {
	name   string
	number int64
	held   int
	want   int
	since  int64     // order in which holders started to want more than they hold; 0 if this one does not
	ends   time.Time // until when it counts as alive
	tokens int
	void   time.Time // when the tokens expire
}

// lent reports whether tokens of the holder still count in a bucket at the time at.
func (h *holder) lent(at time.Time) bool { return h.tokens > 0 && h.void.After(at) }

// debt returns how much a holder wants but does not have, up to a share.
func (h *holder) debt(share int) int { return max(0, min(h.want, share)-h.held) }

// Draw records what a holder keeps and wants, and gives it what it may have.
func (s *backend) Draw(ctx context.Context, p store.DrawParams) (store.DrawReply, error) {
	part, err := s.of(ctx, p.Limit)
	if err != nil {
		return store.DrawReply{}, err
	}
	defer part.unlock()
	l := part.limits[p.Limit]
	if l == nil {
		l = &limit{holders: map[string]*holder{}}
		part.limits[p.Limit] = l
	}
	now := part.now()
	me := l.holders[p.Holder]
	if me != nil && p.Number < me.number {
		return store.DrawReply{}, store.ErrStale
	}
	repeated := me != nil && p.Number == me.number
	if me == nil {
		me = &holder{name: p.Holder}
	}
	delete(l.holders, p.Holder)
	d := drawing{partition: part, limit: l, me: me, p: &p, now: now}
	d.look(repeated)
	if !repeated {
		d.permits()
		d.tokens()
	}
	me.ends = now.Add(wholeMillis(p.TTL))
	l.wakeRivals(part, p.Limit, p.Max-d.others-me.held, d.share, now)
	if d.newly {
		for name, h := range l.holders {
			if h.held > 0 && now.Before(h.ends) {
				part.signal(store.Signal{Type: signals.Limit, Limit: p.Limit, Holder: name})
			}
		}
	}
	l.holders[p.Holder] = me
	return d.reply(), nil
}

// drawing is one call of Draw.
type drawing struct {
	*partition
	*limit
	me  *holder // not in the list of holders during the call
	p   *store.DrawParams
	now time.Time

	others    int       // permits of the others
	wanting   int       // number of holders that want permits, with me
	share     int       // of each
	owed      int       // what the others lack of their share
	ahead     int       // what holders lack that have waited longer
	lent      int       // tokens of the others
	voided    []*holder // holders whose tokens expired since the bucket was last read
	firstVoid time.Time
	wanted    bool
	newly     bool // I want more than I hold, and did not before
	next      time.Time
	silent    []store.Holding
}

// look adds up what the others have and want.
func (d *drawing) look(repeated bool) {
	d.noteVoid(d.me)
	rivals := d.lookAtOthers()
	d.wanting = len(rivals)
	if repeated && d.me.want > 0 || !repeated && d.p.Want > 0 {
		d.wanting++
	}
	d.share = max(1, d.p.Max/max(1, d.wanting))
	for _, h := range rivals {
		d.owed += h.debt(d.share)
		if h.want > h.held {
			d.wanted = true
			if d.me.since == 0 || h.since < d.me.since {
				d.ahead += h.debt(d.share)
			}
		}
	}
}

// lookAtOthers adds up what the others have, and returns those that want permits. A silent holder
// still has its permits, but wants none.
func (d *drawing) lookAtOthers() (rivals []*holder) {
	for name, h := range d.holders {
		if d.now.Before(h.void) {
			d.lent += h.tokens
			if d.firstVoid.IsZero() || h.void.Before(d.firstVoid) {
				d.firstVoid = h.void
			}
		}
		d.noteVoid(h)
		d.others += h.held
		switch {
		case d.now.Before(h.ends):
			if h.want > 0 {
				rivals = append(rivals, h)
			}
		case h.held > 0:
			d.silent = append(d.silent, store.Holding{Holder: name, Number: h.number})
		case d.now.Before(h.void) || d.p.Rate.Events > 0 && h.lent(d.at):
			// The holder is gone, but its tokens still count.
		default:
			delete(d.holders, name)
		}
	}
	return rivals
}

// noteVoid records a holder whose tokens have expired. They used room in the bucket until then.
func (d *drawing) noteVoid(h *holder) {
	if h.lent(d.at) && !d.now.Before(h.void) {
		d.voided = append(d.voided, h)
	}
}

// permits gives the holder what it may have. Up to its share, the order of waiting decides. Beyond
// its share, it gets only permits that no other holder lacks.
func (d *drawing) permits() {
	me, keep, want := d.me, d.p.Keep, max(d.p.Want, d.p.Keep)
	me.number = d.p.Number
	free := d.p.Max - d.others - keep
	take := max(0, min(min(want, d.share)-keep, free-d.ahead))
	take += max(0, min(want-keep-take, free-take-d.owed))
	me.held, me.want = keep+take, want
	if d.p.Max == 0 {
		me.held, me.want = keep, keep
	}
	switch {
	case me.want <= me.held:
		me.since = 0
	case me.since == 0:
		d.newly = true
		me.since = d.nextNumber(d.now)
	}
}

// tokens takes tokens back and lends new ones. A lent token uses room in the bucket until it is
// reported or expires. So in any period no more tasks start than the burst and what the rate adds.
func (d *drawing) tokens() {
	me, rate := d.me, d.p.Rate
	if rate.Events == 0 {
		me.tokens, me.void = 0, time.Time{}
		return
	}
	if d.at.IsZero() {
		d.level, d.at = float64(rate.Burst), d.now
	}
	refill := func(t time.Time, out int) {
		if t.After(d.at) {
			d.level += float64(t.Sub(d.at)) * float64(rate.Events) / float64(rate.Per)
			d.at = t
		}
		d.level = min(d.level, float64(rate.Burst-out))
	}
	out := d.lent
	for _, h := range d.voided {
		out += h.tokens
	}
	if d.now.Before(me.void) {
		out += me.tokens
	}
	slices.SortFunc(d.voided, func(a, b *holder) int { return a.void.Compare(b.void) })
	for _, h := range d.voided { // they may have been spent shortly before
		refill(h.void, out)
		out -= h.tokens
	}
	if me.tokens > 0 && d.now.Before(me.void) {
		back := min(d.p.Unused, me.tokens)
		if used := d.p.Used; !used.IsZero() && used.Before(d.now) {
			refill(used, d.lent+me.tokens)
		} else {
			refill(d.now, d.lent+me.tokens)
		}
		refill(d.now, d.lent+back)
		d.level = min(d.level+float64(back), float64(rate.Burst-d.lent))
	}
	if d.now.Before(d.at) { // the clock has gone back
		d.at = d.now
	}
	refill(d.now, d.lent)
	me.tokens = max(0, min(d.p.Tokens, int(math.Floor(d.level+1e-9))))
	me.void = d.now.Add(bounds.TokenTTL)
	d.idle = fillTime(float64(rate.Burst), rate)
	d.level -= float64(me.tokens)
	switch {
	case me.tokens >= d.p.Tokens:
	case rate.Burst > d.lent:
		d.next = d.now.Add(fillTime(1-d.level, rate))
	default:
		d.next = d.firstVoid
	}
}

// fillTime returns how long a rate takes to add tokens, up to [bounds.MaxFill].
func fillTime(tokens float64, rate store.Rate) time.Duration {
	return time.Duration(min(math.Ceil(tokens*float64(rate.Per)/float64(rate.Events)), float64(bounds.MaxFill)))
}

func (d *drawing) reply() store.DrawReply {
	free := d.p.Max - d.others - d.me.held
	reuse := d.me.held
	if d.p.Max > 0 && (d.owed > free || free < 0) {
		fair := 0
		if d.p.Max >= d.wanting {
			fair = d.share
		}
		reuse = min(d.me.held, max(fair, d.p.Max-d.others-d.owed))
	}
	r := store.DrawReply{
		Now:    d.now,
		Held:   d.me.held,
		Reuse:  reuse,
		Wanted: d.wanted,
		Tokens: d.me.tokens,
		Next:   d.next,
		Silent: d.silent,
	}
	if r.Tokens > 0 {
		r.Until = d.me.void
	}
	return r
}

// wakeRivals signals holders that want free permits or tokens: first those below their share, and
// of these the one that has waited longest.
func (l *limit) wakeRivals(p *partition, name string, free, share int, now time.Time) {
	var waiting []*holder
	for _, h := range l.holders {
		if now.Before(h.ends) && h.want > h.held {
			waiting = append(waiting, h)
		}
	}
	slices.SortFunc(waiting, func(a, b *holder) int {
		return cmp.Or(
			cmp.Compare(min(1, b.debt(share)), min(1, a.debt(share))), cmp.Compare(a.since, b.since),
			strings.Compare(a.name, b.name),
		)
	})
	for _, h := range waiting {
		if free < 1 {
			return
		}
		p.signal(store.Signal{Type: signals.Limit, Limit: name, Holder: h.name})
		free -= max(1, h.debt(share))
	}
}

// Forfeit takes the permits of a silent holder.
func (s *backend) Forfeit(ctx context.Context, limit string, holding store.Holding) error {
	part, err := s.of(ctx, limit)
	if err != nil {
		return err
	}
	defer part.unlock()
	l := part.limits[limit]
	if l == nil {
		return nil
	}
	now := part.now()
	if h := l.holders[holding.Holder]; h != nil && h.number == holding.Number && !now.Before(h.ends) {
		free := h.held
		if h.held, h.want, h.since = 0, 0, 0; !h.lent(l.at) {
			delete(l.holders, holding.Holder)
		}
		l.wakeRivals(part, limit, free, 1, now)
	}
	return nil
}

// forgetLimits drops accounts without holders, if their tokens need not be remembered.
func (p *partition) forgetLimits(now time.Time) {
	for name, l := range p.limits {
		used, spent := false, l.at
		for who, h := range l.holders {
			switch {
			case h.held > 0 || now.Before(h.ends):
				used = true
			case !h.lent(l.at):
				delete(l.holders, who)
			case h.void.After(spent):
				spent = h.void
			}
		}
		if !used && !now.Before(spent.Add(l.idle)) {
			delete(p.limits, name)
		}
	}
}

// SessionsLeft counts the sessions whose IDs begin with prefix. When a session ends, its tasks are
// given back.
func (s *backend) SessionsLeft(ctx context.Context, partition int, prefix string) (int, error) {
	part, err := s.at(ctx, partition)
	if err != nil {
		return 0, err
	}
	defer part.unlock()
	n := 0
	for id := range part.sessions {
		if strings.HasPrefix(id, prefix) {
			n++
		}
	}
	return n, nil
}
