package redisstore_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// wreck is a partition in which something is stored under each kind of key: of a run, a session, a
// job and more that are to be damaged, and of others beside them that must go on.
type wreck struct {
	*scene
	w, dead   *worker // both hold tasks of both runs
	bad, good store.RunID
	held      map[string]store.Delivery // by the worker w, by "bad ID" or "good ID"
}

// newWreck fills a partition. The keys of what is to be damaged can be told by badKeys.
func newWreck(tb testing.TB) *wreck {
	s := &wreck{scene: newScene(tb), held: make(map[string]store.Delivery)}
	past := s.begin(store.StartParams{Job: "past"})
	s.enqueue(past, itemOf("past", "t"))
	require.NoError(s, s.StopRun(s.Context(), store.StopParams{Run: past}))
	require.NoError(s, s.DeleteRun(s.Context(), past)) // so the sweep finds a route without work
	s.worker("lost")
	s.expire("lost")
	s.sweep()
	require.Len(s, s.lost(), 1)
	post := itemOf(store.KindPostJob, "post")
	configuration := []byte("{}")
	s.bad = s.begin(store.StartParams{Job: "bad", PostJob: &post, Configuration: configuration, SealAfter: time.Hour, Deadline: time.Hour})
	s.good = s.begin(store.StartParams{Job: "good", PostJob: &post, Configuration: configuration, SealAfter: time.Hour, Deadline: time.Hour})
	for _, job := range []string{"stopped", "ended"} { // something to purge, and a summary
		run := s.begin(store.StartParams{Job: job})
		if job == "stopped" {
			s.enqueue(run, items("k", 2)...)
		}
		require.NoError(s, s.StopRun(s.Context(), store.StopParams{Run: run}))
	}
	require.NoError(s, s.Pause(s.Context(), 0, store.Pause{Scope: store.PauseScope{Queue: "nobody"}}))
	s.dead = s.worker("dead")
	s.w = s.worker("w")
	for _, run := range []store.RunID{s.bad, s.good} {
		s.fillRun(run)
	}
	s.deliver()
	for _, job := range []string{"bad", "good"} {
		s.fillBeside(job)
	}
	s.command("HSET", "times", "wC:default/set/k", "3")
	s.command("HSET", "taken", "rC:default/set/k", "3") // a sweep died
	return s
}

// fillRun gives a run a task under each kind of key.
func (s *wreck) fillRun(run store.RunID) {
	s.Helper()
	s.enqueue(run, items("k", 2)...)
	for range 2 { // one goes back as a recovered task
		w := s.worker("gone-" + run.Job + strconv.Itoa(int(s.enqueued)))
		require.NotEmpty(s, w.fetchRecovered(1, "k"))
		w.die()
	}
	delayed, claimed, kept := itemOf("k", "delayed"), itemOf("k", "claimed"), itemOf("k", "kept")
	delayed.At = time.UnixMilli(1000)
	claimed.Task.Claimed, kept.Task.Claimed, kept.Task.Keep = true, true, time.Hour
	s.enqueue(run, append(items("m", 10), delayed, claimed, kept, itemOf("k", "unwanted"))...)
	unwanted := store.ChangeTaskParams{Run: run, ID: "unwanted", Cancel: true}
	for {
		reply, err := s.ChangeTask(s.Context(), unwanted)
		require.NoError(s, err)
		if unwanted.Cursor = reply.Next; reply.Next == "" {
			require.Equal(s, verdicts.ChangeCancelled, reply.Change)
			break
		}
	}
	s.enqueued++
	_, err := s.Enqueue(s.Context(), store.EnqueueParams{
		Stream: "producer", Number: s.enqueued, Holds: []store.HoldChange{{Run: run, Name: "hold"}},
	})
	require.NoError(s, err)
}

