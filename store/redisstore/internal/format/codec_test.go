package format

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

var update = flag.Bool("update", false, "rewrite the golden files of this package")

// goldenTasks are stored forms that a later version must still read.
func goldenTasks() map[string]store.Task {
	enqueued := time.UnixMilli(1_790_000_000_123)
	return map[string]store.Task{
		"plain": {ID: "3s7yqk2mwd5c4fzt", Payload: []byte(`{"dir":"src"}`), Enqueued: enqueued},
		"empty": {Enqueued: time.UnixMilli(0)},
		"full": {
			ID: "row \xe2\x82\xac 7", Payload: []byte{0, 1, 2, 0xff}, Headers: map[string]string{"traceparent": "00-abc"},
			Claimed: true, Keep: 90 * time.Minute, Attributes: []byte(`{"max_retries":7}`), Enqueued: enqueued,
			Retry: 3, Snoozes: 400, Crashes: 2, Recovered: true,
		},
		"tried": {
			ID: "row \xe2\x82\xac 7", Payload: []byte{0, 1, 2, 0xff}, Headers: map[string]string{"traceparent": "00-abc"},
			Claimed: true, Keep: 90 * time.Minute, Attributes: []byte(`{"max_retries":7}`), Enqueued: enqueued,
			Retry: 3, Snoozes: 400, Crashes: 2, Recovered: true,
			Ready: enqueued.Add(time.Minute), Expires: enqueued.Add(time.Hour),
			Attempts: []store.Attempt{
				{
					Ended:  enqueued.Add(time.Second),
					Took:   250 * time.Millisecond,
					Worker: "host-1",
					Error:  "no such file",
				},
				{Ended: enqueued.Add(time.Hour), Worker: "", Error: ""},
			},
		},
	}
}

func TestGoldenTasksAreReadAndWrittenUnchanged(t *testing.T) {
	for name, task := range goldenTasks() {
		path := filepath.Join("testdata", "task_"+name+".golden")
		written := AppendTask(nil, &task)
		if *update {
			require.NoError(t, os.WriteFile(path, written, 0o600))
		}
		golden, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, golden, written, name)
		read, err := DecodeTask(string(golden))
		require.NoError(t, err)
		require.Equal(t, task, read, name)
	}
}

func TestEveryFieldOfATaskIsStored(t *testing.T) {
	full := reflect.ValueOf(goldenTasks()["tried"])
	for i := range full.NumField() {
		require.False(t, full.Field(i).IsZero(), "the golden task leaves out %s", full.Type().Field(i).Name)
	}
}

func TestAMessageOfANewerVersionIsRefused(t *testing.T) {
	task := store.Task{ID: "a"}
	m := AppendTask(nil, &task)
	m[0]++
	_, err := DecodeTask(string(m))
	require.ErrorIs(t, err, store.ErrCorrupt)
}

func TestWhatALaterVersionAddsIsSkipped(t *testing.T) {
	task := store.Task{ID: "a", Enqueued: time.UnixMilli(5)}
	m := AppendTask(nil, &task)
	m[1] |= flagMore
	attempt := store.Attempt{Ended: time.UnixMilli(7), Error: "no"}
	more := appendString([]byte{'z'}, "something new")
	more = appendString(appendAttempts(more, []store.Attempt{attempt}), "")
	more[len(more)-1] = 'y' // another part, of no bytes
	m = appendString(m, string(append(more, 0)))
	m = append(m, "payload"...)
	read, err := DecodeTask(string(m))
	require.NoError(t, err)
	task.Payload, task.Attempts = []byte("payload"), []store.Attempt{attempt}
	require.Equal(t, task, read)
}

func TestAttemptsThatAreCutShortAreCorrupt(t *testing.T) {
	task := store.Task{ID: "a", Attempts: []store.Attempt{{Ended: time.UnixMilli(7), Worker: "w", Error: "no"}}}
	more := appendAttempts(nil, task.Attempts)
	for n := 1; n < len(more); n++ {
		var read store.Task
		require.True(t, decodeMore(&read, string(more[:n])), "the first %d bytes", n)
	}
}

func TestTheAttemptsOfATaskStayWithinTheirBytes(t *testing.T) {
	var task store.Task
	plain := len(AppendTask(nil, &task))
	for i := range 12 {
		task.Tried(store.Attempt{
			Ended: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), Took: math.MaxInt64,
			Worker: strings.Repeat("w", 100), Error: strings.Repeat("é", 40*i),
		})
		require.LessOrEqual(t, len(AppendTask(nil, &task))-plain, bounds.MaxAttemptBytes)
		read, err := DecodeTask(string(AppendTask(nil, &task)))
		require.NoError(t, err)
		require.Len(t, read.Attempts, min(i+1, bounds.MaxAttempts))
	}
}

