package storetest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
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
			ctx, store.EnsureParams{Job: jobs[2], Type: store.JobPeriodic, Schedule: []byte("daily")},
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

func (g *twinCalls) task() store.Task {
	t := store.Task{
		ID:      fmt.Sprint("t-", g.IntN(1<<40)),
		Payload: []byte("payload"),
		Headers: map[string]string{"k": "v"},
	}
	if g.one(3) {
		t.ID, t.Claimed, t.Keep = pickOf(g, "a", "b", "c"), true, pickOf(g, 0, time.Hour)
	}
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
		p.PostJob = hook(postJob)
	}
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
		), Verdict: store.Verdict(1 + g.IntN(int(store.VerdictHookDone))), Task: g.task(), Error: "error",
		Delay: pickOf(g, 0, time.Hour),
	}
	if o.Verdict >= store.VerdictBegin {
		o.Lease.Lane.Route = pickOf(g, preJob, postJob)
	}
	if o.Verdict == store.VerdictSuccess && g.one(2) {
		o.Children, o.Counters = g.items(file), map[string]int64{"files": 1}
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

// call draws a call, and spoils it.
func (g *twinCalls) call() twinCall {
	method := pickOf(g, twinMethods()...)
	if last, ok := g.repeated[method]; ok && g.one(6) {
		return last
	}
	c := twinCall{method: method, args: g.args(method)}
	for range g.IntN(3) {
		i := g.IntN(len(c.args))
		v := reflect.New(reflect.TypeOf(c.args[i])).Elem()
		v.Set(reflect.ValueOf(c.args[i]))
		g.spoil(v)
		c.args[i] = v.Interface()
	}
	if p, ok := c.args[0].(store.FetchParams); ok { // of fewer tasks, runs at the same virtual time may come in any order
		if p.Max > 0 && p.Max < bounds.MaxBatch {
			p.Max = bounds.MaxBatch
		}
		if p.MaxBytes > 0 {
			p.MaxBytes = max(p.MaxBytes, bounds.PageBytes)
		}
		c.args[0] = p
	}
	c = g.keepNumbers(c)
	g.repeated[method] = c
	return c
}

func (g *twinCalls) args(method string) []any {
	job, run := g.job(), g.run()
	partition := g.partition(run.Job)
	session := store.SessionID{Partition: partition, ID: "session"}
	stream := fmt.Sprint(partition)
	switch method {
	case "EnsureJob":
		return []any{
			store.EnsureParams{
				Job:        job,
				Type:       pickOf(g, store.JobStanding, store.JobPeriodic),
				Definition: []byte("d"),
				Revision:   g.Int64N(3),
			},
		}
	case "SetJobDisabled":
		return []any{job, g.one(2)}
	case "Job", "JobRuns", "DeleteJob":
		return []any{job}
	case "PostponeJob":
		return []any{store.PostponeParams{Job: job, Problem: "problem"}}
	case "ListJobs":
		return []any{store.ListParams{Partition: partition, After: pickOf(g, "", "one", "two-"), Limit: 1000}}
	case "FireRun":
		due := pickOf(g, time.Time{}, time.Unix(0, 0), time.Now().Add(-time.Hour))
		return []any{
			store.FireParams{
				Start:   g.start(jobs[2]),
				Due:     due,
				Next:    time.Now().Add(never).Truncate(time.Second),
				Changes: 1,
			},
		}
	case "StartRun":
		return []any{g.start(job)}
	case "Run", "Inspect", "DeleteRun":
		return []any{run}
	case "StopRun":
		return []any{store.StopParams{Run: run, Graceful: g.one(2), Reason: "reason"}}
	case "SetRunPaused":
		return []any{run, g.one(2)}
	case "Failures":
		return []any{run, g.Int64N(3), 1 + g.IntN(10)}
	case "OpenProducer", "CloseProducer":
		return []any{partition, "stream"}
	case "Enqueue":
		p := store.EnqueueParams{Partition: partition, Stream: "stream", Number: g.number("p" + stream)}
		for _, it := range g.items(pickOf(g, scan, file)) {
			p.Entries = append(p.Entries, store.Entry{Run: run, Item: it})
		}
		if g.one(2) {
			p.Holds = []store.HoldChange{
				{
					Run:     run,
					Name:    "hold",
					Close:   g.one(2),
					Mark:    pickOf(g, "", "mark"),
					Guarded: g.one(3),
					From:    pickOf(g, "", "mark"),
				},
			}
		}
		return []any{p}
	case "Promote", "Sweep", "LiveSessions", "QueueStats", "Mode":
		return []any{partition}
	case "WriteValues":
		partition, writes := g.writes()
		return []any{
			store.WriteParams{
				Partition: partition,
				Stream:    "values",
				Number:    g.number("v" + fmt.Sprint(partition)),
				Writes:    writes,
			},
		}
	case "ReadValue":
		p := store.ReadParams{Scope: g.scope(), Name: fmt.Sprint("value-", g.IntN(3)), Offset: g.Int64N(3)}
		p.Type = pickOf(
			g, store.ValueCounter, store.ValueFloat, store.ValueTime, store.ValueJSON, store.ValueList, store.ValueMap,
		)
		return []any{p}
	}
	return g.workArgs(method, run, session)
}

// workArgs draws what workers and operators say.
func (g *twinCalls) workArgs(method string, run store.RunID, session store.SessionID) []any {
	stream := fmt.Sprint(session.Partition)
	key := pickOf(g, "gate", "door")
	switch method {
	case "OpenSession":
		return []any{session, store.WorkerInfo{Name: "worker", Host: "host", Routes: []store.Route{scan}}, never}
	case "Fetch":
		return []any{store.FetchParams{
			Session: session, Number: g.number("f" + stream), Max: bounds.MaxBatch, Queues: pickOf(g, everything(), only(scan), nil),
			Budgets: []store.Budget{
				{Scope: scope(file), Left: pickOf(g, 0, 100)},
			}, PerRun: []store.RunLimit{{Scope: scope(scan), Max: 2}},
			InReadOnly: []string{scan.Set}, Answered: store.Answered{},
		}}
	case "Settle":
		return []any{
			store.SettleParams{
				Session:  session,
				Number:   g.number("s" + stream),
				Worker:   "worker",
				Outcomes: []store.Outcome{g.outcome(run)},
			},
		}
	case "Stage":
		route := pickOf(g, scan, file)
		return []any{
			store.StageParams{
				Session: session,
				Lease:   g.lease(run),
				Route:   route,
				Offset:  g.IntN(3),
				Items:   g.items(route),
			},
		}
	case "Heartbeat":
		running := []store.RunningTask{
			{Run: run, ID: "a", Kind: "k", Queue: "q", Since: time.Unix(1e9, 0), Progress: store.Progress{Done: 1}},
		}
		return []any{store.HeartbeatParams{Session: session, Lease: never, Runs: []store.RunID{run}, Running: running}}
	case "Held":
		return []any{session, map[store.Lease]bool(nil)}
	case "CloseSession":
		return []any{session}
	case "SessionsLeft":
		return []any{session.Partition, "session"}
	case "Reconsider":
		return []any{session.Partition, []store.Route{scan, file}}
	case "AcquireSemaphore":
		return []any{
			store.SemaphoreClaim{
				Key:    key,
				Token:  pickOf(g, "a", "b", "c"),
				Holder: "holder",
				Max:    1 + g.IntN(2),
				TTL:    never,
				Wait:   pickOf(g, 0, never),
			},
		}
	case "RefreshSemaphore":
		return []any{key, pickOf(g, "a", "b"), never}
	case "ReleaseSemaphore":
		return []any{key, pickOf(g, "a", "b")}
	case "ForceReleaseSemaphore":
		return []any{key, g.Int64N(2)}
	case "Semaphore":
		return []any{key}
	case "Repair":
		return []any{store.RepairParams{Job: run.Job, DryRun: g.one(2), Quick: g.one(2)}}
	case "PublishSet":
		return []any{store.SetRecord{Name: "set", Description: []byte("description")}}
	case "Configuration", "ConfigurationHistory":
		return []any{g.document()}
	case "WatchConfigurations":
		return []any{[]string{"set", "third"}}
	case "WriteConfiguration":
		return []any{
			store.ConfigurationWrite{
				ID:        g.document(),
				Token:     fmt.Sprint(g.IntN(1 << 30)),
				IfVersion: g.Int64N(3) - 1,
				Document:  []byte("{}"),
				By:        "me",
			},
		}
	case "SetMode":
		return []any{session.Partition, pickOf(g, store.ModeReadWrite, store.ModeReadOnly)}
	case "Draw":
		return []any{
			store.DrawParams{
				Limit:  "limit",
				Holder: pickOf(g, "a", "b"),
				Number: g.number("limit"),
				TTL:    never,
				Max:    g.IntN(4),
				Keep:   g.IntN(2),
				Want:   g.IntN(4),
			},
		}
	case "Forfeit":
		return []any{"limit", store.Holding{Holder: pickOf(g, "a", "b"), Number: 1}}
	}
	panic("no arguments for " + method)
}

var (
	strangeTexts = []string{
		"", "a", "a b", "a/b", "a:b", "{a}", "}", "@pre", "@post", "@other", " a", "a ", "a\nb", "a\x00b", "\x1b[31m", "a\u200bb", "\xff\xfe", "é", "日本", "%", "*", "-1", "0",
		strings.Repeat(
			"x", 64,
		), strings.Repeat("x", 65), strings.Repeat("x", 200), strings.Repeat("x", 201), strings.Repeat("x", 512), strings.Repeat("x", 513),
		strings.Repeat("x", 1025), strings.Repeat("y", 10_000),
	}
	strangeNumbers = []int64{
		0, 1, -1, 2, 3, 255, 256, 257, 1000, 1001, 1024, 1 << 20, 1<<31 - 1, 1 << 31, 1 << 40, 1<<53 - 1, 1 << 53, 1<<53 + 1, math.MaxInt64, math.MinInt64, -(1 << 53),
	}
	strangeDurations = []time.Duration{
		math.MinInt64,
		-time.Hour,
		-1,
		0,
		time.Hour,
		never,
		math.MaxInt64 - 1,
		math.MaxInt64,
	}
	strangeTimes = []time.Time{
		{}, beforeTime, firstTime, lastTime, afterTime, before1970, time.Unix(0, 0), time.Unix(0, 1), time.UnixMilli(1), time.Unix(1e9, 999_999_999),
		time.Date(
			292277026596, 1, 1, 0, 0, 0, 0, time.UTC,
		), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 1, time.FixedZone("odd", 90*60+7)),
	}
	strangeFloats = []float64{
		0,
		-1,
		1,
		math.NaN(),
		math.Inf(1),
		math.Inf(-1),
		bounds.MinWeight,
		bounds.MinWeight / 2,
		bounds.MaxWeight,
		bounds.MaxWeight * 2,
		math.MaxFloat64,
		math.SmallestNonzeroFloat64,
	}
)

