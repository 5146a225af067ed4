package storetest

import (
	"cmp"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
)

const (
	// limitName is the limit that the model's holders draw on.
	limitName = "ingest/scan"
	// limitTTL is between two ticks, so that it does not matter how a store rounds.
	limitTTL = 7 * tick / 2
)

// limitRate is what the model's holders draw tokens of.
var limitRate = store.Rate{Events: 20, Per: time.Second, Burst: 3}

// modelLimits is the account of one limit as the model knows it.
type modelLimits struct {
	max     int
	holders []*modelHolder
	calls   int64       // that came to want more, in order
	spent   []time.Time // when each token was spent, by the store's clock
	settled time.Time   // from when on the bucket fills without a break: nothing was reported as spent, or void, since
}

// modelHolder is one holder and what it was told last.
type modelHolder struct {
	*drawer
	reply store.DrawReply // of its last call, zero before
	want  int
	since int64         // place in the line of those who want more than they hold; 0 if it does not
	ends  time.Duration // on the model's clock: when it is silent
}

func newModelLimits(s *scene) *modelLimits {
	l := &modelLimits{max: 3}
	for range 3 {
		l.holders = append(l.holders, newModelHolder(s))
	}
	return l
}

func newModelHolder(s *scene) *modelHolder {
	h := &modelHolder{drawer: s.drawer(limitName, 0), ends: never}
	h.p.Rate = limitRate
	return h
}

// waits is what the holder lacks of what it wants, up to a share.
func (h *modelHolder) waits(share int) int { return max(0, min(h.want, share)-h.reply.Held) }

// outstanding is how many tokens the holder may still spend.
func (h *modelHolder) outstanding(now time.Time) int {
	if now.Before(h.reply.Until) {
		return h.reply.Tokens
	}
	return 0
}

// Draw has holders keep, want and give back permits and tokens, one after the other.
func (m *machine) Draw(t *rapid.T) {
	l := m.limits
	if rapid.IntRange(0, 3).Draw(t, "change") == 0 {
		l.max = rapid.IntRange(1, 5).Draw(t, "max")
	}
	for range rapid.IntRange(1, 6).Draw(t, "calls") {
		i := rapid.IntRange(0, len(l.holders)-1).Draw(t, "holder")
		if h := l.holders[i]; h.ends <= m.m.now && h.reply.Held == 0 {
			l.retire(m.s, i) // a store may have forgotten it
		}
		h := l.holders[i]
		switch {
		case h.p.Number > 0 && rapid.IntRange(0, 4).Draw(t, "late") == 0:
			m.lateDraw(h)
		default:
			m.drawNext(t, h)
		}
	}
}

// lateDraw repeats the last call, and sends the one before.
func (m *machine) lateDraw(h *modelHolder) {
	again := h.again()
	h.ends = m.m.now + h.p.TTL
	m.s.Equal([]any{h.reply.Held, h.reply.Tokens}, []any{again.Held, again.Tokens}, "a repeat")
	m.s.True(h.reply.Until.Equal(again.Until), "a repeat lends for no longer")
	if h.p.Number > 1 {
		late := h.p
		late.Number, late.Keep, late.Want = h.p.Number-1, 0, 9
		_, err := m.s.store.Draw(m.s.ctx, late)
		m.s.ErrorIs(err, store.ErrStale)
	}
}

// drawNext makes the next call of a holder.
func (m *machine) drawNext(t *rapid.T, h *modelHolder) {
	l := m.limits
	before := h.reply
	h.p.Max, h.p.TTL = l.max, steady
	if m.virtual && rapid.Bool().Draw(t, "mortal") {
		h.p.TTL = limitTTL
	}
	keep := rapid.IntRange(0, before.Held).Draw(t, "keep")
	want := rapid.IntRange(0, 5).Draw(t, "want")
	h.p.Tokens, h.p.Unused, h.p.Used = rapid.IntRange(0, 4).Draw(t, "tokens"), 0, time.Time{}
	if before.Tokens > 0 {
		h.p.Unused = rapid.IntRange(0, before.Tokens).Draw(t, "unused")
		if h.p.Unused < before.Tokens {
			h.p.Used = before.Now // if it is still asked for
		}
	}
	reply := h.draw(keep, want)
	l.spend(h, before.Tokens-h.p.Unused, reply.Now)
	h.reply = reply
	m.checkPermits(h, keep, max(keep, want))
	m.checkTokens(h)
	h.ends = m.m.now + h.p.TTL
	m.checkAccount()
}