// deliver lets both sessions hold tasks of both runs, of which some staged children, failed or kept
// their ID.
func (s *wreck) deliver() {
	s.Helper()
	limit := store.RunLimit{Scope: store.Scope{Set: "set", Kinds: []string{"m"}}, Max: 100}
	for _, w := range []*worker{s.dead, s.w} {
		p := w.ask(10, "m")
		p.PerRun = []store.RunLimit{limit}
		for _, d := range w.send(p) {
			if w == s.w {
				s.held[d.Lease.Lane.Run.Job+" "+d.Task.ID] = d
			}
		}
	}
	for _, job := range []string{"bad", "good"} {
		mine := 0
		for _, name := range slices.Sorted(maps.Keys(s.held)) {
			if d := s.held[name]; strings.HasPrefix(name, job) {
				switch mine++; mine {
				case 1:
					child := itemOf("staged", "child")
					later := itemOf("staged", "later")
					later.At = time.UnixMilli(1000)
					require.NoError(s, s.w.stage(d, "staged", 0, child, child, later))
					o := outcomeOf(d, verdicts.Success)
					o.Staged = []store.Staged{{Route: routeOf("staged"), Count: 3}}
					o.Result = []byte("1")
					s.w.settle(o)
					delete(s.held, name)
				case 2:
					s.w.settle(outcomeOf(d, verdicts.Fail))
					delete(s.held, name)
				case 3:
					require.NoError(s, s.w.stage(d, "staged", 0, itemOf("staged", "parked")))
				}
			}
		}
		require.GreaterOrEqual(s, mine, 4, "the worker holds tasks of %s", job)
	}
	for _, d := range s.w.fetch(20, "k") {
		if d.Task.ID == "kept" {
			s.w.settle(outcomeOf(d, verdicts.Success))
		} else {
			s.held[d.Lease.Lane.Run.Job+" k"+d.Task.ID] = d
		}
	}
	_, err := s.Heartbeat(s.Context(), s.beat(s.bad, s.good))
	require.NoError(s, err)
}

// beat is a heartbeat of w that shows progress in runs.
func (s *wreck) beat(runs ...store.RunID) store.HeartbeatParams {
	p := store.HeartbeatParams{Session: s.w.id, Lease: time.Hour, Runs: runs}
	for _, run := range runs {
		p.Running = append(p.Running, store.RunningTask{Run: run, ID: "task", Kind: "m", Progress: store.Progress{Done: 1}})
	}
	return p
}

// fillBeside makes what is no run: a periodic job, values, a semaphore, a limit, and a stream.
func (s *wreck) fillBeside(name string) {
	s.Helper()
	ctx := s.Context()
	_, err := s.EnsureJob(ctx, periodicOf(name, 1))
	require.NoError(s, err)
	require.NoError(s, s.OpenProducer(ctx, 0, name))
	_, err = s.Enqueue(ctx, store.EnqueueParams{Stream: name, Number: 1})
	require.NoError(s, err)
	require.NoError(s, s.PublishSet(ctx, store.SetRecord{Name: name, Description: []byte("{}")}))
	_, err = s.WriteConfiguration(ctx, configuring(name, "first"))
	require.NoError(s, err)
	reply, err := s.WriteValues(ctx, store.WriteParams{Stream: name, Number: 2, Writes: s.writes(name)})
	require.NoError(s, err)
	for _, r := range reply.Results {
		require.NoError(s, r.Err)
	}
	for _, token := range []string{"first", "second"} {
		_, err = s.AcquireSemaphore(ctx, claiming(name, token))
		require.NoError(s, err)
	}
	_, err = s.Draw(ctx, drawing(name, 1))
	require.NoError(s, err)
}

func (s *wreck) run(name string) store.RunID {
	if name == "bad" {
		return s.bad
	}
	return s.good
}

// periodicOf declares the job that fires beside the run of the name.
func periodicOf(name string, revision int64) store.EnsureParams {
	return store.EnsureParams{
		Job: "periodic-" + name, Type: statuses.JobPeriodic, Definition: []byte(strconv.FormatInt(revision, 10)), Revision: revision,
		Schedule: []byte("s"), DueNow: true,
	}
}

func configuring(name, token string) store.ConfigurationWrite {
	return store.ConfigurationWrite{ID: store.ConfigurationID{Set: name}, Token: token, IfVersion: -1, Document: []byte("{}")}
}

func claiming(name, token string) store.SemaphoreClaim {
	return store.SemaphoreClaim{Key: name, Token: token, Holder: "holder", Max: 1, TTL: time.Minute, Wait: time.Minute}
}