// spoil replaces one part of a value by what is strange.
func (g *twinCalls) spoil(v reflect.Value) {
	if v.Type() == timeType {
		v.Set(reflect.ValueOf(pickOf(g, strangeTimes...)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(pickOf(g, strangeTexts...))
	case reflect.Int64:
		if v.Type() == reflect.TypeFor[time.Duration]() {
			v.SetInt(int64(pickOf(g, strangeDurations...)))
			return
		}
		v.SetInt(pickOf(g, strangeNumbers...))
	case reflect.Int:
		v.SetInt(pickOf(g, strangeNumbers...))
	case reflect.Uint8:
		v.SetUint(uint64(g.IntN(14)))
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Float64:
		v.SetFloat(pickOf(g, strangeFloats...))
	case reflect.Struct:
		g.spoil(v.Field(g.IntN(v.NumField())))
	case reflect.Pointer:
		g.spoilPointer(v)
	case reflect.Slice:
		g.spoilList(v)
	case reflect.Map:
		g.spoilMap(v)
	}
}

func (g *twinCalls) spoilPointer(v reflect.Value) {
	if v.IsNil() || g.one(4) {
		v.SetZero()
		return
	}
	copied := reflect.New(v.Type().Elem())
	copied.Elem().Set(v.Elem())
	g.spoil(copied.Elem())
	v.Set(copied)
}

func (g *twinCalls) spoilList(v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		v.SetBytes([]byte(pickOf(g, strangeTexts...)))
		return
	}
	copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(copied, v)
	switch n := v.Len(); {
	case n == 0:
		copied = reflect.Append(copied, reflect.Zero(v.Type().Elem()))
	case g.one(8):
		copied = reflect.Zero(v.Type())
	case g.one(4):
		copied = reflect.Append(copied, copied.Index(0)) // doubled
	case g.one(9):
		for range pickOf(g, 255, 256, 1000) {
			copied = reflect.Append(copied, copied.Index(0))
		}
	default:
		g.spoil(copied.Index(g.IntN(n)))
	}
	v.Set(copied)
}

func (g *twinCalls) spoilMap(v reflect.Value) {
	switch v.Interface().(type) {
	case map[string]string:
		v.Set(reflect.ValueOf(map[string]string{pickOf(g, strangeTexts...): pickOf(g, strangeTexts...)}))
	case map[string]int64:
		v.Set(reflect.ValueOf(map[string]int64{pickOf(g, strangeTexts...): pickOf(g, strangeNumbers...)}))
	case map[store.Lease]bool:
		v.Set(reflect.ValueOf(map[store.Lease]bool{g.lease(g.run()): g.one(2)}))
	}
}
