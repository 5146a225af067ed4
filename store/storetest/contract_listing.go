package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/internal/taskid"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var listingContract = []testCase{
	{"each task is listed where it is, with what is known of it", func(s *scene) {
		r, w := s.mixture()
		all := r.listed()
		s.Equal(mixed(), statusesOf(r.list(store.TasksParams{})))
		s.Len(r.list(store.TasksParams{}), len(mixed()), "each once")
		for id, rec := range all {
			s.Equal(id, string(rec.Task.Payload))
			s.NotEmpty(rec.Cursor)
			s.Equal(
				rec.Status == statuses.TaskDelayed || rec.Status == statuses.TaskRetrying,
				!rec.Due.IsZero(),
				"Due of %s",
				id,
			)
			s.Equal(rec.Status == statuses.TaskFailed, rec.Error != "", "Error of %s", id)
			s.Equal(rec.Status == statuses.TaskFailed, !rec.Since.IsZero(), "Since of %s", id)
		}
		for _, id := range []string{"failed", "running/0", "running/1"} {
			s.Equal(w.session.ID, all[id].Worker)
		}
		s.Equal("broken: failed", all["failed"].Error)
		s.Equal(file, all["child/3"].Route)
		s.True(all["recovered"].Task.Recovered)
		s.Equal(1, all["retrying"].Task.Retry)
		for _, rec := range r.list(store.TasksParams{}) {
			s.Nil(rec.Task.Payload, "payloads come where they are asked for")
		}
	}},
	{"a task that has expired says so wherever it waits, until it runs", func(s *scene) {
		in := map[bool]time.Time{true: time.UnixMilli(1), false: time.Now().Add(never).Truncate(time.Millisecond)}
		until := func(it store.Item, expired bool) store.Item {
			it.Task.Expires = in[expired]
			return it
		}
		root := until(task(scan, "root"), true)
		behind := s.start(store.StartParams{Job: "hooked", Root: &root, PreJob: hook(preJob)})
		s.Equal(statuses.TaskExpired, statusesOf(behind.list(store.TasksParams{}))["root"])

		r := s.open("import")
		p, w, dead := r.producer(), r.worker(), r.worker()
		p.add(r, until(task(scan, "recovered"), true))
		dead.one()
		dead.close()
		p.add(r, task(file, "parent"))
		w.queues = only(file)
		parent := w.one()
		s.NoError(w.stage(parent, file, 0, until(task(file, "child"), true), task(file, "fresh child")))
		w.settle(withStaged(success(parent), staged(file, 2)))
		w.queues = only(scan)
		p.add(
			r,
			until(delayed(scan, "delayed", never), true),
			until(task(scan, "waiting"), true),
			until(task(scan, "in time"), false),
			task(scan, "never"),
		)
		want := map[string]statuses.TaskStatus{
			"recovered": statuses.TaskExpired, "child": statuses.TaskExpired, "fresh child": statuses.TaskWaiting,
			"delayed": statuses.TaskExpired, "waiting": statuses.TaskExpired, "in time": statuses.TaskWaiting, "never": statuses.TaskWaiting,
		}
		s.Equal(want, statusesOf(r.list(store.TasksParams{})))
		s.Len(r.list(store.TasksParams{Status: statuses.TaskExpired}), 4)
		s.Len(r.list(store.TasksParams{Status: statuses.TaskWaiting}), 3)
		s.Empty(r.list(store.TasksParams{Status: statuses.TaskDelayed}))
		s.EqualValues(6, r.record().Counts.Pending, "nothing counts it before a worker does")

		for _, d := range w.take(4) {
			s.Contains(statusesOf(r.list(store.TasksParams{Status: statuses.TaskRunning})), d.Task.ID)
			w.settle(failed(d))
		}
		s.Len(r.list(store.TasksParams{Status: statuses.TaskFailed}), 4, "what has ended does not expire")
		s.Len(r.list(store.TasksParams{Status: statuses.TaskExpired}), 2)
	}},
	{"a running task shows what its worker last said of it", func(s *scene) {
		r, w := s.mixture()
		d := w.held()[0]
		report := running(d, 1, store.Progress{Done: 3, Message: "third"})
		w.beats(report)
		rec := r.listed()[d.Task.ID]
		s.True(report.Since.Equal(rec.Since), "%v", rec.Since)
		s.Equal(report.Progress, rec.Progress)
	}},
	{"pages of any size have the same tasks, and go on behind any of them", func(s *scene) {
		r, _ := s.mixture()
		whole := r.list(store.TasksParams{})
		for limit := 1; limit <= len(whole)+1; limit++ {
			s.Equal(statusesOf(whole), statusesOf(r.list(store.TasksParams{Limit: limit})), "by %d", limit)
			s.Len(r.list(store.TasksParams{Limit: limit}), len(whole), "by %d", limit)
		}
		for i, rec := range whole {
			rest := r.list(store.TasksParams{Cursor: rec.Cursor})
			s.Equal(whole, append(whole[:i+1:i+1], rest...), "behind %s", rec.Task.ID)
		}
	}},
	{"a listing selects by status, queue, set, kind and ID", func(s *scene) {
		r, _ := s.mixture()
		whole := r.list(store.TasksParams{})
		check := func(p store.TasksParams, pick func(store.TaskRecord) bool) {
			s.tb.Helper()
			var want []store.TaskRecord
			for _, rec := range whole {
				if pick(rec) {
					want = append(want, rec)
				}
			}
			s.Equal(want, r.list(p))
		}
		for _, status := range []statuses.TaskStatus{
			statuses.TaskWaiting, statuses.TaskHeld, statuses.TaskDelayed, statuses.TaskRetrying, statuses.TaskRunning, statuses.TaskFailed,
		} {
			check(store.TasksParams{Status: status}, func(rec store.TaskRecord) bool { return rec.Status == status })
		}
		check(store.TasksParams{Queue: file.Queue}, func(rec store.TaskRecord) bool { return rec.Route == file })
		check(store.TasksParams{Kind: scan.Kind, Status: statuses.TaskDelayed}, func(rec store.TaskRecord) bool {
			return rec.Route == scan && rec.Status == statuses.TaskDelayed
		})
		check(store.TasksParams{Set: "other"}, func(store.TaskRecord) bool { return false })
		for id := range mixed() {
			check(store.TasksParams{ID: id}, func(rec store.TaskRecord) bool { return rec.Task.ID == id })
		}
		check(store.TasksParams{ID: "succeeded"}, func(store.TaskRecord) bool { return false })
		check(store.TasksParams{ID: "invisible"}, func(store.TaskRecord) bool { return false })
	}},
	{"of those that claimed their IDs one is found wherever it is, and no other", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		ids := func(id string) []string {
			return slices.Sorted(maps.Keys(statusesOf(r.list(store.TasksParams{ID: id, Claimed: true}))))
		}
		p.add(
			r,
			claimed(scan, "failed", time.Hour),
			claimed(scan, "kept", time.Hour),
			claimed(scan, "gone", 0),
			claimed(scan, "running", 0),
		)
		ds := w.take(4)
		w.settle(failed(ds[0]), success(ds[1]), success(ds[2]))
		p.add(
			r,
			task(file, "parent"),
			claimed(file, "waiting", time.Hour),
			task(file, "unclaimed"),
			delayed(scan, "unclaimed too", never),
		)
		late := claimed(scan, "delayed", 0)
		late.Delay = never
		p.add(r, late)
		w.queues = only(file)
		parent := w.one()
		s.Equal("parent", parent.Task.ID)
		s.NoError(w.stage(parent, file, 0, claimed(file, "child", 0)))
		w.settle(withStaged(success(parent), staged(file, 1)))
		for _, id := range []string{"failed", "running", "waiting", "delayed", "child"} {
			s.Equal([]string{id}, ids(id))
		}
		for _, id := range []string{"kept", "gone", "unclaimed", "unclaimed too", "nobody"} {
			s.Empty(ids(id))
			p := store.ChangeTaskParams{Run: r.id, ID: id, Claimed: true, Cancel: true}
			change, err := s.tryChange(p)
			s.NoError(err)
			s.Empty(change, id)
		}
		for id, done := range map[string]verdicts.Change{
			"running": verdicts.ChangeRequested, "waiting": verdicts.ChangeCancelled, "delayed": verdicts.ChangeCancelled, "child": verdicts.ChangeCancelled,
		} {
			change, err := s.tryChange(store.ChangeTaskParams{Run: r.id, ID: id, Claimed: true, Cancel: true})
			s.NoError(err)
			s.Equal(done, change, id)
		}
	}},
	{"one among many is found, in order or out of order", func(s *scene) {
		r, begun := s.open("import"), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		p := r.producer()
		id := func(i int) string { return taskid.New(begun.Add(time.Duration(i) * time.Minute)) }
		many := func(r store.Route, n int) (items []store.Item) {
			for i := range n {
				it := task(r, id(i))
				it.Task.Enqueued = begun.Add(time.Duration(i) * time.Minute)
				items = append(items, it)
			}
			return items
		}
		first := many(scan, 1200)
		first[700].Task.ID, first[700].Task.Claimed = "chosen", true
		first[20].Task.Enqueued = begun.Add(time.Hour * 1000) // the clock of another producer
		second := many(file, 900)
		for _, items := range [][]store.Item{first, second} {
			for some := range slices.Chunk(items, bounds.MaxBatch) {
				p.add(r, some...)
			}
		}
		last := task(scan, id(3)) // enqueued long ago, it waited for a time
		p.add(r, last)
		for _, it := range []store.Item{first[0], first[20], first[600], first[700], first[1199], second[0], second[450], second[899], last} {
			all := r.list(store.TasksParams{ID: it.Task.ID, Claimed: it.Task.Claimed})
			s.Len(all, 1)
			s.Equal(it.Route, all[0].Route)
			s.Equal(it.Task.ID, all[0].Task.ID)
			s.Equal(verdicts.ChangeNotDelayed, r.reschedule(it.Task.ID, time.Time{}))
		}
		s.Equal(verdicts.ChangeCancelled, r.cancel(first[600].Task.ID))
		for _, gone := range []string{first[600].Task.ID, id(2), "nobody"} {
			s.Empty(r.list(store.TasksParams{ID: gone}))
			s.Empty(r.reschedule(gone, time.Time{}))
		}
		r.counts(store.Counts{Total: 2101, Pending: 2100, Cancelled: 1}, "only that one")
	}},
	{"what a pause or a pre-job hook keeps is held", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PreJob: hook(preJob), PostJob: hook(postJob)})
		w := r.worker()
		r.producer().add(r, task(file, "early"), delayed(file, "delayed", never))
		early := map[string]statuses.TaskStatus{
			"root":    statuses.TaskHeld,
			"early":   statuses.TaskHeld,
			"delayed": statuses.TaskDelayed,
		}
		s.Equal(early, statusesOf(r.list(store.TasksParams{})))
		s.Equal(early, statusesOf(r.list(store.TasksParams{Limit: 1})))
		s.Empty(r.list(store.TasksParams{Status: statuses.TaskWaiting}))
		r.listed()
		pre := w.one()
		s.Equal(early, statusesOf(r.list(store.TasksParams{})), "hooks are no tasks")
		w.settle(plain(pre, verdicts.Begin))
		s.Equal(statuses.TaskWaiting, r.listed()["root"].Status)
		r.pause(true)
		s.Equal(early, statusesOf(r.list(store.TasksParams{})))
		s.Len(r.list(store.TasksParams{Status: statuses.TaskHeld}), 2)
		r.pause(false)
		s.Empty(r.list(store.TasksParams{Status: statuses.TaskHeld}))
		queue := store.PauseScope{Queue: file.Queue}
		s.NoError(s.store.Pause(s.ctx, r.partition, store.Pause{Scope: queue}))
		s.Equal(
			map[string]statuses.TaskStatus{"early": statuses.TaskHeld},
			statusesOf(r.list(store.TasksParams{Status: statuses.TaskHeld})),
		)
		s.Equal(
			map[string]statuses.TaskStatus{"root": statuses.TaskWaiting},
			statusesOf(r.list(store.TasksParams{Status: statuses.TaskWaiting})),
		)
		s.NoError(s.store.Resume(s.ctx, r.partition, queue))
		s.Empty(r.list(store.TasksParams{Status: statuses.TaskHeld}))
	}},
	{"what a stop cancelled is gone from the listing, and so is what succeeded", func(s *scene) {
		r, w := s.mixture()
		r.stop(true)
		want := map[string]statuses.TaskStatus{
			"failed": statuses.TaskFailed, "running/0": statuses.TaskRunning, "running/1": statuses.TaskRunning,
		}
		s.Equal(want, statusesOf(r.list(store.TasksParams{})))
		r.listed()
		for i, d := range w.held() {
			w.settle(pickEven(i, success(d), plain(d, verdicts.Cancel)))
		}
		s.Equal(map[string]statuses.TaskStatus{"failed": statuses.TaskFailed}, statusesOf(r.list(store.TasksParams{})))
		r.status(statuses.Stopped)
		s.sweep(r.partition)
		r.listed()
		s.NoError(s.store.DeleteRun(s.ctx, r.id))
		_, err := s.store.Tasks(s.ctx, store.TasksParams{Run: r.id, Limit: 1})
		s.ErrorIs(err, store.ErrRunNotFound)
	}},
	{"a listing misses nothing that stays, though tasks before and behind it come and go", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "leaves", 40)...)
		p.add(r, tasks(scan, "stays", 40)...)
		seen := make(map[string]bool)
		cursor := ""
		for i := 0; ; i++ {
			page, err := s.store.Tasks(
				s.ctx,
				store.TasksParams{Run: r.id, Status: statuses.TaskWaiting, Cursor: cursor, Limit: 7},
			)
			s.NoError(err)
			for _, rec := range page.Tasks {
				seen[rec.Task.ID] = true
			}
			if cursor = page.Next; cursor == "" {
				break
			}
			w.succeed(w.take(min(3, max(0, 39-3*i)))...)
			p.add(r, tasks(scan, fmt.Sprint("comes/", i), 2)...)
		}
		for i := range 40 {
			s.True(seen[fmt.Sprint("stays/", i)], "stays/%d", i)
		}
	}},
	{"a run that is not there, and a cursor that no page gave, have no tasks", func(s *scene) {
		r := s.open("import")
		for _, id := range []store.RunID{{Job: "import", Number: r.id.Number + 1}, {Job: s.jobBeside("import"), Number: r.id.Number}} {
			_, err := s.store.Tasks(s.ctx, store.TasksParams{Run: id, Limit: 1})
			s.ErrorIs(err, store.ErrRunNotFound)
		}
		_, err := s.store.Tasks(s.ctx, store.TasksParams{Run: r.id, Limit: 1, Cursor: "next"})
		s.refuses(err, "Cursor")
	}},
	{"large tasks are listed by pages, wherever they are", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		for i := range largeItems {
			it := task(scan, "scan/"+strconv.Itoa(i))
			it.Task.Payload = large(i)
			p.add(r, it)
		}
		all := func(status statuses.TaskStatus) {
			seen := make(map[string]bool)
			for cursor := ""; ; {
				page, err := s.store.Tasks(
					s.ctx,
					store.TasksParams{Run: r.id, Status: status, Payload: true, Cursor: cursor, Limit: bounds.MaxPage},
				)
				s.NoError(err)
				s.LessOrEqual(len(page.Tasks), 3, "a page is bounded by bytes")
				for _, rec := range page.Tasks {
					s.Len(rec.Task.Payload, len(large(0)))
					seen[rec.Task.ID] = true
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			s.Len(seen, largeItems, "%s", status)
		}
		all(statuses.TaskWaiting)
		ds := w.take(largeItems)
		all(statuses.TaskRunning)
		for _, d := range ds {
			w.settle(retried(d, 2*tick))
		}
		all(statuses.TaskRetrying)
		s.until(r.partition, "they are due again", func() bool {
			s.promote(r.partition)
			return r.record().Counts.Pending == largeItems
		})
		w.take(largeItems)
		w.close()
		all(statuses.TaskWaiting)
	}},
	{"a task carries its last attempts, through retries, releases and deaths of workers", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "t"))
		d := w.one()
		s.Nil(d.Task.Attempts, "the first attempt has none before it")
		s.Nil(r.listed()["t"].Task.Attempts)
		at := time.UnixMilli(1_700_000_000_123).UTC()
		tried := func(d store.Delivery, text string) store.Delivery {
			d.Task.Tried(store.Attempt{Ended: at, Took: time.Second, Worker: "w", Error: text})
			return d
		}
		w.settle(retried(tried(d, "first"), 0))
		w.settle(plain(tried(w.one(), "second"), verdicts.Release))
		same := func(want, got []store.Attempt) {
			s.tb.Helper()
			s.Len(got, len(want))
			for i := range got {
				s.True(want[i].Ended.Equal(got[i].Ended), "%v", got[i].Ended)
				got[i].Ended = want[i].Ended
			}
			s.Equal(want, got)
		}
		first := store.Attempt{Ended: at, Took: time.Second, Worker: "w", Error: "first"}
		second := first
		second.Error = "second"
		same([]store.Attempt{first, second}, r.listed()["t"].Task.Attempts)
		dead := r.worker()
		same([]store.Attempt{first, second}, dead.one().Task.Attempts)
		dead.close()
		d = w.one()
		s.Len(d.Task.Attempts, 3)
		died := d.Task.Attempts[2]
		s.Equal(dead.session.ID, died.Worker)
		s.Contains(died.Error, "its worker died")
		s.WithinRange(died.Ended, r.record().Created.Add(-time.Second), s.now(w).Add(time.Second))
		w.settle(failed(tried(d, "last")))
		fs, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, Limit: 1})
		s.NoError(err)
		s.Len(fs[0].Task.Attempts, 4)
		s.Equal("last", r.listed()["t"].Task.Attempts[3].Error)
	}},
}
