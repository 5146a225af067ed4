package storetest

import (
	"fmt"
	"math"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// Times that every store refuses, and the first and last that every store accepts.
var (
	badTimes = map[string]time.Time{
		"2^62 s": time.Unix(1<<62, 0), "the year 10000": time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		"-2^62 s": time.Unix(
			-1<<62, 0,
		), "the last second": time.Unix(math.MaxInt64, 0), "the year 0": time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC),
		"10000 elsewhere": time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("west", -7200)),
	}
	lastTime  = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	firstTime = time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)
)

var numbersContract = []testCase{
	{"revisions are compared digit by digit", func(s *scene) {
		const exact = 1 << 53 // above this, not every integer is a float
		for i, revisions := range [][2]int64{
			{exact + 1, exact}, {math.MaxInt64, math.MaxInt64 - 1}, {1, 0}, {0, -1}, {-1, -2}, {-exact, -exact - 1}, {10, 9}, {-9, -10}, {1, math.MinInt64},
			{math.MinInt64 + 1, math.MinInt64},
		} {
			job := s.name("job")
			ensure := func(revision int64, definition string) verdicts.Ensure {
				result, err := s.store.EnsureJob(s.ctx, store.EnsureParams{
					Job: job, Type: statuses.JobStanding, Definition: []byte(definition), Revision: revision,
				})
				s.NoError(err)
				return result
			}
			s.Equal(verdicts.EnsureCreated, ensure(revisions[0], "a"))
			s.Equal(verdicts.EnsureKept, ensure(revisions[1], "b"), "pair %d: a lower one is stored no more", i)
			s.Equal(verdicts.EnsureUpdated, ensure(revisions[0], "c"))
			rec, err := s.store.Job(s.ctx, job)
			s.NoError(err)
			s.Equal(revisions[0], rec.Revision)
			s.Equal("c", string(rec.Definition))
		}
	}},
	{"a time that no store can keep is refused by its field", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "scan"))
		d := w.one()
		before := s.leftovers()
		for name, at := range badTimes {
			it := task(scan, "bad")
			it.At = at
			p.number++
			_, err := s.store.Enqueue(s.ctx, store.EnqueueParams{
				Partition: r.partition, Stream: p.stream, Number: p.number, Entries: []store.Entry{{Run: r.id, Item: task(scan, "good")}, {Run: r.id, Item: it}},
			})
			s.refuses(err, "Entries[1].Item.At")
			_, err = w.try(success(d, task(scan, "good"), it))
			s.refuses(err, "Outcomes[0].Children[1].At")
			s.refuses(
				s.store.Stage(
					s.ctx, store.StageParams{Session: w.session, Lease: d.Lease, Route: scan, Items: []store.Item{it}},
				),
				"Items[0].At",
			)
			for field, spoil := range map[string]func(p *store.StartParams){
				"Root.At":    func(p *store.StartParams) { p.Root = &it },
				"PreJob.At":  func(p *store.StartParams) { p.PreJob = hook(preJob); p.PreJob.At = at },
				"PostJob.At": func(p *store.StartParams) { p.PostJob = hook(postJob); p.PostJob.At = at },
				"Due":        func(p *store.StartParams) { p.Due = at },
			} {
				start := s.params(store.StartParams{Job: "other", Open: true})
				spoil(&start)
				_, err := s.store.StartRun(s.ctx, start)
				s.refuses(err, field)
			}
			start := s.params(store.StartParams{Job: "periodic", Open: true})
			_, err = s.store.FireRun(s.ctx, store.FireParams{Start: start, Next: []time.Time{at}})
			s.refuses(err, "Next[0]")
			_, err = s.store.FireRun(s.ctx, store.FireParams{Start: start, Next: []time.Time{lastTime}, Due: at})
			s.refuses(err, "Due")
			fetch := w.params(1)
			fetch.Number = w.fetches + 1
			fetch.Budgets = []store.Budget{{Scope: scope(scan), Left: 1, Until: at}}
			_, err = s.store.Fetch(s.ctx, fetch)
			s.refuses(err, "Budgets[0].Until")
			_, err = s.store.Draw(
				s.ctx, store.DrawParams{Limit: "limit", Holder: "holder", Number: 1, TTL: time.Second, Used: at},
			)
			s.refuses(err, "Used")
			s.Equal(before, s.leftovers(), "%s: nothing was written", name)
		}
		r.counts(store.Counts{Running: 1}, "nothing was added")
	}},
	{"the first and the last time are kept", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		first, last := task(scan, "first"), task(scan, "last")
		first.At, last.At = firstTime, lastTime
		p.add(r, first, last)
		s.promote(r.partition)
		r.counts(store.Counts{Pending: 1, Delayed: 1}, "what was due long ago is due, what is due long after waits")
		in, err := s.store.Inspect(s.ctx, r.id)
		s.NoError(err)
		for _, lane := range in.Lanes {
			if lane.Delayed == 1 {
				s.Equal(lastTime.UnixMilli(), lane.NextDue.UnixMilli())
			}
		}
	}},
	{"times are kept whatever zone they are in", func(s *scene) {
		for _, offset := range []int{1, -3661, 25 * 3600, -30 * 3600} { // RFC 3339 has none of these
			at := time.Date(1999, 1, 2, 3, 4, 5, 6_000_000, time.FixedZone("far", offset))
			r := s.start(store.StartParams{Job: s.name("job"), Open: true, Due: at})
			it := task(scan, "t")
			it.Task.Enqueued, it.At = at, at
			r.producer().add(r, it)
			s.promote(r.partition)
			w := r.worker()
			s.NoError(s.store.OpenSession(s.ctx, w.session, store.WorkerInfo{Started: at}, steady))
			d := w.one()
			w.beats(store.RunningTask{Run: r.id, ID: "t", Since: at, Progress: store.Progress{Done: 1}})
			for what, kept := range map[string]time.Time{
				"Enqueued": d.Task.Enqueued, "Due": r.record().Due, "Since": r.record().Reporting[0].Since,
				"Started": s.live(r.partition)[0].Worker.Started,
			} {
				s.True(kept.Equal(at), "%s: %v, not %v", what, kept, at)
			}
			w.succeed(d)
			w.close()
		}
	}},
	{"no task is due before its time, by no fraction of a millisecond", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		at := time.Now().Add(never).Truncate(time.Millisecond)
		for i, part := range []time.Duration{0, 1, 500_000, 999_999} {
			it := task(scan, fmt.Sprintf("%d", i))
			it.Route.Kind = fmt.Sprintf("kind-%d", i)
			it.At = at.Add(part)
			p.add(r, it)
		}
		in, err := s.store.Inspect(s.ctx, r.id)
		s.NoError(err)
		due := make(map[string]time.Time)
		for _, lane := range in.Lanes {
			due[lane.Route.Kind] = lane.NextDue
		}
		for i, part := range []time.Duration{0, 1, 500_000, 999_999} {
			next := due[fmt.Sprintf("kind-%d", i)]
			s.False(next.Before(at.Add(part)), "part %d", i)
			s.Less(next.Sub(at.Add(part)), time.Millisecond, "part %d", i)
		}
	}},
	{"numbers that no store can keep exactly are refused by their field", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		for _, number := range []int64{0, -1, bounds.MaxNumber + 1, math.MaxInt64} {
			_, err := s.store.Enqueue(
				s.ctx, store.EnqueueParams{Partition: r.partition, Stream: p.stream, Number: number},
			)
			s.refuses(err, "Number")
			_, err = s.store.WriteValues(
				s.ctx, store.WriteParams{Partition: r.partition, Stream: p.stream, Number: number},
			)
			s.refuses(err, "Number")
			_, err = s.store.Settle(s.ctx, store.SettleParams{Session: w.session, Number: number})
			s.refuses(err, "Number")
			fetch := w.params(1)
			fetch.Number = number
			_, err = s.store.Fetch(s.ctx, fetch)
			s.refuses(err, "Number")
			_, err = s.store.Draw(
				s.ctx, store.DrawParams{Limit: "limit", Holder: "holder", Number: number, TTL: time.Second},
			)
			s.refuses(err, "Number")
		}
		for _, weight := range []float64{0, -1, math.NaN(), math.Inf(1), math.MaxFloat64, math.SmallestNonzeroFloat64} {
			_, err := s.store.StartRun(
				s.ctx, s.params(store.StartParams{Job: "other", Open: true, Weight: math.Copysign(weight, weight) + 0*weight}),
			)
			if weight != 0 { // it means one here
				s.refuses(err, "Weight")
			}
		}
		for kind, texts := range map[store.ValueType][]string{
			store.ValueCounter: {"+5", "007", "1e3", " 1", "9223372036854775808", "-0"}, store.ValueFloat: {"0x1p-2", "inf", "1_0", "nan", "1e400"},
		} {
			for _, text := range texts {
				_, err := s.writer(store.RunScope(r.id), "n").
					try(store.Write{Type: kind, Op: store.WriteAdd, Data: []store.Datum{{Bytes: []byte(text)}}})
				s.refuses(err, "Writes[0].Data[0]")
			}
		}
	}},
	{"numbers at their bounds are what they are", func(s *scene) {
		sh := newSharing(s)
		light, weighty := sh.run("light", bounds.MinWeight, 40), sh.run("weighty", bounds.MaxWeight, 40)
		w := light.worker()
		w.succeed(w.take(80)...)
		many := s.start(store.StartParams{Job: "many", Open: true, FailureCap: math.MaxInt})
		many.producer().add(many, task(scan, "scan"))
		w = many.worker()
		w.settle(failed(w.one()))
		counter := s.writer(store.RunScope(light.id), "n")
		for _, n := range []string{"9223372036854775807", "-9223372036854775807", "9007199254740993"} {
			counter.one(
				store.Write{Type: store.ValueCounter, Op: store.WriteAdd, Data: []store.Datum{{Bytes: []byte(n)}}},
			)
		}
		reply, err := s.store.ReadValue(
			s.ctx, store.ReadParams{Scope: store.RunScope(light.id), Name: "n", Type: store.ValueCounter},
		)
		s.NoError(err)
		s.Equal("9007199254740993", string(reply.Data[0].Bytes))
		list, err := s.store.ReadValue(s.ctx, store.ReadParams{
			Scope: store.RunScope(
				light.id,
			), Name: "list", Type: store.ValueList, Offset: math.MaxInt64, Limit: bounds.MaxData,
		})
		s.NoError(err)
		s.Empty(list.Data)
		failures, err := s.store.Failures(s.ctx, store.FailuresParams{Run: weighty.id, After: math.MaxInt, Limit: bounds.MaxPage})
		s.NoError(err)
		s.Empty(failures)
		_, err = s.store.WriteConfiguration(s.ctx, store.ConfigurationWrite{
			ID: store.ConfigurationID{Set: "set"}, Token: "token", IfVersion: math.MaxInt64, Document: []byte("{}"),
		})
		s.ErrorIs(err, store.ErrConflict)
		ended, err := s.store.ForceReleaseSemaphore(s.ctx, "key", math.MaxInt64, math.MaxInt64)
		s.NoError(err)
		s.Zero(ended)
		for number := int64(1); number <= 2; number++ {
			drawn, err := s.store.Draw(s.ctx, store.DrawParams{
				Limit: "limit", Holder: "holder", Number: number, TTL: math.MaxInt64, Max: math.MaxInt, Want: math.MaxInt32, Keep: 1,
				Rate: store.Rate{Events: 1, Per: bounds.MaxPer, Burst: bounds.MaxRateEvents}, Tokens: 5,
			})
			s.NoError(err)
			s.Equal(math.MaxInt32, drawn.Held)
			s.Equal(5, drawn.Tokens)
		}
	}},
	{"sums of counters that leave the range are left out, one by one", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, tasks(scan, "scan", 4)...)
		w := r.worker()
		ds := w.take(4)
		w.settle(
			counting(success(ds[0]), files(math.MaxInt64)), counting(success(ds[1]), files(math.MaxInt64)),
			counting(success(ds[2]), files(math.MaxInt64)), counting(success(ds[3]), files(-1)),
		)
		if !s.h.Wraps {
			s.Equal(files(math.MaxInt64-1), r.record().Counters)
		}
	}},
}
