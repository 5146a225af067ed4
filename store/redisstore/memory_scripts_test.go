package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// refusedWithoutMemory are the scripts that a server without memory refuses, with nothing written.
// All others pass: they free memory, or keep what is there going.
var refusedWithoutMemory = map[string]bool{
	"start_run": true, "fire_run": true, "enqueue": true, "stage": true, "write_values": true, "configure": true, "ensure_job": true,
	"settle": true, // with children: those without are settled, see below
}

// TestOutOfMemoryEachScriptPassesOrWritesNothing calls each script of the table in README.md, as
// TestCrashes does, on a server that has no memory left.
func TestOutOfMemoryEachScriptPassesOrWritesNothing(t *testing.T) {
	server := redistest.Start(t, nil)
	all, _ := scriptNames(t)
	for _, name := range all {
		t.Run(name, func(t *testing.T) {
			point, ok := crashPoints[name]
			require.True(t, ok)
			if name == "release_kept" { // that of crashes tries until it dies
				point.act = func(c *crash) error { _, err := c.Sweep(c.Context(), 0); return err }
				begin := point.begin
				point.begin = func(c *crash) { begin(c); c.command("ZADD", "kept", "1", c.keptBucket()) }
			}
			c := shortOfMemory(t, server)
			if point.begin != nil {
				point.begin(c)
			}
			before := c.contents()
			c.fill()
			err := point.act(c)
			c.free()
			if refusedWithoutMemory[name] {
				require.ErrorIs(t, err, store.ErrOutOfMemory)
				require.Equal(t, before, c.contents(), "a script that was refused has written")
			} else {
				require.NoError(t, err)
			}
			if point.stands != nil && name != "close_session" { // the call goes on to reclaim
				point.stands(c, !refusedWithoutMemory[name])
			}
		})
	}
}

// shortOfMemory is what crash points are about, with a process that lives.
func shortOfMemory(t *testing.T, server *redistest.Server) *crash {
	c := &crash{scene: sceneOn(t, server, server.URL(), redistest.Namespace())}
	process := open(t, server.URL(), redisstore.Config{Namespace: c.namespace})
	require.NoError(t, process.OpenProducer(t.Context(), 0, "victim"))
	c.victim = (&scene{TB: t, Store: process, server: server, client: server.Client, namespace: c.namespace}).worker("victim")
	c.run = c.scene.begin(store.StartParams{Job: "job"})
	c.enqueue(c.run, items("k", 3)...)
	return c
}

// keptBucket is the bucket whose claimed ID is kept.
func (s *scene) keptBucket() string {
	kept, err := s.client.Do(s.Context(), s.client.B().Zrange().Key(s.prefix()+"kept").Min("0").Max("0").Build()).AsStrSlice()
	require.NoError(s, err)
	require.Len(s, kept, 1)
	return kept[0]
}

// contents are all keys of the partition with what they hold.
func (s *scene) contents() map[string]any {
	s.Helper()
	out := make(map[string]any)
	for _, key := range keysUnder(s, s.client, s.prefix()) {
		out[key] = s.content(key)
	}
	return out
}

// content reads a key of any type.
func (s *scene) content(key string) any {
	s.Helper()
	kind, err := s.client.Do(s.Context(), s.client.B().Type().Key(key).Build()).ToString()
	require.NoError(s, err)
	words := map[string][]string{
		"string": {"GET"}, "list": {"LRANGE", "0", "-1"}, "set": {"SMEMBERS"}, "zset": {"ZRANGE", "0", "-1", "WITHSCORES"}, "hash": {"HGETALL"},
	}[kind]
	if words == nil {
		return nil // it has expired
	}
	r := s.client.Do(s.Context(), s.client.B().Arbitrary(words[0]).Keys(key).Args(words[1:]...).Build())
	var content any
	if kind == "hash" {
		content, err = r.AsStrMap()
	} else {
		content, err = r.ToAny()
	}
	require.NoError(s, err)
	return content
}

