package storetest

import (
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
)

// semaphoreLines tests the line of waiters of a semaphore, and exclusive claims.
var semaphoreLines = []testCase{
	{"who waits is served in order, and who does not wait lets them", func(s *scene) {
		holder := s.claim("gate", 1, steady)
		s.granted(holder)
		var line []store.SemaphoreClaim
		for i := range 3 {
			line = append(line, s.waiting("gate", 1))
			s.Equal(i, s.refused(line[i]).Ahead)
		}
		s.Equal(1, s.refused(line[1]).Ahead, "a place is kept")
		rec := s.semaphore("gate")
		s.Len(rec.Waiters, 3)
		for i, w := range rec.Waiters {
			s.Equal(line[i].Holder, w.Holder)
			s.False(w.Since.After(rec.Now))
			s.True(w.Expires.After(rec.Now))
		}
		s.release(holder)
		for i, c := range line {
			s.Equal(len(line)-i, s.refused(s.claim("gate", 1, steady)).Ahead, "a newcomer yields")
			for _, behind := range line[i+1:] {
				s.refused(behind)
			}
			s.granted(c)
			s.release(c)
		}
		s.granted(s.claim("gate", 1, steady))
	}},
	{"a newcomer is let in if that leaves a place for everybody in the line", func(s *scene) {
		holder := s.claim("gate", 2, steady)
		s.granted(holder)
		other := s.claim("gate", 2, steady)
		s.granted(other)
		first := s.waiting("gate", 2)
		s.refused(first)
		s.release(holder)
		s.refused(s.claim("gate", 2, steady))
		s.release(other)
		s.granted(s.claim("gate", 2, steady))
		s.refused(s.claim("gate", 2, steady))
		s.granted(first)
	}},
	{"who counts fewer places is not overtaken by who counts more", func(s *scene) {
		a, b := s.claim("gate", 3, steady), s.claim("gate", 3, steady)
		s.granted(a)
		s.granted(b)
		first := s.waiting("gate", 1) // counts one place only, and two are taken
		s.refused(first)
		s.refused(s.claim("gate", 3, steady)) // would fit, but first cannot be served
		s.release(a)
		s.release(b)
		s.refused(s.claim("gate", 3, steady)) // would fit, but then first could not be served
		s.granted(first)
		s.granted(s.claim("gate", 3, steady))
	}},
	{"a dead waiter does not block the line", func(s *scene) {
		holder := s.claim("gate", 1, steady)
		s.granted(holder)
		dead, alive := s.waiting("gate", 1), s.waiting("gate", 1)
		dead.Wait = brief
		s.refused(dead)
		s.refused(alive)
		s.release(holder)
		s.eventually(alive)
	}},
	{"who leaves the line lets the others up, and is no longer in it", func(s *scene) {
		s.granted(s.claim("gate", 1, steady))
		first, second := s.waiting("gate", 1), s.waiting("gate", 1)
		s.refused(first)
		s.refused(second)
		s.release(first)
		s.Zero(s.refused(second).Ahead)
		s.lost(first)
	}},
	{"the first in the line is signalled when it is its turn", func(s *scene) {
		holder := s.claim("gate", 2, steady)
		s.granted(holder)
		forced := s.granted(s.claim("gate", 2, steady))
		writer, second, third := s.waiting("gate", 2), s.waiting("gate", 2), s.waiting("gate", 2)
		writer.Exclusive = true
		var places []int64
		for _, c := range []store.SemaphoreClaim{writer, second, third} {
			r := s.refused(c)
			s.Equal(r.Place, s.refused(c).Place, "it keeps its number")
			places = append(places, r.Place)
		}
		s.IsIncreasing(places)
		l := s.listen()
		defer l.stop()
		hears := func(what string, place int64) {
			l.hears(what, func(sig store.Signal) bool {
				return sig.Type == signals.Semaphore && sig.Semaphore == "gate" &&
					sig.Partition == s.partition("gate") &&
					sig.Place == place
			})
		}
		s.release(holder)
		_, err := s.store.ForceReleaseSemaphore(s.ctx, "gate", forced.Fence, forced.Fence)
		s.NoError(err)
		hears("a release by an operator", places[0])
		s.granted(writer)
		s.release(writer)
		hears("a release", places[1])
		s.granted(second)
		hears("a grant that leaves room for the next", places[2])

		s.granted(third)
		writer = s.waiting("gate", 2)
		writer.Exclusive = true
		s.refused(writer)
		last := s.waiting("gate", 3)
		place := s.refused(last).Place
		s.release(writer)
		hears("a waiter that left", place)
	}},
	{"an exclusive lease is the only one, and who waits for it keeps new ones out", func(s *scene) {
		readers := []store.SemaphoreClaim{s.claim("tree", 8, steady), s.claim("tree", 8, steady)}
		for _, c := range readers {
			s.granted(c)
		}
		writer := s.waiting("tree", 8)
		writer.Exclusive = true
		s.Len(s.refused(writer).Holders, 2, "the writer sees who still reads")
		s.refused(s.claim("tree", 8, steady))
		behind := s.waiting("tree", 8)
		s.refused(behind)
		s.release(readers[0])
		s.refused(writer)
		s.refused(behind)
		s.release(readers[1])
		s.refused(behind)
		s.True(s.granted(writer).Exclusive)
		s.refused(behind)
		s.refused(s.claim("tree", 8, steady))
		another := s.claim("tree", 8, steady)
		another.Exclusive = true
		s.refused(another)
		s.release(writer)
		s.granted(behind)
		s.refused(another)
	}},
}

// waiting makes a claim that waits in the line.
func (s *scene) waiting(key string, slots int) store.SemaphoreClaim {
	c := s.claim(key, slots, steady)
	c.Wait = steady
	return c
}
