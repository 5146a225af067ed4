package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// firstRun stands for the first run that was begun, firstRun+1 for the second, and so on.
const firstRun = 1 << 20

// twinCalls draws calls. What it draws is valid, and is then spoilt more often than not.
type twinCalls struct {
	*rand.Rand
	partitions int
	numbers    map[string]int64
	used       map[string]twinCall // by stream and number
	repeated   map[string]twinCall // the last of each method
	ids        []string            // of the last tasks
}

// twinMethods are the methods that are called: all of a Store but those that take no parameter, or
// wait.
func twinMethods() []string {
	var all []string
	contract := reflect.TypeFor[store.Store]()
	for i := range contract.NumMethod() {
		switch name := contract.Method(i).Name; name {
		case "Subscribe", "Close", "Partitions", "Ping", "Sets":
		default:
			all = append(all, name)
		}
	}
	return all
}

// begin makes the jobs, streams and sessions of a generation on both twins.
func (g *twinCalls) begin(tb testing.TB, twins ...*twin) {
	g.numbers, g.used, g.repeated = make(map[string]int64), make(map[string]twinCall), make(map[string]twinCall)
	g.partitions = twins[0].store.Partitions()
	var starts []store.StartParams
	for i, job := range jobs[:2] {
		p := g.start(job)
		p.Open, p.PostJob = true, nil
		if i == 1 {
			p.PreJob = hook(preJob)
		}
		starts = append(starts, p)
	}
	for _, w := range twins {
		ctx := context.Background()
		for _, p := range starts {
			reply, err := w.store.StartRun(ctx, p)
			require.NoError(tb, err)
			w.meet(reply.Run)
		}
		_, err := w.store.EnsureJob(
			ctx, store.EnsureParams{Job: jobs[2], Type: statuses.JobPeriodic, Schedule: []byte("daily")},
		)
		require.NoError(tb, err)
		for partition := range g.partitions {
			require.NoError(tb, w.store.OpenProducer(ctx, partition, "stream"))
			require.NoError(tb, w.store.OpenProducer(ctx, partition, "values"))
			id := store.SessionID{Partition: partition, ID: "session"}
			require.NoError(tb, w.store.OpenSession(ctx, id, store.WorkerInfo{}, never))
		}
	}
}

// jobs are two with a run each, a periodic one, and one that is not there.
var jobs = []string{"one", "two", "periodic", "nobody"}

func (g *twinCalls) one(n int) bool { return g.IntN(n) == 0 }

func pickOf[T any](g *twinCalls, of ...T) T { return of[g.IntN(len(of))] }

func (g *twinCalls) job() string { return pickOf(g, jobs...) }

// run is one of this generation, mostly.
func (g *twinCalls) run() store.RunID {
	i := g.IntN(2)
	return store.RunID{Job: jobs[i], Number: firstRun + int64(i)}
}

func (g *twinCalls) partition(job string) int { return store.PartitionOf(job, g.partitions) }

// number is the next of a stream.
func (g *twinCalls) number(stream string) int64 {
	g.numbers[stream]++
	return 5000 + g.numbers[stream]
}

// streamOf names the stream of a call, and where its number is; nil if it has none.
func streamOf(arg any) (stream string, number *int64) {
	switch p := arg.(type) {
	case *store.EnqueueParams:
		return fmt.Sprint("enqueue", p.Partition, p.Stream), &p.Number
	case *store.WriteParams:
		return fmt.Sprint("write", p.Partition, p.Stream), &p.Number
	case *store.FetchParams:
		return fmt.Sprint("fetch", p.Session), &p.Number
	case *store.SettleParams:
		return fmt.Sprint("settle", p.Session), &p.Number
	case *store.DrawParams:
		return fmt.Sprint("draw", p.Limit, p.Holder), &p.Number
	}
	return "", nil
}

// keepNumbers keeps a number from being used for two calls: a repeat is the same call again.
func (g *twinCalls) keepNumbers(c twinCall) twinCall {
	v := reflect.New(reflect.TypeOf(c.args[0]))
	v.Elem().Set(reflect.ValueOf(c.args[0]))
	stream, number := streamOf(v.Interface())
	if number == nil {
		return c
	}
	key := fmt.Sprint(stream, " ", *number)
	if last, used := g.used[key]; used && *number > 0 {
		return last
	}
	g.used[key] = c
	return c
}

// taskChange cancels or reschedules one of the last tasks.
func (g *twinCalls) taskChange(run store.RunID) store.ChangeTaskParams {
	p := store.ChangeTaskParams{Run: run, ID: pickOf(g, append(g.ids, "a")...), Cancel: g.one(2)}
	if !p.Cancel && g.one(2) {
		p.Due = time.Now().Add(never).Truncate(time.Second)
	}
	return p
}

