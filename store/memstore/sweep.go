package memstore

import (
	"context"
	"maps"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/rules"
)

const (
	// sweepSlice limits the work of one call of Sweep, because it holds the partition's lock.
	sweepSlice = 4096
	// jumpFactor: after this many sweep intervals without a sweep, the store assumes a jump of the
	// clock.
	jumpFactor = 3
)

// Sweep closes dead sessions and expires summaries, claimed IDs and unused producer streams: a
// bounded slice of it.
//
// If more than three sweep intervals passed since the last sweep, or the clock went back, the
// machine may have been paused with all workers, so that they sent no heartbeat. Then every lease
// is extended once, and the next sweep finds dead sessions.
func (s *backend) Sweep(ctx context.Context, partition int) (store.SweepReply, error) {
	part, err := s.at(ctx, partition)
	if err != nil {
		return store.SweepReply{}, err
	}
	defer part.unlock()

	now := part.now()
	var reply store.SweepReply
	left := sweepSlice
	if part.jumped(now) {
		part.log.InfoContext(
			ctx, "clock jumped, leases extended", "partition", part.index, "last", part.lastSweep, "now", now,
		)
		for _, sess := range part.sessions {
			sess.grace(now)
		}
	}
	left -= part.reclaimDead(ctx, now, left, &reply)
	part.lastSweep = now
	left -= part.expireClaims(now, left)
	left -= part.expireSummaries(now, left, &reply)
	part.forgetProducers(now)
	part.forgetSemaphores(now)
	part.forgetLimits(now)
	part.history.note(now, &part.ledger)
	part.ledger.forget(func(r store.Route) bool { return part.rings[r] == nil })
	part.forgetValues(now)
	part.expireResults(now)
	reply.More = left <= 0
	return reply, nil
}

// expireResults removes results whose time is over.
func (p *partition) expireResults(now time.Time) {
	for number, r := range p.aging {
		if r.results.expire(now); len(r.results.byID) == 0 {
			delete(p.aging, number)
		}
	}
}

// sweepDue reports whether a sweep is due.
func (p *partition) sweepDue(now time.Time) bool {
	since := now.Sub(p.lastSweep)
	return p.lastSweep.IsZero() || since >= p.sweepInterval || since < 0
}

func (p *partition) jumped(now time.Time) bool {
	since := now.Sub(p.lastSweep)
	return !p.lastSweep.IsZero() && (since > jumpFactor*p.sweepInterval || since < 0)
}

// reclaimDead closes dead sessions. It returns how many deliveries and sessions it handled.
func (p *partition) reclaimDead(ctx context.Context, now time.Time, limit int, reply *store.SweepReply) (done int) {
	for _, sess := range p.sessions {
		if now.Before(sess.expires) {
			continue
		}
		if done >= limit {
			break
		}
		p.lost = rules.KeepLost(p.lost, store.LostSession{
			ID: sess.id.ID, Worker: sess.worker, Heard: sess.heard, Ended: now, Held: sess.held,
		})
		given := p.reclaim(sess, now)
		p.log.WarnContext(
			ctx,
			"session expired",
			"partition",
			p.index,
			"session",
			sess.id.ID,
			"worker",
			sess.worker.Name,
			"held",
			given,
		)
		reply.Sessions++
		reply.Reclaimed += given
		done += 1 + given
	}
	return done
}

// expireClaims frees claimed IDs of active runs.
func (p *partition) expireClaims(now time.Time, limit int) (done int) {
	for _, r := range p.active {
		done += r.claims.expire(now, limit-done)
	}
	return done
}

func (p *partition) expireSummaries(now time.Time, limit int, reply *store.SweepReply) (done int) {
	for p.ended.len() > 0 && !now.Before(p.ended.top().expires) && done < limit {
		p.forget(p.ended.top())
		reply.Purged++
		done++
	}
	return done
}

func (p *partition) forgetProducers(now time.Time) {
	maps.DeleteFunc(p.producers, func(_ string, pr *producer) bool { return pr.over(now) })
}
