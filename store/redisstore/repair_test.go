package redisstore_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/damage"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

const (
	record  = damage.Record
	counts  = damage.Counts
	index   = damage.Index
	session = damage.Session
	orphan  = damage.Orphan
)

// kinds makes the table below read well.
func kinds(k ...damage.Type) []damage.Type { return k }

// three succeed, and that many of them have failed instead.
func three(failed int64) store.Counts {
	return store.Counts{Total: 3, Succeeded: 3 - failed, Failed: failed}
}

func status(failed int64) statuses.Status {
	if failed > 0 {
		return statuses.Failed
	}
	return statuses.Succeeded
}

// damages go through the table of keys: what may be wrong with each.
var damages = []breakage{
	// run:R
	{name: "pending is too high", hit: hit("HSET", "run:RUN", "pending", "7"), kinds: kinds(counts), want: three(0), status: status(0)},
	{name: "running is too low", hit: hit("HSET", "run:RUN", "running", "0"), kinds: kinds(counts), want: three(0), status: status(0)},
	{name: "delayed is negative", hit: hit("HSET", "run:RUN", "delayed", "-1"), kinds: kinds(counts), want: three(0), status: status(0)},
	{name: "the total is too low", hit: hit("HSET", "run:RUN", "total", "1"), kinds: kinds(counts), want: three(0), status: status(0)},
	{
		name:   "counters cannot be read",
		hit:    hit("HSET", "run:RUN", "pending", "many", "running", "few", "total", "some"),
		kinds:  kinds(counts),
		want:   three(0),
		status: status(0),
	},
	{
		name:   "what is leased of a limited kind is too high",
		hit:    hit("HSET", "run:RUN", "n:set/k", "9"),
		kinds:  kinds(counts),
		want:   three(0),
		status: status(0),
	},
	{name: "holds disagree", hit: hit("HSET", "run:RUN", "holds", "3"), kinds: kinds(counts), want: three(0), status: status(0)},
	{name: "holds cannot be read", hit: hit("HSET", "run:RUN", "holds", "x"), kinds: kinds(counts), want: three(0), status: status(0)},
	{
		name:   "fields cannot be read",
		hit:    hit("HSET", "run:RUN", "retention", "long", "v:q", "soon", "created", "once", "weight", "heavy", "headers", "{"),
		kinds:  kinds(record, record, record, record, record),
		want:   three(0),
		status: status(0),
	},
	{
		name:   "fields are missing",
		hit:    hit("HDEL", "run:RUN", "retention", "failcap"),
		kinds:  kinds(record, record),
		want:   three(0),
		status: status(0),
	},
	{name: "the state cannot be read", hit: hit("HSET", "run:RUN", "state", "odd"), kinds: kinds(record, record, counts),
		want: store.Counts{Total: 3, Succeeded: 1, Cancelled: 2}, status: statuses.Stopped},
	{name: "the record is gone", hit: hit("DEL", "run:RUN"), kinds: kinds(record, index, orphan, orphan, orphan, orphan)},
	{name: "the record was overwritten", hit: hit("SET", "run:RUN", "garbage"), kinds: kinds(record, record, index, orphan, orphan, orphan, orphan)},
	// W, U, D, M, S
	{name: "waiting tasks are gone", hit: hit("DEL", "W:RUN/q/set/k"), kinds: kinds(counts), want: three(2), status: status(2)},
	{
		name:   "all tasks are gone",
		hit:    all(hit("DEL", "W:RUN/q/set/k"), hit("HDEL", "L:w", "1.0.RUN/q/set/k")),
		kinds:  kinds(counts),
		want:   three(3),
		status: status(3),
	},
	{
		name:   "the waiting list was overwritten",
		hit:    hit("SET", "W:RUN/q/set/k", "garbage"),
		kinds:  kinds(record, counts),
		want:   three(2),
		status: status(2),
	},
	{
		name:   "a waiting task cannot be decoded",
		hit:    hit("LSET", "W:RUN/q/set/k", "1", "garbage"),
		kinds:  kinds(damage.Task),
		want:   three(1),
		status: status(1),
	},
	{
		name: "a delayed task cannot be decoded",
		hit: all(
			hit("ZADD", "D:RUN/q/set/k", "9e12", "garbage"), hit("ZADD", "due", "9e12", "RUN/q/set/k"),
			hit("HINCRBY", "run:RUN", "delayed", "1"), hit("HINCRBY", "run:RUN", "total", "1"),
		),
		kinds:  kinds(damage.Task),
		want:   store.Counts{Total: 4, Succeeded: 3, Failed: 1},
		status: status(1),
	},
	{
		name:   "the marker of staged children is gone",
		begin:  stagedBegin,
		hit:    hit("DEL", "M:RUN/q/set/j"),
		kinds:  kinds(index),
		want:   store.Counts{Total: 301, Succeeded: 301},
		status: status(0),
	},
	{
		name:   "the list of a marker is gone",
		begin:  stagedBegin,
		hit:    hit("DEL", "S:RUN/pw.1.0/q/set/j"),
		kinds:  kinds(counts, damage.State),
		want:   store.Counts{Total: 301, Succeeded: 1, Failed: 300},
		status: status(1),
	},
	{
		name:   "staged children of nobody",
		hit:    all(hit("HSET", "stage:RUN", "pgone.1.0/q/set/j", "1"), hit("RPUSH", "S:RUN/pgone.1.0/q/set/j", "child")),
		kinds:  kinds(orphan),
		want:   three(0),
		status: status(0),
	},
	// ring, due, lanes, routes, clock, kept, ids
	{name: "a lane is not in its ring", hit: hit("ZREM", "ring:q/set/k", "RUN"), kinds: kinds(index), want: three(0), status: status(0)},
	{
		name:   "a lane stands aside for nothing",
		hit:    hit("ZADD", "ring:q/set/k", "inf", "RUN"),
		kinds:  kinds(index),
		want:   three(0),
		status: status(0),
	},
	{name: "a ring was overwritten", hit: hit("SET", "ring:q/set/k", "x"), kinds: kinds(record, index), want: three(0), status: status(0)},
	{
		name: "what is in use is not listed",
		begin: func(p *patient) {
			p.someTasks()
			ours := claim
			ours.Key = p.job // in the same partition
			_, err := p.AcquireSemaphore(p.Context(), ours)
			require.NoError(p, err)
		},
		hit:    hit("DEL", "listed"),
		kinds:  kinds(index),
		want:   three(0),
		status: status(0),
	},
	{name: "a lane is not due", begin: delayedBegin, hit: hit("DEL", "due"), kinds: kinds(index), want: three(0), status: status(0)},
	{
		name:   "a lane is due too late",
		begin:  delayedBegin,
		hit:    hit("ZADD", "due", "9e12", "RUN/q/set/k"),
		kinds:  kinds(index),
		want:   three(0),
		status: status(0),
	},
	{
		name:   "a lane is not listed",
		hit:    all(hit("SREM", "lanes:RUN", "q/set/k"), hit("ZREM", "routes", "q/set/k")),
		kinds:  kinds(index, index),
		want:   three(0),
		status: status(0),
	},
	{
		name:   "an idle run would not be sealed",
		begin:  sealableBegin,
		hit:    hit("ZREM", "due", "i:RUN"),
		kinds:  kinds(index),
		want:   three(0),
		status: status(0),
	},
	{
		name:   "a run would not be stopped at its deadline",
		begin:  func(p *patient) { p.someTasksOf(store.StartParams{Job: p.job, Deadline: time.Hour}) },
		hit:    hit("ZREM", "due", "d:RUN"),
		kinds:  kinds(index),
		want:   three(0),
		status: status(0),
	},
	{
		name:   "nobody knows when the deadline of a run is",
		begin:  func(p *patient) { p.someTasksOf(store.StartParams{Job: p.job, Deadline: time.Hour}) },
		hit:    hit("HSET", "run:RUN", "deadline", "soon"),
		kinds:  kinds(record),
		want:   three(0),
		status: status(0),
	},
	{name: "a clock cannot be read", hit: hit("HSET", "clock", "q", "noon"), kinds: kinds(record), want: three(0), status: status(0)},
	{
		name:   "the ID of a task that is gone is claimed",
		begin:  claimedBegin,
		hit:    hit("LPOP", "W:RUN/q/set/k"),
		kinds:  kinds(counts, orphan),
		want:   store.Counts{Total: 1, Failed: 1},
		status: status(1),
	},
	{
		name:   "kept IDs would never be forgotten",
		begin:  keptBegin,
		hit:    hit("DEL", "kept"),
		kinds:  kinds(index),
		want:   store.Counts{Total: 1, Succeeded: 1},
		status: status(0),
	},
	{name: "an active run would be purged", hit: hit("ZADD", "trash", "1", "RUN"), kinds: kinds(index), want: three(0), status: status(0)},
	// index
	{name: "a run is not listed", hit: hit("ZREM", "index", "RUN"), kinds: kinds(index), want: three(0), status: status(0)},
	{name: "a job is not listed", hit: hit("ZREM", "index", "j:JOB"), kinds: kinds(index), want: three(0), status: status(0)},
	{name: "the index is gone", hit: hit("DEL", "index"), kinds: kinds(index, index), want: three(0), status: status(0)},
	{name: "the index was overwritten", hit: hit("SET", "index", "x"), kinds: kinds(record, index, index), want: three(0), status: status(0)},
	{
		name:   "a run and its job are listed as they are not",
		hit:    all(hit("ZINCRBY", "index", "1e13", "RUN"), hit("ZINCRBY", "index", "1e13", "j:JOB")),
		kinds:  kinds(index, index),
		want:   three(0),
		status: status(0),
	},
	{
		name:   "a run and its job are listed as if they had changed before",
		hit:    all(hit("ZINCRBY", "index", "-1", "RUN"), hit("ZINCRBY", "index", "-1", "j:JOB")),
		kinds:  kinds(index, index),
		want:   three(0),
		status: status(0),
	},
	{name: "nobody knows when a run changed", hit: hit("HSET", "run:RUN", "changed", "once"), kinds: kinds(record), want: three(0), status: status(0)},
	{
		name:   "what is not there is listed",
		hit:    all(hit("ZADD", "index", "1", "17"), hit("ZADD", "index", "1", "j:none")),
		kinds:  kinds(orphan, orphan),
		want:   three(0),
		status: status(0),
	},
	// leases, terms, L:SESSION
	{name: "a session has no lease", hit: hit("ZREM", "leases", "w"), kinds: kinds(session), want: three(0), status: status(0)},
	{
		name:   "a session has no lease and no term",
		hit:    all(hit("DEL", "leases"), hit("DEL", "terms")),
		kinds:  kinds(session),
		want:   three(0),
		status: status(0),
	},
	{name: "all leases were overwritten", hit: hit("SET", "leases", "x"), kinds: kinds(record, session), want: three(0), status: status(0)},
	{name: "a session cannot be read", hit: hit("SET", "L:w", "garbage"), kinds: kinds(record, counts), want: three(1), status: status(1)},
	{
		name:   "a session's streams cannot be read",
		hit:    hit("HSET", "L:w", "fetch", "x", "settle", "y"),
		kinds:  kinds(record),
		want:   three(0),
		status: status(0),
	},
	{
		name:   "a session has a field of nobody",
		hit:    hit("HSET", "L:w", "what", "ever"),
		kinds:  kinds(record),
		want:   three(0),
		status: status(0),
	},
	{
		name:   "a session's description cannot be read",
		hit:    hit("HSET", "L:w", "info", "{", "busy", "["),
		kinds:  kinds(record, record),
		want:   three(0),
		status: status(0),
	},
	// job:J, jobs, starts:J
	{name: "the job is gone", hit: hit("DEL", "job:JOB"), kinds: kinds(record, record, index)[:2], want: three(0), status: status(0)},
	{
		name:   "the job was overwritten",
		hit:    hit("SET", "job:JOB", "x"),
		kinds:  kinds(record, record, record),
		want:   three(0),
		status: status(0),
	},
	{name: "the job knows an older run", hit: hit("HSET", "job:JOB", "run", "12"), kinds: kinds(record), want: three(0), status: status(0)},
	{name: "the job is not listed", hit: hit("ZREM", "jobs", "JOB"), kinds: kinds(index), want: three(0), status: status(0)},
	{name: "the run is not listed", hit: hit("DEL", "starts:JOB"), kinds: kinds(index), want: three(0), status: status(0)},
	{
		name:   "the periodic job would not fire",
		begin:  periodicBegin,
		hit:    hit("ZREM", "due", "j:JOB"),
		kinds:  kinds(index),
		want:   three(0),
		status: status(0),
	},
	{
		name:   "the schedule cannot be read",
		begin:  periodicBegin,
		hit:    hit("HSET", "job:JOB", "skipped", "x"),
		kinds:  kinds(record),
		want:   three(0),
		status: status(0),
	},
	// names:run:R
	{
		name:   "a value is not listed",
		begin:  valueBegin,
		hit:    hit("DEL", "names:run:RUN"),
		kinds:  kinds(index),
		want:   three(0),
		status: status(0),
	},
	// hooks
	{
		name:   "the post-job hook is gone",
		begin:  finishingBegin,
		hit:    hit("DEL", "W:RUN/q/set/@post"),
		kinds:  kinds(damage.Hook),
		want:   store.Counts{Total: 1, Succeeded: 1},
		status: status(0),
	},
	{
		name:   "the post-job hook cannot be decoded",
		begin:  finishingBegin,
		hit:    hit("LSET", "W:RUN/q/set/@post", "0", "garbage"),
		kinds:  kinds(damage.Task),
		want:   store.Counts{Total: 1, Succeeded: 1},
		status: status(0),
	},
	{
		name:   "the pre-job hook is gone",
		begin:  startingBegin,
		hit:    hit("DEL", "W:RUN/q/set/@pre"),
		kinds:  kinds(damage.Hook),
		want:   store.Counts{Total: 1, Cancelled: 1},
		status: statuses.Failed,
	},
	{
		name:   "the final status is gone",
		begin:  finishingBegin,
		hit:    hit("HDEL", "run:RUN", "finalstatus"),
		kinds:  kinds(record),
		want:   store.Counts{Total: 1, Succeeded: 1},
		status: status(0),
	},
	// failing, trash, hist
	{
		name:   "a run is not listed by its failures",
		begin:  failedBegin,
		hit:    hit("DEL", "failing"),
		kinds:  kinds(index),
		want:   store.Counts{Total: 1, Failed: 1},
		status: status(1),
	},
	{
		name:   "the failures of a run are gone",
		begin:  failedBegin,
		hit:    hit("DEL", "dead:RUN"),
		kinds:  kinds(index),
		want:   store.Counts{Total: 1, Failed: 1},
		status: status(1),
	},
	{
		name:   "a finished run is not in the history",
		begin:  finishedBegin,
		hit:    hit("DEL", "hist"),
		kinds:  kinds(index),
		want:   store.Counts{Total: 1, Succeeded: 1},
		status: status(0),
	},
	{
		name:   "what is left of a finished run is not removed",
		begin:  finishedBegin,
		hit:    hit("DEL", "trash"),
		kinds:  kinds(index),
		want:   store.Counts{Total: 1, Succeeded: 1},
		status: status(0),
	},
	{
		name:   "counts of a finished run do not add up",
		begin:  finishedBegin,
		hit:    hit("HSET", "run:RUN", "running", "3"),
		kinds:  kinds(counts),
		want:   store.Counts{Total: 1, Succeeded: 1},
		status: status(0),
	},
	{
		name:   "a drained stopping run has not ended",
		begin:  stoppingBegin,
		hit:    hit("DEL", "L:w"),
		kinds:  kinds(counts, damage.State),
		want:   store.Counts{Total: 3, Cancelled: 3},
		status: statuses.Stopped,
	},
}