func drawing(name string, number int64) store.DrawParams {
	return store.DrawParams{
		Limit: name, Holder: "w", Number: number, TTL: time.Minute, Max: 2, Keep: 1, Want: 1,
		Rate: store.Rate{Events: 1, Per: time.Second, Burst: 3}, Tokens: 1,
	}
}

// writes are some to each kind of value, in the run, its job and the namespace.
func (s *wreck) writes(name string) []store.Write {
	datum := func(field, b string) []store.Datum { return []store.Datum{{Field: field, Bytes: []byte(b)}} }
	run := store.RunScope(s.run(name))
	return []store.Write{
		{Scope: run, Name: "c", Type: store.ValueCounter, Op: store.WriteAdd, Data: datum("", "1")},
		{Scope: run, Name: "f", Type: store.ValueFloat, Op: store.WriteAdd, Data: datum("", "1.5")},
		{Scope: store.JobScope(name), Name: "l", Type: store.ValueList, Op: store.WriteAppend, Data: datum("", "a")},
		{Scope: store.JobScope(name), Name: "m", Type: store.ValueMap, Op: store.WriteSet, Data: datum("f", "a")},
		{Scope: store.NamespaceScope(0), Name: "v-" + name, Type: store.ValueJSON, Op: store.WriteSet, Data: datum("", "1")},
	}
}

// badKeys are the keys, without their prefix, that may be damaged: those of what is called bad, and
// those that all share.
func (s *wreck) badKeys() (all []string) {
	s.Helper()
	good := strconv.FormatInt(s.good.Number, 10)
	for _, key := range keysUnder(s, s.client, s.prefix()) {
		name := strings.TrimPrefix(key, s.prefix())
		if !strings.Contains(name, good) && !strings.Contains(name, "good") && name != "L:w" && name != "P:producer" {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// kindOfKey is the key without what names its owner: one key of each kind is enough.
func (s *wreck) kindOfKey(name string) string {
	kind, rest, _ := strings.Cut(name, ":")
	of, last, _ := strings.Cut(rest, ":")
	switch kind {
	case "value":
		value, _, _ := strings.Cut(last, ":")
		return kind + ":" + of + ":" + value
	case "names", "sem":
		return kind + ":" + of
	}
	if kind == "ring" || kind == "W" || kind == "M" || kind == "S" {
		return kind + rest[strings.LastIndexByte(rest, '/'):]
	}
	return kind
}

// typesOfKeys are commands that make a key of each type.
var typesOfKeys = map[string][]string{
	"string": {"SET", "garbage"}, "list": {"RPUSH", "garbage"}, "set": {"SADD", "garbage"}, "zset": {"ZADD", "1", "garbage"},
	"hash": {"HSET", "garbage", "garbage"},
}

// overwrite makes a key one of another type.
func (s *wreck) overwrite(name, kind string) {
	words := typesOfKeys[kind]
	s.command("DEL", name)
	s.command(words[0], name, words[1:]...)
}

func (s *wreck) typeOf(name string) string {
	s.Helper()
	kind, err := s.client.Do(s.Context(), s.client.B().Type().Key(s.prefix()+name).Build()).ToString()
	require.NoError(s, err)
	return kind
}

// eachBadKey runs a test for each kind of key.
func eachBadKey(t *testing.T, test func(t *testing.T, kind string)) {
	var kinds []string
	s := newWreck(t)
	for _, name := range s.badKeys() {
		kinds = append(kinds, s.kindOfKey(name))
	}
	slices.Sort(kinds)
	for _, kind := range slices.Compact(kinds) {
		t.Run(strings.ReplaceAll(kind, "/", " of "), func(t *testing.T) { test(t, kind) })
	}
}

func TestEachKindOfKeyIsDamaged(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(text), "| Key | Type | Holds |")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n\n")
	names := newWreck(t).badKeys()
	listed := regexp.MustCompile("`([^`]+)`")
	for _, line := range strings.Split(table, "\n")[2:] {
		for _, key := range listed.FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
			parts := strings.Split(key[1], ":")
			prefix := parts[0]
			if len(parts) > 2 {
				prefix += ":" + parts[1]
			}
			prefix, _, _ = strings.Cut(strings.TrimSuffix(prefix, ":R"), "/")
			require.True(t, slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, prefix) }),
				"nothing is stored under a key like %s", key[1])
		}
	}
}

