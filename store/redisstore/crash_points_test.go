package redisstore_test

import (
	"math"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/taskid"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// crashPoints are the crashes at each script.
var crashPoints = map[string]crashPoint{
	"start_run": {
		act: func(c *crash) error { _, err := c.victim.StartRun(c.Context(), second(false)); return err },
		stands: func(c *crash, after bool) {
			reply, err := c.StartRun(c.Context(), second(false)) // whoever repeats it finds it
			require.NoError(c, err)
			require.Equal(c, after, reply.Existing)
			require.EqualValues(c, 1, c.record(reply.Run).Counts.Total)
		},
	},
	"fire_run": {
		begin: func(c *crash) {
			_, err := c.EnsureJob(c.Context(), periodic)
			require.NoError(c, err)
			c.command("HSET", "job:periodic", "due", "1000", "acts", "1000")
		},
		act: func(c *crash) error { _, err := c.victim.FireRun(c.Context(), firing(c)); return err },
		stands: func(c *crash, after bool) {
			job, err := c.Job(c.Context(), "periodic")
			require.NoError(c, err)
			require.Equal(c, after, job.LastRun > 0)
			reply, err := c.FireRun(c.Context(), firing(c)) // whoever tries the same due time
			require.NoError(c, err)
			require.Equal(c, verdicts.FireStarted, reply.Verdict)
			runs, err := c.JobRuns(c.Context(), "periodic")
			require.NoError(c, err)
			require.Equal(c, []int64{reply.Run.Number}, runs, "a due time fires once")
		},
	},
	"postpone_job": {
		begin: func(c *crash) {
			_, err := c.EnsureJob(c.Context(), periodic)
			require.NoError(c, err)
			c.command("HSET", "job:periodic", "due", "1000", "acts", "1000")
		},
		act: func(c *crash) error {
			return c.victim.PostponeJob(c.Context(), store.PostponeParams{Job: "periodic", Problem: "no zone"})
		},
		stands: func(c *crash, after bool) {
			job, err := c.Job(c.Context(), "periodic")
			require.NoError(c, err)
			require.Equal(c, pick(after, "", "no zone"), job.Problem)
			reply, err := c.FireRun(c.Context(), firing(c)) // whoever can
			require.NoError(c, err)
			require.Equal(c, verdicts.FireStarted, reply.Verdict)
		},
	},
	"open_producer": {
		act: func(c *crash) error { return c.victim.OpenProducer(c.Context(), 0, "late") },
		stands: func(c *crash, after bool) {
			_, err := c.Enqueue(c.Context(), store.EnqueueParams{Stream: "late", Number: 1})
			require.Equal(c, after, err == nil)
		},
	},
	"enqueue": {
		act: func(c *crash) error {
			_, err := c.victim.Enqueue(c.Context(), store.EnqueueParams{
				Stream: "victim", Number: 1, Holds: []store.HoldChange{{Run: c.run, Name: "upload"}},
				Entries: []store.Entry{{Run: c.run, Item: itemOf("k", "more")}},
			})
			return err
		},
		stands: func(c *crash, after bool) {
			require.Equal(c, pick[int64](after, 1, 2), c.record(c.run).Holds)
		},
		want: more(1),
	},
	"open_session": {
		act: func(c *crash) error {
			return c.victim.OpenSession(c.Context(), store.SessionID{ID: "late"}, store.WorkerInfo{}, time.Hour)
		},
		stands: func(c *crash, after bool) {
			live, err := c.LiveSessions(c.Context(), 0)
			require.NoError(c, err)
			require.Len(c, live, pick(after, 1, 2))
		},
	},
	"fetch": {
		begin: func(c *crash) { c.hold(1) }, // the first fetch learns the lanes
		act:   func(c *crash) error { _, err := c.victim.Fetch(c.Context(), c.victim.ask(2, "k")); return err },
		stands: func(c *crash, after bool) {
			require.Equal(c, pick[int64](after, 1, 3), c.counts().Running)
		},
	},
	"stage": {
		begin:  func(c *crash) { c.hold(1) },
		act:    func(c *crash) error { return c.victim.stage(c.held[0], "j", 0, items("j", 5)...) },
		stands: func(c *crash, _ bool) { require.EqualValues(c, 3, c.counts().Total) },
	},
	"settle": {
		begin: func(c *crash) { c.hold(2) },
		act: func(c *crash) error {
			o := outcomeOf(c.held[0], verdicts.Success)
			o.Children, o.Counters, o.Result = items("j", 2), map[string]int64{"n": 7}, []byte("7")
			_, err := c.victim.Settle(
				c.Context(),
				store.SettleParams{Session: c.victim.id, Number: 1, Outcomes: []store.Outcome{o, outcomeOf(c.held[1], verdicts.Fail)}},
			)
			return err
		},
		stands: func(c *crash, after bool) {
			require.Equal(c, pick(after, nil, map[string]int64{"n": 7}), c.record(c.run).Counters)
			results, err := c.Results(c.Context(), store.ResultsParams{Run: c.run, Limit: 10})
			require.NoError(c, err)
			require.Len(c, results.Results, pick(after, 0, 1))
		},
		want: func(after bool) store.Counts {
			return pick(after, total(3), store.Counts{Total: 5, Succeeded: 4, Failed: 1})
		},
	},
	"activate": {
		begin: func(c *crash) {
			parent := c.scene.worker("parent")
			d := parent.fetchOne("k")
			child := itemOf("j", "mine")
			child.Task.Claimed = true
			require.NoError(c, parent.stage(d, "j", 0, child))
			o := outcomeOf(d, verdicts.Success)
			o.Staged = []store.Staged{{Route: routeOf("j"), Count: 1}}
			parent.settle(o)
		},
		act:    func(c *crash) error { _, err := c.victim.Fetch(c.Context(), c.victim.ask(5, "j")); return err },
		stands: func(c *crash, _ bool) { require.EqualValues(c, 4, c.counts().Total) },
		want:   func(bool) store.Counts { return total(4) },
	},
	"promote": {
		begin: func(c *crash) {
			late := itemOf("k", "late")
			late.At = time.UnixMilli(1)
			c.enqueue(c.run, late)
		},
		act: func(c *crash) error {
			// The first call of the script learns which lanes are due, the second moves their tasks.
			if _, err := c.victim.Promote(c.Context(), 0); err != nil {
				return err
			}
			_, err := c.victim.Promote(c.Context(), 0)
			return err
		},
		want: func(bool) store.Counts { return total(4) },
	},
	"reconsider": {
		begin: func(c *crash) {
			reply, err := c.victim.Fetch(c.Context(), store.FetchParams{
				Session: c.victim.id, Number: 1, Max: 3, PerRun: onePerJob,
				Queues: []store.FetchQueue{{Queue: "q", Routes: []store.Route{routeOf("k")}}},
			})
			require.NoError(c, err)
			require.Len(c, reply.Deliveries, 1)
		},
		act: func(c *crash) error { return c.victim.Reconsider(c.Context(), 0, []store.Route{routeOf("k")}) },
	},
	"heartbeat": {
		begin: func(c *crash) { c.hold(1) },
		act: func(c *crash) error {
			_, err := c.victim.Heartbeat(c.Context(), store.HeartbeatParams{Session: c.victim.id, Lease: time.Hour})
			return err
		},
	},
	"set_worker_status": {
		act: func(c *crash) error {
			p := store.WorkerStatusParams{Session: c.victim.id, Status: statuses.WorkerQuiet, Worker: "victim"}
			return c.victim.SetWorkerStatus(c.Context(), p)
		},
		stands: func(c *crash, after bool) {
			live, err := c.LiveSessions(c.Context(), 0)
			require.NoError(c, err)
			require.Equal(c, pick(after, statuses.WorkerActive, statuses.WorkerQuiet), live[0].Worker.Status)
			lines, err := c.Audit(c.Context(), store.AuditParams{Limit: 10})
			require.NoError(c, err)
			require.Equal(c, after, len(lines) > 0 && lines[0].Action == actions.Quiet, "the line and the change")
		},
	},
	"close_session": {
		begin: func(c *crash) { c.hold(2); c.expire("victim") },
		act:   func(c *crash) error { _, err := c.victim.Sweep(c.Context(), 0); return err },
		stands: func(c *crash, after bool) {
			live, err := c.LiveSessions(c.Context(), 0)
			require.NoError(c, err)
			require.Len(c, live, pick(after, 1, 0))
			require.EqualValues(c, 2, c.counts().Running)
			require.Len(c, c.lost(), pick(after, 0, 1))
			c.sweep()
			require.Len(c, c.lost(), 1, "the next sweep goes on, and the record is not written twice")
		},
	},
	"reclaim": {
		begin: func(c *crash) { c.hold(2) },
		act:   func(c *crash) error { return c.victim.CloseSession(c.Context(), c.victim.id) },
		stands: func(c *crash, after bool) {
			require.Equal(c, pick[int64](after, 2, 0), c.counts().Running)
		},
	},
	"sweep": {
		begin: func(c *crash) { c.hold(2); c.expire("victim") },
		act:   func(c *crash) error { _, err := c.victim.Sweep(c.Context(), 0); return err },
	},
	"stop_run": {
		begin: func(c *crash) { c.hold(1) },
		act:   func(c *crash) error { return c.victim.StopRun(c.Context(), store.StopParams{Run: c.run}) },
		stands: func(c *crash, after bool) {
			require.Equal(c, pick(after, statuses.Running, statuses.Stopping), c.record(c.run).Status)
		},
		want: func(after bool) store.Counts { return pick(after, total(3), store.Counts{Total: 3, Cancelled: 3}) },
	},
	"pause_run": {
		act:    func(c *crash) error { return c.victim.SetRunPaused(c.Context(), c.run, true) },
		stands: func(c *crash, after bool) { require.Equal(c, after, c.record(c.run).Paused) },
	},
	"end_idle": {
		begin: func(c *crash) {
			p := second(true)
			p.SealAfter = time.Hour
			reply, err := c.StartRun(c.Context(), p)
			require.NoError(c, err)
			c.command("ZADD", "due", "1", "i:"+RunID(reply.Run))
		},
		act: func(c *crash) error { _, err := c.victim.Promote(c.Context(), 0); return err },
		stands: func(c *crash, after bool) {
			job, err := c.Job(c.Context(), "second")
			require.NoError(c, err)
			id := store.RunID{Job: "second", Number: job.LastRun}
			require.EqualValues(c, pick(after, 1, 0), c.record(id).Holds)
			_, err = c.Promote(c.Context(), 0)
			require.NoError(c, err)
			require.Zero(c, c.record(id).Holds, "any worker of the partition does it")
		},
	},
	"release_kept": {
		begin: func(c *crash) {
			item := itemOf("k", "mine")
			item.Task.Claimed, item.Task.Keep = true, time.Millisecond
			c.enqueue(c.run, item)
			w := c.scene.worker("parent")
			for _, d := range w.fetch(4, "k") {
				w.settle(outcomeOf(d, verdicts.Success))
			}
			for _, key := range c.left("kept") {
				c.Log(key)
			}
		},
		act: func(c *crash) error {
			for { // until the millisecond is over
				if _, err := c.victim.Sweep(c.Context(), 0); err != nil {
					return err
				}
			}
		},
		stands: func(c *crash, after bool) {
			require.Len(c, c.left("kept"), pick(after, 1, 0))
			c.sweep()
			require.Empty(c, c.left("kept"), "any sweep does it")
		},
		want: func(bool) store.Counts { return total(4) },
	},
	"purge_run": {
		begin: func(c *crash) {
			run := c.scene.begin(second(true))
			c.enqueue(run, itemOf("k", "mine"))
			require.NoError(c, c.StopRun(c.Context(), store.StopParams{Run: run}))
		},
		act: func(c *crash) error { _, err := c.victim.Sweep(c.Context(), 0); return err },
		stands: func(c *crash, after bool) {
			c.sweep()
			require.Empty(c, c.left("trash"), "any sweep goes on")
		},
	},
	"note_history": {
		begin: func(c *crash) {
			c.command("HSET", "ledger", "s:a/b/c", "7")
		},
		act: func(c *crash) error { _, err := c.victim.Sweep(c.Context(), 0); return err },
		stands: func(c *crash, after bool) {
			points := func() []store.HistoryPoint {
				now := time.Now()
				all, err := c.ReadHistory(c.Context(), store.HistoryParams{From: now.Add(-time.Minute), To: now.Add(time.Minute)})
				require.NoError(c, err)
				return slices.DeleteFunc(all, func(p store.HistoryPoint) bool { return p.Route.Queue != "a" })
			}
			if len(points()) == 0 {
				require.False(c, after)
			}
			c.sweep()
			all := points()
			require.Len(c, all, 1, "the next sweep makes up for it")
			require.Equal(c, store.Figures{Succeeded: 7}, all[0].Figures)
		},
	},
	"forget_routes": {
		begin: func(c *crash) {
			c.command("ZADD", "routes", "0", "gone/set/k")
			c.command("HSET", "clock", "gone", "7")
		},
		act: func(c *crash) error { _, err := c.victim.Sweep(c.Context(), 0); return err },
		stands: func(c *crash, after bool) {
			kept := []string{"routes gone/set/k", "clock of gone"}
			require.Equal(c, !after, len(without(kept, c.left("routes", "clock"))) == 0)
			c.sweep()
			require.ElementsMatch(c, kept, without(kept, c.left("routes", "clock")), "any sweep does it")
		},
	},
	"forget_run": {
		begin: func(c *crash) { c.scene.begin(second(true)); c.finishSecond() },
		act: func(c *crash) error {
			job, err := c.Job(c.Context(), "second")
			require.NoError(c, err)
			return c.victim.DeleteRun(c.Context(), store.RunID{Job: "second", Number: job.LastRun})
		},
		stands: func(c *crash, after bool) {
			_, err := c.Job(c.Context(), "second")
			require.Equal(c, after, err != nil)
		},
	},
	"write_values": {
		act: func(c *crash) error {
			reply, err := c.victim.WriteValues(c.Context(), store.WriteParams{Stream: "victim", Number: 1, Writes: []store.Write{
				{
					Scope: store.JobScope("job"),
					Name:  "n",
					Type:  store.ValueCounter,
					Op:    store.WriteAdd,
					Data:  []store.Datum{{Bytes: []byte("7")}},
				},
				{
					Scope: store.RunScope(c.run),
					Name:  "n",
					Type:  store.ValueCounter,
					Op:    store.WriteAdd,
					Data:  []store.Datum{{Bytes: []byte("7")}},
				},
				{
					Scope: store.RunScope(c.run),
					Name:  "l",
					Type:  store.ValueList,
					Op:    store.WriteAppend,
					Data:  []store.Datum{{Bytes: []byte("a")}},
				},
			}})
			for _, result := range reply.Results {
				require.NoError(c, result.Err)
			}
			return err
		},
		stands: func(c *crash, after bool) {
			for _, p := range []store.ReadParams{
				{Scope: store.JobScope("job"), Name: "n", Type: store.ValueCounter},
				{Scope: store.RunScope(c.run), Name: "n", Type: store.ValueCounter},
				{Scope: store.RunScope(c.run), Name: "l", Type: store.ValueList, Limit: 2},
			} {
				got, err := c.ReadValue(c.Context(), p)
				require.NoError(c, err)
				require.Len(c, got.Data, pick(after, 0, 1))
			}
		},
	},
	"read_value": {
		act: func(c *crash) error {
			_, err := c.victim.ReadValue(c.Context(), store.ReadParams{Scope: store.JobScope("job"), Name: "n", Type: store.ValueCounter})
			return err
		},
		stands: func(*crash, bool) {},
	},
	"read_fields": {
		begin:  func(c *crash) { c.hold(1) },
		act:    func(c *crash) error { _, err := c.victim.Held(c.Context(), c.victim.id, nil); return err },
		stands: func(*crash, bool) {},
	},
	"read_results": {
		act: func(c *crash) error {
			_, err := c.victim.Results(c.Context(), store.ResultsParams{Run: c.run, Limit: 10})
			return err
		},
		stands: func(*crash, bool) {},
	},
	"read_tasks": {
		act: func(c *crash) error {
			_, err := c.victim.Tasks(c.Context(), store.TasksParams{Run: c.run, Limit: 10})
			return err
		},
		stands: func(*crash, bool) {},
	},
	"seek_task": {
		begin: func(c *crash) { c.enqueue(c.begin(store.StartParams{Job: "crowded"}), items("k", bounds.MaxPage+1)...) },
		act: func(c *crash) error {
			p := store.TasksParams{Run: c.begin(store.StartParams{Job: "crowded"}), ID: taskid.New(time.Now()), Limit: 10}
			_, err := c.victim.Tasks(c.Context(), p)
			return err
		},
		stands: func(*crash, bool) {},
	},
	"change_task": {
		begin: func(c *crash) {
			late := itemOf("k", "late")
			late.Delay = time.Hour
			c.enqueue(c.run, late)
		},
		act: func(c *crash) error {
			_, err := cancelLate(c, c.victim)
			return err
		},
		stands: func(c *crash, after bool) {
			require.Equal(c, pick[int64](after, 1, 0), c.counts().Delayed)
			change, err := cancelLate(c, c) // whoever repeats it
			require.NoError(c, err)
			require.Equal(c, verdicts.ChangeCancelled, change)
			require.EqualValues(c, 1, c.counts().Cancelled)
		},
		want: func(bool) store.Counts { return store.Counts{Total: 4, Succeeded: 3, Cancelled: 1} },
	},
	"redo_failures": {
		begin: func(c *crash) {
			w := c.scene.worker("failing")
			w.settle(outcomeOf(w.fetchOne("k"), verdicts.Fail))
			w.die()
		},
		act: func(c *crash) error {
			_, err := c.victim.RedoFailures(c.Context(), store.RedoParams{
				Stream: "victim", Number: 1, Run: c.run, Action: actions.RedoRetry, Limit: 10,
			})
			return err
		},
		stands: func(c *crash, after bool) {
			require.EqualValues(c, pick(after, 1, 0), c.counts().Failed)
			require.NoError(c, c.OpenProducer(c.Context(), 0, "another"))
			reply, err := c.RedoFailures(c.Context(), store.RedoParams{
				Stream: "another", Number: 1, Run: c.run, Action: actions.RedoRetry, Limit: 10,
			})
			require.NoError(c, err)
			require.EqualValues(c, pick(after, 1, 0), reply.Moved, "whoever repeats it moves the rest")
		},
	},
	"read_failures": {
		act: func(c *crash) error {
			_, err := c.victim.Failures(c.Context(), store.FailuresParams{Run: c.run, Limit: 10})
			return err
		},
		stands: func(*crash, bool) {},
	},
	"configure": {
		act: func(c *crash) error {
			_, err := c.victim.WriteConfiguration(c.Context(), configuration(c))
			return err
		},
		stands: func(c *crash, _ bool) {
			version, err := c.WriteConfiguration(c.Context(), configuration(c)) // whoever repeats it
			require.NoError(c, err)
			require.EqualValues(c, 1, version)
		},
	},
	"set_pause": {
		act: func(c *crash) error { return c.victim.Pause(c.Context(), 0, paused) },
		stands: func(c *crash, after bool) {
			require.Len(c, c.victimless().fetch(1, "k"), pick(after, 1, 0))
			require.NoError(c, c.Resume(c.Context(), 0, paused.Scope))
		},
	},
	"ensure_job": {
		act: func(c *crash) error { _, err := c.victim.EnsureJob(c.Context(), declaration); return err },
		stands: func(c *crash, after bool) {
			result, err := c.EnsureJob(c.Context(), declaration)
			require.NoError(c, err)
			require.Equal(c, pick(after, verdicts.EnsureCreated, verdicts.EnsureUnchanged), result)
		},
	},
	"disable_job": {
		act: func(c *crash) error { return c.victim.SetJobDisabled(c.Context(), "job", true) },
		stands: func(c *crash, after bool) {
			job, err := c.Job(c.Context(), "job")
			require.NoError(c, err)
			require.Equal(c, after, job.Disabled)
		},
	},
	"delete_job": {
		begin: func(c *crash) { _, err := c.EnsureJob(c.Context(), declaration); require.NoError(c, err) },
		act:   func(c *crash) error { return c.victim.DeleteJob(c.Context(), declaration.Job) },
		stands: func(c *crash, after bool) {
			_, err := c.Job(c.Context(), declaration.Job)
			require.Equal(c, after, err != nil)
		},
	},
	"acquire_semaphore": {
		act:    func(c *crash) error { _, err := c.victim.AcquireSemaphore(c.Context(), claim); return err },
		stands: func(c *crash, after bool) { c.holders(pick(after, 0, 1)); c.freeAfterwards() },
	},
	"refresh_semaphore": {
		begin: claimedSemaphore,
		act: func(c *crash) error {
			_, err := c.victim.RefreshSemaphore(c.Context(), claim.Key, claim.Token, time.Minute)
			return err
		},
		stands: func(c *crash, _ bool) { c.holders(1); c.freeAfterwards() },
	},
	"release_semaphore": {
		begin:  claimedSemaphore,
		act:    func(c *crash) error { return c.victim.ReleaseSemaphore(c.Context(), claim.Key, claim.Token) },
		stands: func(c *crash, after bool) { c.holders(pick(after, 1, 0)); c.freeAfterwards() },
	},
	"force_release_semaphore": {
		begin: claimedSemaphore,
		act: func(c *crash) error {
			_, err := c.victim.ForceReleaseSemaphore(c.Context(), claim.Key, 1, math.MaxInt64)
			return err
		},
		stands: func(c *crash, after bool) { c.holders(pick(after, 1, 0)); c.freeAfterwards() },
	},
	"read_semaphore": {
		begin:  claimedSemaphore,
		act:    func(c *crash) error { _, err := c.victim.Semaphore(c.Context(), claim.Key); return err },
		stands: func(c *crash, _ bool) { c.holders(1); c.freeAfterwards() },
	},
	"check_listed": {
		begin: func(c *crash) {
			claimedSemaphore(c)
			c.command("ZADD", "listed", "0", "s/gone")
		},
		act: func(c *crash) error { _, err := c.victim.Sweep(c.Context(), 0); return err },
		stands: func(c *crash, after bool) {
			keys := func() []string {
				keys, err := c.SemaphoreKeys(c.Context(), store.KeysParams{Limit: 10})
				require.NoError(c, err)
				return keys
			}
			require.Equal(c, pick(after, []string{"gone", "key"}, []string{"key"}), keys())
			c.sweep()
			require.Equal(c, []string{"key"}, keys(), "any sweep does it")
			c.freeAfterwards()
			require.Empty(c, keys())
		},
	},
	"read_limit": {
		begin: func(c *crash) { require.NoError(c, draw(c)) },
		act:   func(c *crash) error { _, err := c.victim.Limit(c.Context(), "set"); return err },
		stands: func(c *crash, _ bool) {
			rec, err := c.Limit(c.Context(), "set")
			require.NoError(c, err)
			require.Len(c, rec.Holders, 1)
		},
	},
	"read_values": {
		act: func(c *crash) error {
			_, err := c.victim.ListValues(c.Context(), store.ValuesParams{Scope: store.RunScope(c.run), Limit: 10})
			return err
		},
		stands: func(c *crash, _ bool) {
			page, err := c.ListValues(c.Context(), store.ValuesParams{Scope: store.RunScope(c.run), Limit: 10})
			require.NoError(c, err)
			require.Empty(c, page.Values)
		},
	},
	"draw": {
		act: draw,
		stands: func(c *crash, after bool) {
			reply, err := c.Draw(c.Context(), store.DrawParams{Limit: "set", Holder: "other", Number: 1, TTL: time.Minute, Max: 2, Want: 2})
			require.NoError(c, err)
			require.Equal(c, pick(after, 2, 0), reply.Held)
		},
	},
	"forfeit": {
		begin: func(c *crash) {
			_, err := c.victim.Draw(
				c.Context(),
				store.DrawParams{Limit: "set", Holder: "victim", Number: 1, TTL: time.Millisecond, Max: 2, Want: 2},
			)
			require.NoError(c, err)
			for number := int64(1); len(drawBeside(c, number, 0).Silent) == 0; number++ {
				require.Less(c, number, int64(1e6), "it is never silent")
			}
		},
		act: func(c *crash) error {
			return c.victim.Forfeit(c.Context(), "set", store.Holding{Holder: "victim", Number: 1})
		},
		stands: func(c *crash, after bool) {
			reply := drawBeside(c, 1e6+1, 2)
			require.Equal(c, pick(after, 0, 2), reply.Held)
			for _, h := range reply.Silent {
				require.NoError(c, c.Forfeit(c.Context(), "set", h))
			}
			require.Equal(c, 2, drawBeside(c, 1e6+2, 2).Held)
		},
	},
	"repair_keys":    {begin: broken("SET", "W:RUN/q/set/k", "x"), act: repairIt, stands: repaired, want: lost(3)},
	"repair_session": {begin: func(c *crash) { c.hold(1); broken("HSET", "L:victim", "odd", "x")(c) }, act: repairIt, stands: repaired},
	"repair_job":     {begin: broken("ZREM", "jobs", "job"), act: repairIt, stands: repaired},
	"repair_staged": {
		begin: func(c *crash) {
			broken("HSET", "stage:RUN", "pgone.1.0/q/set/j", "1")(c)
			broken("RPUSH", "S:RUN/pgone.1.0/q/set/j", "child")(c)
		},
		act: repairIt, stands: repaired,
	},
	"repair_run": {begin: broken("HSET", "run:RUN", "running", "many"), act: repairIt, stands: repaired},
	"quarantine": {begin: broken("LSET", "W:RUN/q/set/k", "0", "garbage"), act: repairIt, stands: repaired, want: lost(1)},
}