func stagedBegin(p *patient) {
	root := itemOf("k", "root")
	p.run = p.begin(store.StartParams{Job: p.job, Root: &root})
	d := p.worker.fetchOne("k")
	require.NoError(p, p.worker.stage(d, "j", 0, items("j", 256)...))
	require.NoError(p, p.worker.stage(d, "j", 256, items("j", 44)...))
	o := outcomeOf(d, verdicts.Success)
	o.Staged = []store.Staged{{Route: routeOf("j"), Count: 300}}
	p.worker.settle(o)
	require.EqualValues(p, 300, p.record(p.run).Counts.Pending)
}

func periodicBegin(p *patient) {
	_, err := p.EnsureJob(
		p.Context(),
		store.EnsureParams{Job: p.job, Type: statuses.JobPeriodic, Definition: []byte("{}"), Revision: 1, Schedule: []byte("{}")},
	)
	require.NoError(p, err)
	p.someTasksOf(store.StartParams{Job: p.job, Declared: true})
}

func delayedBegin(p *patient) {
	p.run = p.begin(store.StartParams{Job: p.job})
	waits := items("k", 3)
	for i := range waits {
		waits[i].At = time.UnixMilli(int64(i + 1)) // nobody has promoted them
	}
	p.enqueue(p.run, waits...)
}