// checkPermits requires that the holder got what it may have, and what it must have.
func (m *machine) checkPermits(h *modelHolder, keep, want int) {
	l, s, reply := m.limits, m.s, h.reply
	others, wanting := 0, 0
	var line []*modelHolder // who else wants more
	var silent []store.Holding
	for _, o := range l.holders {
		switch {
		case o == h:
			continue
		case o.ends > m.m.now:
			if o.want > 0 {
				wanting++
			}
			if o.want > o.reply.Held {
				line = append(line, o)
			}
		case o.reply.Held > 0:
			silent = append(silent, store.Holding{Holder: o.p.Holder, Number: o.p.Number})
		}
		others += o.reply.Held
	}
	if want > 0 {
		wanting++
	}
	share := max(1, l.max/max(1, wanting))
	free, ahead := l.max-others, 0
	for _, o := range line {
		if h.since == 0 || o.since < h.since {
			ahead += o.waits(share)
		}
	}
	s.ElementsMatch(silent, reply.Silent)
	contested := len(line) > 0
	s.Equal(reply.Wanted, contested, "others want permits")
	s.GreaterOrEqual(reply.Held, keep, "what is in use is kept")
	s.LessOrEqual(reply.Held, want, "nobody gets more than it wants")
	s.LessOrEqual(reply.Reuse, reply.Held)
	if reply.Held > keep {
		s.LessOrEqual(reply.Held, free, "no more are held than there are")
		s.LessOrEqual(ahead, free-reply.Held, "who waits for longer is first")
	}
	if ahead == 0 {
		s.GreaterOrEqual(reply.Held, min(want, share, free), "the first in line gets its share")
	}
	if !contested {
		s.Equal(max(keep, min(want, free)), reply.Held, "what nobody else wants is there")
		if reply.Held <= free {
			s.Equal(reply.Held, reply.Reuse, "nobody is owed any")
		}
	}
	switch h.want = want; {
	case want <= reply.Held:
		h.since = 0
	case h.since == 0:
		l.calls++
		h.since = l.calls
	}
}

// spend notes what a holder spent of its last tokens: right when it got them, or just before they
// were void if that is how long the store did not hear of it. By then it puts nothing back, and all
// of them took up room until they were void.
func (l *modelLimits) spend(h *modelHolder, n int, now time.Time) {
	at, known := h.reply.Now, now
	switch {
	case h.reply.Tokens == 0:
		return
	case !now.Before(h.reply.Until):
		at, known = h.reply.Until.Add(-time.Millisecond), h.reply.Until
	case n == 0:
		return
	}
	for range n {
		l.spent = append(l.spent, at)
	}
	if known.After(l.settled) {
		l.settled = known
	}
}