// damaged makes a wreck and damages the first key of a kind.
func damaged(t *testing.T, kind string, damage func(s *wreck, name string)) *wreck {
	s := newWreck(t)
	at := slices.IndexFunc(s.badKeys(), func(name string) bool { return s.kindOfKey(name) == kind })
	require.GreaterOrEqual(t, at, 0)
	damage(s, s.badKeys()[at])
	return s
}

func TestAKeyOfAWrongTypeCostsNobodyElse(t *testing.T) {
	eachBadKey(t, func(t *testing.T, kind string) {
		for _, wrong := range slices.Sorted(maps.Keys(typesOfKeys)) {
			t.Run(wrong, func(t *testing.T) {
				same := false
				s := damaged(t, kind, func(s *wreck, name string) {
					if same = s.typeOf(name) == wrong; !same {
						s.overwrite(name, wrong)
					}
				})
				if !same {
					s.goesOn()
				}
			})
		}
	})
}

// garbage is what a number may be overwritten with.
var garbage = []string{"garbage", "", "nan", "inf", "-1e300", "99999999999999999999"}

func TestANumberOverwrittenWithGarbageCostsNobodyElse(t *testing.T) {
	eachBadKey(t, func(t *testing.T, kind string) {
		for first := range garbage {
			if first%3 > 0 && os.Getenv("ROLLCALL_STORM") == "" {
				continue
			}
			t.Run(strconv.Itoa(first), func(t *testing.T) {
				damaged(t, kind, func(s *wreck, name string) { s.garble(name, first) }).goesOn()
			})
		}
	})
}

// garble overwrites every field of a hash, the whole of a string, an item of a list, or the scores
// of a zset as far as they may be that. Fields get garbage by turns.
func (s *wreck) garble(name string, first int) {
	s.Helper()
	value := garbage[first]
	switch s.typeOf(name) {
	case "string":
		s.command("SET", name, value)
	case "hash":
		fields, err := s.client.Do(s.Context(), s.client.B().Hkeys().Key(s.prefix()+name).Build()).AsStrSlice()
		require.NoError(s, err)
		slices.Sort(fields)
		for i, field := range fields {
			if name == "meta" && (field == "format" || field == "partitions") {
				continue // these say that the namespace is of another library
			}
			s.command("HSET", name, field, garbage[(first+i)%len(garbage)])
		}
	case "zset":
		if value = "inf"; first > 0 {
			value = "-1e300"
		}
		members, err := s.client.Do(s.Context(), s.client.B().Zrange().Key(s.prefix()+name).Min("0").Max("-1").Build()).AsStrSlice()
		require.NoError(s, err)
		for _, member := range members {
			s.command("ZADD", name, value, member)
		}
	case "list":
		s.command("LSET", name, "0", value)
	}
}

// typed reports whether an error is one of the contract.
func typed(err error) bool {
	for _, known := range []error{
		store.ErrCorrupt, store.ErrRunNotFound, store.ErrJobNotFound, store.ErrLeaseLost, store.ErrResultUnknown, store.ErrStale,
		store.ErrRunFinished, store.ErrJobStopped, store.ErrWrongType, store.ErrJobExists, store.ErrConflict, store.ErrOutOfRange,
		store.ErrRunActive, store.ErrJobDisabled, store.ErrTooManyValues,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return err == nil
}

// newProcess opens the store as one that knows nothing yet.
func (s *wreck) newProcess() store.Store {
	option, err := redisstore.ParseURL(s.server.URL())
	require.NoError(s, err)
	client, err := rueidis.NewClient(option)
	require.NoError(s, err)
	s.Cleanup(client.Close)
	fresh, err := redisstore.New(context.Background(), client, redisstore.Config{Namespace: s.namespace, SweepInterval: time.Hour})
	require.NoError(s, err, "another process opens the store")
	return fresh
}