func sealableBegin(p *patient) {
	p.run = p.begin(store.StartParams{Job: p.job, SealAfter: time.Hour})
	p.enqueue(p.run, items("k", 3)...)
}

func valueBegin(p *patient) {
	p.someTasks()
	p.enqueued++
	_, err := p.WriteValues(
		p.Context(),
		store.WriteParams{Partition: p.partition, Stream: "producer", Number: p.enqueued, Writes: []store.Write{
			{
				Scope: store.RunScope(p.run),
				Name:  "n",
				Type:  store.ValueFloat,
				Op:    store.WriteAdd,
				Data:  []store.Datum{{Bytes: []byte("7")}},
			},
		}},
	)
	require.NoError(p, err)
}

func claimedBegin(p *patient) {
	p.run = p.begin(store.StartParams{Job: p.job})
	item := itemOf("k", "mine")
	item.Task.Claimed = true
	p.enqueue(p.run, item)
}

func keptBegin(p *patient) {
	p.run = p.begin(store.StartParams{Job: p.job})
	item := itemOf("k", "mine")
	item.Task.Claimed, item.Task.Keep = true, time.Hour
	p.enqueue(p.run, item)
	p.worker.settle(outcomeOf(p.worker.fetchOne("k"), verdicts.Success))
}

func finishingBegin(p *patient) {
	root, post := itemOf("k", "root"), itemOf(store.KindPostJob, "post")
	p.run = p.begin(store.StartParams{Job: p.job, Root: &root, PostJob: &post})
	p.worker.settle(outcomeOf(p.worker.fetchOne("k"), verdicts.Success))
	require.Equal(p, statuses.Finishing, p.record(p.run).Status)
}

func startingBegin(p *patient) {
	root, pre := itemOf("k", "root"), itemOf(store.KindPreJob, "pre")
	p.run = p.begin(store.StartParams{Job: p.job, Root: &root, PreJob: &pre})
}

func finishedBegin(p *patient) {
	root := itemOf("k", "root")
	p.run = p.begin(store.StartParams{Job: p.job, Root: &root})
	p.command("HSET", "run:"+strconv.FormatInt(p.run.Number, 10), "litter", "1") // or its settlement would leave nothing
	p.worker.settle(outcomeOf(p.worker.fetchOne("k"), verdicts.Success))
}

func failedBegin(p *patient) {
	root := itemOf("k", "root")
	p.run = p.begin(store.StartParams{Job: p.job, Root: &root})
	p.worker.settle(outcomeOf(p.worker.fetchOne("k"), verdicts.Fail))
}

func stoppingBegin(p *patient) {
	p.someTasks()
	require.NoError(p, p.StopRun(p.Context(), store.StopParams{Run: p.run}))
	require.Equal(p, statuses.Stopping, p.record(p.run).Status)
}

func TestRepairMendsWhateverIsBroken(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, d.try)
	}
}