func TestFailuresSurviveStorage(t *testing.T) {
	run := store.RunID{Job: "j", Number: 7}
	lane := store.Lane{Run: run, Route: store.Route{Queue: "q", Set: "s", Kind: "k"}}
	o := store.Outcome{
		Lease: store.Lease{Lane: lane},
		Task:  goldenTasks()["full"],
		Error: "no such file",
		Stack: "main.go:1",
	}
	read, err := DecodeFailure(run, "12 1790000000123 "+EncodeFailure(&o, "w1"))
	require.NoError(t, err)
	require.Equal(t, store.Failure{
		Place: 12, Lane: lane, Task: o.Task, Error: o.Error, Stack: o.Stack, Worker: "w1", At: time.UnixMilli(1790000000123),
	}, read)
	for _, damaged := range []string{
		"", "1", "1 {}", "1 x {}", "x 1 {}", "1 1 {", "1 1 {\"v\":2}", "1 1 {\"v\":1,\"route\":\"a/b\"}",
	} {
		_, err := DecodeFailure(run, damaged)
		require.ErrorIs(t, err, store.ErrCorrupt, damaged)
	}
}

func FuzzDecodeTask(f *testing.F) {
	for _, task := range goldenTasks() {
		f.Add(string(AppendTask(nil, &task)))
	}
	f.Fuzz(func(t *testing.T, message string) {
		task, err := DecodeTask(message)
		if err != nil {
			require.ErrorIs(t, err, store.ErrCorrupt)
			return
		}
		again, err := DecodeTask(string(AppendTask(nil, &task)))
		require.NoError(t, err)
		require.Equal(t, normal(task), normal(again))
	})
}

// normal drops what a foreign writer may spell in more than one way.
func normal(t store.Task) store.Task {
	t.Enqueued = time.UnixMilli(max(t.Enqueued.UnixMilli(), 0))
	if len(t.Headers) == 0 {
		t.Headers = nil
	}
	if len(t.Attributes) == 0 {
		t.Attributes = nil
	}
	if len(t.Payload) == 0 {
		t.Payload = nil
	}
	if len(t.Attempts) == 0 {
		t.Attempts = nil
	}
	return t
}

func TestEveryFieldOfALeaseIsStored(t *testing.T) {
	var lease store.Lease
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			v.SetString("x")
		case reflect.Int, reflect.Int64:
			v.SetInt(7)
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i))
			}
		default:
			t.Fatalf("no value for %v", v.Type())
		}
	}
	fill(reflect.ValueOf(&lease).Elem())
	read, ok := ParseLeaseField(lease.Session, LeaseField(lease))
	require.True(t, ok)
	lease.Lane.Run.Job = "" // found by the number of the run
	require.Equal(t, lease, read)
}

func FuzzLeaseField(f *testing.F) {
	f.Add("q", "s", "k", int64(1), 2, int64(1790000000123456), true)
	f.Fuzz(func(t *testing.T, queue, set, kind string, fetch int64, index int, run int64, tallied bool) {
		for _, name := range []string{queue, set, kind} {
			if store.ValidateName("Name", name) != nil {
				return // refused before it comes near a key
			}
		}
		lease := store.Lease{
			Session: "s", Fetch: fetch, Index: index, Tallied: tallied,
			Lane: store.Lane{Run: store.RunID{Number: run}, Route: store.Route{Queue: queue, Set: set, Kind: kind}},
		}
		if fetch < 0 || index < 0 || run < 0 {
			return
		}
		read, ok := ParseLeaseField("s", LeaseField(lease))
		require.True(t, ok)
		require.Equal(t, lease, read)
	})
}

func FuzzKeysOfDifferentNamesDiffer(f *testing.F) {
	f.Add("a", "a:b")
	f.Add("{", "}")
	f.Fuzz(func(t *testing.T, one, other string) {
		k := NewKeyspace("ns", 3)
		if one == other || store.ValidateJobName(one) != nil || store.ValidateJobName(other) != nil {
			return
		}
		keys := map[string]bool{}
		for _, key := range []string{k.Job(one), k.Job(other), k.Starts(one), k.Starts(other), k.Meta, k.Jobs} {
			require.False(t, keys[key], key)
			require.True(t, strings.HasPrefix(key, "{ns:3}:"), "the first braces of %q are the partition's", key)
			keys[key] = true
		}
	})
}
