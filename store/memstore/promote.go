package memstore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
)

// promoteSlice limits the work of one call of Promote, because it holds the partition's lock.
const promoteSlice = 4096

// Promote ends runs whose time is over, moves delayed tasks that are due to waiting, earliest
// first, and tells of the jobs that are due.
func (s *backend) Promote(ctx context.Context, partition int) (store.PromoteReply, error) {
	part, err := s.at(ctx, partition)
	if err != nil {
		return store.PromoteReply{}, err
	}
	defer part.unlock()
	now := part.now()
	reply := store.PromoteReply{Now: now, Jobs: part.dueJobs(now)}
	reply.Ended, reply.More = part.endDue(now, promoteSlice)
	for part.due.len() > 0 && !part.nextTask().After(now) {
		if reply.Promoted == promoteSlice {
			reply.More = true
			break
		}
		l, t := part.unpark()
		part.count(l, 1, -1)
		l.waiting.pushBack(t)
		part.enterRing(l)
		part.moved(l.run)
		reply.Promoted++
	}
	reply.Next = part.nextDue()
	return reply, nil
}