// checkTokens requires that no time has more tokens than it may, also if all that is lent is spent
// now, and that a bucket that had time to fill is full.
func (m *machine) checkTokens(h *modelHolder) {
	l, s, reply := m.limits, m.s, h.reply
	spent, lent, settled := slices.Clone(l.spent), 0, l.settled
	for _, o := range l.holders {
		n := o.outstanding(reply.Now)
		if o != h {
			lent += n
			if until := o.reply.Until; n == 0 && o.reply.Tokens > 0 && until.After(settled) {
				settled = until
			}
		}
		for range n {
			spent = append(spent, reply.Now)
		}
	}
	slices.SortFunc(spent, time.Time.Compare)
	for i := range spent {
		for j := i; j < len(spent); j++ {
			d := spent[j].Sub(spent[i]) + time.Millisecond // the clock's grain
			allowed := float64(limitRate.Burst) + d.Seconds()*float64(limitRate.Events)/limitRate.Per.Seconds()
			s.LessOrEqual(float64(j-i+1), allowed+1e-6, "tokens within %v", d)
		}
	}
	s.LessOrEqual(reply.Tokens, h.p.Tokens)
	s.Equal(reply.Tokens < h.p.Tokens, !reply.Next.IsZero(), "it is told when to try again if some are missing")
	if !reply.Next.IsZero() {
		s.True(reply.Next.After(reply.Now))
	}
	fill := time.Duration(limitRate.Burst)*limitRate.Per/time.Duration(limitRate.Events) + time.Millisecond
	if lent == 0 && reply.Now.Sub(settled) > fill {
		s.Equal(min(h.p.Tokens, limitRate.Burst), reply.Tokens, "the bucket is full")
	}
}

// retire puts another holder in the place of one that is gone. What it had of tokens it may have
// spent.
func (l *modelLimits) retire(s *scene, i int) {
	h := l.holders[i]
	l.spend(h, h.reply.Tokens, h.reply.Until)
	l.holders[i] = newModelHolder(s)
}

// Forfeit takes the permits of a holder: of one that is silent since the call that is named, or
// else of nobody.
func (m *machine) Forfeit(t *rapid.T) {
	l := m.limits
	i := rapid.IntRange(0, len(l.holders)-1).Draw(t, "holder")
	h := l.holders[i]
	named := store.Holding{Holder: h.p.Holder, Number: h.p.Number}
	if rapid.IntRange(0, 3).Draw(t, "heard from since") == 0 {
		named.Number--
	}
	for range 2 {
		m.s.NoError(m.s.store.Forfeit(m.s.ctx, limitName, named))
	}
	if named.Number == h.p.Number && h.ends <= m.m.now {
		l.retire(m.s, i)
	}
}

// endLimits has every holder give back what it has, and requires that all of it is there.
func (m *machine) endLimits() {
	l := m.limits
	for _, h := range l.holders {
		if h.p.Number > 0 {
			h.p.Max, h.p.Tokens, h.p.Unused = l.max, 0, 0
			m.s.Zero(h.draw(0, 0).Held)
		}
	}
	m.s.Equal(l.max, m.s.drawer(limitName, l.max).draw(0, 9).Held, "what was given back is there")
}

// checkAccount compares what all holders have, and who waits.
func (m *machine) checkAccount() {
	s := m.s
	rec, err := s.store.Limit(s.ctx, limitName)
	s.NoError(err)
	got := make(map[string]store.LimitHolder)
	for _, h := range rec.Holders {
		got[h.Holder] = h
	}
	var line []*modelHolder
	for _, h := range m.limits.holders {
		if m.checkHolder(h, got[h.p.Holder], rec.Now) {
			line = append(line, h)
		}
		delete(got, h.p.Holder)
	}
	for _, h := range got { // the model forgets who is silent without permits
		s.True(h.Silent && h.Held == 0, "a holder that is not known")
	}
	slices.SortFunc(line, func(a, b *modelHolder) int { return cmp.Compare(a.since, b.since) })
	for i, h := range line {
		s.Equal(h.p.Holder, rec.Holders[i].Holder, "who waits longest is first")
	}
}

// checkHolder compares one holder, and reports whether it waits.
func (m *machine) checkHolder(h *modelHolder, got store.LimitHolder, now time.Time) (waits bool) {
	s, silent, tokens := m.s, h.ends <= m.m.now, h.outstanding(now)
	waits = h.since > 0 && !silent
	if h.reply.Held == 0 && tokens == 0 && !waits {
		s.Empty(got.Holder, "it has and wants nothing")
		return false
	}
	s.Equal(h.reply.Held, got.Held)
	s.Equal(tokens, got.Tokens)
	s.Equal(silent, got.Silent)
	s.Equal(waits, !got.Since.IsZero())
	if waits {
		s.Equal(h.want, got.Want)
	}
	return waits
}
