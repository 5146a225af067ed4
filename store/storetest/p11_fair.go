package storetest

import (
	"fmt"

	"github.com/rollcall-go/rollcall/store"
)

var fairness = []testCase{
	{"a small run behind a big one is served next", func(s *scene) {
		sh := newSharing(s)
		big := sh.run("big", 1, 2000)
		sh.serve(10)
		small := sh.run("small", 1, 5)
		served := sh.serve(3)
		s.Equal(5, served[small.id], "a small run never waits for a big one to end")
		s.Positive(served[big.id])
	}},
	{"many small runs behind a big one are all served", func(s *scene) {
		sh := newSharing(s)
		big := sh.run("big", 1, 2000)
		sh.serve(10)
		var small []*run
		for range 10 {
			small = append(small, sh.run(s.name("small"), 1, 4))
		}
		served := sh.serve(2 * len(small))
		for _, r := range small {
			s.Equal(4, served[r.id])
		}
		s.Positive(served[big.id], "the big one is not starved either")
	}},
	{"runs share a queue by weight", func(s *scene) {
		sh := newSharing(s)
		heavy, light := sh.run("heavy", 3, 600), sh.run("light", 1, 600)
		served := sh.serve(50)
		s.Equal(50*sh.batch, served[heavy.id]+served[light.id])
		s.InDelta(
			float64(served[heavy.id]), 3*float64(served[light.id]), float64(4*sh.batch), "3 to 1, within a batch of each",
		)
	}},
	{"runs of equal weight share equally, whatever waits in them", func(s *scene) {
		sh := newSharing(s)
		a, b, c := sh.run("a", 1, 1500), sh.run("b", 1, 300), sh.run("c", 1, 150)
		served := sh.serve(45)
		for _, r := range []*run{a, b, c} {
			s.InDelta(15*sh.batch, served[r.id], float64(2*sh.batch), r.id.Job)
		}
	}},
	{"a run that comes back neither starves the others nor is starved", func(s *scene) {
		sh := newSharing(s)
		busy, idle := sh.run("busy", 1, 2000), sh.run("idle", 1, 8)
		served := sh.serve(60)
		s.Equal(8, served[idle.id])
		sh.p.add(idle, tasks(scan, "back", 500)...)
		served = sh.serve(20)
		s.InDelta(10*sh.batch, served[busy.id], float64(2*sh.batch), "what it did not use is not saved up")
		s.InDelta(10*sh.batch, served[idle.id], float64(2*sh.batch), "what others used is not held against it")
	}},
	{"two lanes of a run in a queue count as one run", func(s *scene) {
		sh := newSharing(s)
		check := store.Route{Queue: scan.Queue, Set: scan.Set, Kind: "check"}
		sh.w.queues = []store.FetchQueue{{Queue: scan.Queue, Routes: []store.Route{scan, check}}}
		wide, narrow := sh.run("wide", 1, 600), sh.run("narrow", 1, 600)
		sh.p.add(wide, tasks(check, "check", 600)...)
		served := sh.serve(40)
		s.InDelta(20*sh.batch, served[wide.id], float64(2*sh.batch))
		s.InDelta(20*sh.batch, served[narrow.id], float64(2*sh.batch))
	}},
	{"queues are tried in the order given", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, append(tasks(scan, "scan", 10), tasks(file, "file", 10)...)...)
		w.queues = []store.FetchQueue{only(file)[0], only(scan)[0]}
		for _, d := range w.take(10) {
			s.Equal(file, d.Lease.Lane.Route)
		}
		for _, d := range w.take(10) {
			s.Equal(scan, d.Lease.Lane.Route)
		}
	}},
	{"a lane that the worker does not ask for does not stand in the way", func(s *scene) {
		r := s.open("import")
		unknown := store.Route{Queue: scan.Queue, Set: scan.Set, Kind: "unknown"}
		p, w := r.producer(), r.worker()
		p.add(r, tasks(unknown, "unknown", 300)...)
		p.add(r, tasks(scan, "t", 3)...)
		w.queues = only(scan)
		s.Len(w.take(3), 3)
		w.none("the rest is of another kind")
	}},
	{"a paused run does not stand in the way", func(s *scene) {
		sh := newSharing(s)
		paused, other := sh.run("paused", 1, 500), sh.run("other", 1, 20)
		paused.pause(true)
		served := sh.serve(20)
		s.Equal(20, served[other.id])
		s.Zero(served[paused.id])
		paused.pause(false)
		s.Equal(5*sh.batch, sh.serve(5)[paused.id])
	}},
}

// sharing is a queue that several runs of one partition share, and a worker that
// serves it batch by batch.
type sharing struct {
	s         *scene
	partition int
	p         *producer
	w         *worker
	batch     int
}

func newSharing(s *scene) *sharing {
	w := s.worker(0, steady)
	w.queues = only(scan)
	return &sharing{s: s, p: s.producer(0), w: w, batch: 8}
}

// run starts an open run with n tasks waiting, in the partition of the worker.
func (sh *sharing) run(job string, weight float64, n int) *run {
	sh.s.tb.Helper()
	name := job
	for i := 0; sh.s.partition(name) != sh.partition; i++ {
		name = fmt.Sprintf("%s/%d", job, i)
	}
	r := sh.s.start(store.StartParams{Job: name, Open: true, Weight: weight})
	sh.p.add(r, tasks(scan, "t", n)...)
	return r
}

// serve fetches and settles some batches and counts what each run got.
func (sh *sharing) serve(batches int) map[store.RunID]int {
	sh.s.tb.Helper()
	served := make(map[store.RunID]int)
	for range batches {
		ds := sh.w.fetch(sh.batch)
		for _, d := range ds {
			served[d.Lease.Lane.Run]++
		}
		sh.w.succeed(ds...)
	}
	return served
}