func (g *twinCalls) task() store.Task {
	t := store.Task{
		ID:      fmt.Sprint("t-", g.IntN(1<<40)),
		Payload: []byte("payload"),
		Headers: map[string]string{"k": "v"},
	}
	if g.one(3) {
		t.ID, t.Claimed, t.Keep = pickOf(g, "a", "b", "c"), true, pickOf(g, 0, time.Hour)
	}
	if g.one(4) {
		t.Expires = pickOf(g, time.UnixMilli(1), time.Now().Add(never).Truncate(time.Second))
	}
	g.ids = append(g.ids[max(0, len(g.ids)-8):], t.ID)
	return t
}

func (g *twinCalls) item(route store.Route) store.Item {
	it := store.Item{Route: route, Task: g.task()}
	switch g.IntN(4) {
	case 0:
		it.Delay = time.Hour
	case 1:
		it.At = pickOf(g, time.Unix(0, 0), time.Now().Add(time.Hour).Truncate(time.Second), lastTime, firstTime)
	}
	if it.Task.Expired(it.At) {
		it.At = time.Time{}
	}
	return it
}

func (g *twinCalls) items(route store.Route) (all []store.Item) {
	for range g.IntN(4) {
		all = append(all, g.item(route))
	}
	return all
}

func (g *twinCalls) start(job string) store.StartParams {
	root := g.item(scan)
	root.Task.Claimed = false
	p := store.StartParams{
		Job: job, Token: fmt.Sprint("token-", g.IntN(1<<30)), Set: scan.Set, Root: &root, Weight: pickOf(g, 1.0, bounds.MinWeight, bounds.MaxWeight),
		Retention: never, FailureCap: pickOf(g, 1, 2, 100), Args: []byte("args"), Headers: map[string]string{"k": "v"},
	}
	if g.one(2) {
		p.PostJob, p.OnFailure = hook(postJob), pickOf(g, store.OnFailureEnd, store.OnFailureHold)
	}
	p.Deadline = pickOf(g, 0, never)
	return p
}

func (g *twinCalls) lease(run store.RunID) store.Lease {
	if !g.one(4) { // one that was given, counted from the newest
		return store.Lease{Session: "session", Lane: store.Lane{Run: run, Route: scan}, Fetch: firstRun + g.Int64N(4)}
	}
	return store.Lease{
		Session: "session",
		Lane:    store.Lane{Run: run, Route: pickOf(g, scan, file, preJob)},
		Fetch:   1 + g.Int64N(3),
		Index:   g.IntN(3),
	}
}

func (g *twinCalls) outcome(run store.RunID) store.Outcome {
	o := store.Outcome{
		Lease: g.lease(
			run,
		), Verdict: verdicts.Verdict(1 + g.IntN(int(verdicts.HookDone))), Task: g.task(), Error: "error",
		Delay: pickOf(g, 0, time.Hour),
	}
	if o.Verdict >= verdicts.Begin {
		o.Lease.Lane.Route = pickOf(g, preJob, postJob)
	}
	if o.Verdict == verdicts.Success && g.one(2) {
		o.Children, o.Counters = g.items(file), map[string]int64{"files": 1}
		o.Result, o.Keep = []byte("{}"), store.ResultRetention{Age: pickOf(g, 0, never), Number: g.IntN(3)}
		o.Writes = []store.Write{
			{
				Scope: store.RunScope(run),
				Name:  "list",
				Type:  store.ValueList,
				Op:    store.WriteAppend,
				Data:  []store.Datum{{Bytes: []byte("x")}},
			},
		}
	}
	return o
}

func (g *twinCalls) scope() store.ValueScope {
	switch g.IntN(3) {
	case 0:
		return store.RunScope(g.run())
	case 1:
		return store.JobScope(g.job())
	}
	return store.NamespaceScope(0)
}

// pauseScope is one that covers little, or everything for once.
func (g *twinCalls) pauseScope() store.PauseScope {
	return pickOf(
		g, store.PauseScope{}, store.PauseScope{Queue: file.Queue}, store.PauseScope{Kind: file.Kind},
		store.PauseScope{Queue: scan.Queue, Set: "ops"}, store.PauseScope{Set: scan.Set, Kind: scan.Kind},
	)
}

func (g *twinCalls) writes() (partition int, all []store.Write) {
	scope, name := g.scope(), fmt.Sprint("value-", g.IntN(3))
	for range 1 + g.IntN(3) {
		w := store.Write{Scope: scope, Name: name, Data: []store.Datum{{Bytes: []byte("7")}}}
		w.Type = pickOf(
			g, store.ValueCounter, store.ValueFloat, store.ValueTime, store.ValueJSON, store.ValueList, store.ValueMap,
		)
		w.Op = pickOf(
			g, store.WriteSet, store.WriteAdd, store.WriteSwap, store.WriteAppend, store.WriteRemove, store.WriteDelete,
		)
		all = append(all, w)
	}
	return store.PartitionOfValue(scope, name, g.partitions), all
}

func (g *twinCalls) document() store.ConfigurationID {
	if g.one(2) {
		return store.ConfigurationID{Run: g.run()}
	}
	return store.ConfigurationID{Set: pickOf(g, "set", "other")}
}