func TestOutOfMemoryADuePeriodicJobDoesNotStopDelayedTasks(t *testing.T) {
	s := ownScene(t)
	run := s.begin(store.StartParams{Job: "job"})
	for i := range 20 { // more than one call tells of
		p := periodic
		p.Job, p.Schedule, p.DueNow = fmt.Sprintf("periodic-%d", i), []byte("s"), true
		_, err := s.EnsureJob(t.Context(), p)
		require.NoError(t, err)
		s.command("ZADD", "due", "1", "j:"+p.Job)
	}
	delayed := itemOf("k", "delayed")
	delayed.At = time.UnixMilli(2)
	s.enqueue(run, delayed)
	s.fill()
	told := make(map[string]bool)
	for range 3 {
		reply, err := s.Promote(t.Context(), 0)
		require.NoError(t, err)
		for _, job := range reply.Jobs {
			told[job] = true
		}
	}
	require.Len(t, told, 20)
	require.Equal(t, store.Counts{Total: 1, Pending: 1}, s.record(run).Counts)
}

func TestOutOfMemoryWhatAddsNothingPassesBesideWhatIsRefused(t *testing.T) {
	s := ownScene(t)
	run := s.begin(store.StartParams{Job: "job"})
	periodic := periodic
	periodic.Schedule = []byte("s")
	_, err := s.EnsureJob(t.Context(), periodic)
	require.NoError(t, err)
	scope := store.JobScope("job")
	write := func(number int64, w store.Write) error {
		w.Scope, w.Name, w.Type = scope, "m", store.ValueMap
		reply, err := s.WriteValues(t.Context(), store.WriteParams{Stream: "producer", Number: number, Writes: []store.Write{w}})
		for _, r := range reply.Results {
			require.NoError(t, r.Err)
		}
		return err
	}
	data := []store.Datum{{Field: "a", Bytes: []byte("1")}, {Field: "b", Bytes: []byte("1")}}
	require.NoError(t, write(1, store.Write{Op: store.WriteSet, Data: data}))
	for _, token := range []string{"holder", "waiter"} {
		_, err := s.AcquireSemaphore(t.Context(), claiming("key", token))
		require.NoError(t, err)
	}
	p := second(true)
	p.Job, p.Declared = "periodic", true
	fire := func(wait bool) verdicts.Fire {
		s.free()
		defer s.fill()
		s.command("HSET", "job:periodic", "due", "1000", "acts", "1000")
		job, err := s.Job(t.Context(), "periodic")
		require.NoError(t, err)
		if job.LastRun > 0 {
			s.fill()
		}
		next := time.Now().Add(time.Hour)
		fired, err := s.FireRun(t.Context(), store.FireParams{Start: p, Due: job.Due, Changes: job.Changes, Next: []time.Time{next}, Wait: wait})
		require.NoError(t, err)
		return fired.Verdict
	}
	require.Equal(t, verdicts.FireStarted, fire(false))
	s.command("DEL", "starts:periodic") // or else it is told of the run again
	require.Equal(t, verdicts.FireSkipped, fire(false))
	require.Equal(t, verdicts.FireWaiting, fire(true))

	reply, err := s.AcquireSemaphore(t.Context(), claiming("key", "waiter"))
	require.NoError(t, err, "who waits keeps its place")
	require.NotZero(t, reply.Place)
	_, err = s.AcquireSemaphore(t.Context(), claiming("key", "late"))
	require.ErrorIs(t, err, store.ErrOutOfMemory, "a new place takes memory")
	result, err := s.EnsureJob(t.Context(), periodic)
	require.NoError(t, err, "a worker that starts declares what is declared already")
	require.Equal(t, verdicts.EnsureUnchanged, result)
	require.NoError(t, write(2, store.Write{Op: store.WriteRemove, Data: []store.Datum{{Field: "a"}}}))
	require.NoError(t, write(3, store.Write{Op: store.WriteDelete}))
	require.NoError(t, s.OpenProducer(t.Context(), 0, "fresh"), "a process that only seals a run needs a stream")
	_, err = s.Enqueue(t.Context(), store.EnqueueParams{
		Stream: "fresh", Number: 1, Holds: []store.HoldChange{{Run: run, Name: store.HoldOpen, Close: true}},
	})
	require.NoError(t, err)
	require.Equal(t, statuses.Succeeded, s.record(run).Status)
}
