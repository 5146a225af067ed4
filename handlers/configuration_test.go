package handlers_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// marked has every inherited attribute set to a value that shows the level n.
func marked(n int) handlers.Attributes {
	return handlers.Attributes{
		Queue:         "queue-" + string(rune('0'+n)),
		MaxRetries:    n,
		Timeout:       time.Duration(n) * time.Minute,
		Backoff:       handlers.Exponential{First: time.Duration(n) * time.Second, Factor: 1, Jitter: handlers.NoJitter},
		MaxDeliveries: n,
		MaxSnoozes:    n,
		Params:        map[string]int{"level": n},
	}
}

// perRun leaves out what cannot be configured for one run.
func perRun(a handlers.Attributes) handlers.Attributes {
	a.Queue = ""
	return a
}

// TestEachLevelBeatsTheOneBelow adds level after level, from the weakest to the strongest, and
// looks at what an attempt gets.
func TestEachLevelBeatsTheOneBelow(t *testing.T) {
	const all = 7
	for level, name := range []string{"default", "code of the set", "code of the kind", "stored set", "stored kind", "run, set", "run, kind", "task"} {
		t.Run(name, func(t *testing.T) {
			require.LessOrEqual(t, level, all)
			var code, opts handlers.Attributes
			var stored, run handlers.Configuration
			var task encode.Overrides
			for n := 1; n <= level; n++ {
				switch n {
				case 1:
					code = marked(n)
				case 2:
					opts = marked(n)
				case 3:
					stored.Set = marked(n)
				case 4:
					*stored.Kind("scan") = marked(n)
				case 5:
					run.Set = perRun(marked(n))
				case 6:
					*run.Kind("scan") = perRun(marked(n))
				case 7:
					task = encode.Overrides{MaxRetries: n, Timeout: time.Duration(n) * time.Minute}
				}
			}
			require.NoError(t, stored.Validate())
			require.NoError(t, run.ValidateForRun())
			var timeout time.Duration
			params := struct{ Level int }{}
			r := registry(t, handlers.SetConfig{Attributes: code}, func(ctx context.Context, a *handlers.Task[scanArgs]) error {
				deadline, _ := ctx.Deadline()
				timeout = time.Until(deadline)
				if err := a.DecodeParams(&params); err != nil {
					return err
				}
				return errBroken
			}, &handlers.KindOptions{Attributes: opts})
			live := handlers.NewLive(r)
			require.NoError(t, live.Configure("ingest", stored))
			inRun, err := live.ForRun("ingest", run)
			require.NoError(t, err)

			want, err := handlers.NewLive(registry(t, handlers.SetConfig{}, returning(nil), nil)).Attributes("ingest", "scan")
			require.NoError(t, err)
			want.Backoff = handlers.Exponential{First: time.Second, Factor: 2, Jitter: 0.2, Cap: 10 * time.Minute}
			if n := min(level, 6); n > 0 { // a task has no more than retries and timeout
				mine := marked(n)
				want.Queue, want.MaxRetries, want.Timeout, want.Backoff = mine.Queue, mine.MaxRetries, mine.Timeout, mine.Backoff
				want.MaxDeliveries, want.MaxSnoozes = mine.MaxDeliveries, mine.MaxSnoozes
				want.Params = json.RawMessage(`{"level":` + string(rune('0'+n)) + `}`)
				if n > 4 {
					want.Queue = marked(4).Queue
				}
			}
			got, err := inRun.Attributes("ingest", "scan")
			require.NoError(t, err)
			require.Equal(t, want, got)
			d, err := r.Describe("ingest")
			require.NoError(t, err)
			got, err = d.Effective("scan", run, stored)
			require.NoError(t, err)
			require.Equal(t, want, got, "an operator sees the same")

			retries := 0
			synctest.Test(t, func(t *testing.T) {
				cfg := execute.Config{Runtime: &runtime{}}
				for inRun.Execute(t.Context(), delivery("scan", store.Task{Retry: retries, Attributes: task.Encode()}), cfg).Verdict == verdicts.Retry {
					retries++
				}
			})
			if level == all {
				want.MaxRetries, want.Timeout = all, all*time.Minute
			}
			require.Equal(t, want.MaxRetries, retries)
			require.Equal(t, want.Timeout, timeout)
			require.Equal(t, min(level, 6), params.Level)
		})
	}
}

func TestAConfiguredValueComesBeforeAFunctionOfTheCode(t *testing.T) {
	r := registry(t, handlers.SetConfig{}, returning(errBroken), &handlers.KindOptions{Attributes: handlers.Attributes{
		MaxRetriesFor: func(*handlers.Attempt) int { return 9 },
		BackoffFor:    func(*handlers.Attempt) time.Duration { return time.Hour },
	}})
	live := handlers.NewLive(r)
	try := func(retry int) store.Outcome {
		return live.Execute(t.Context(), delivery("scan", store.Task{Retry: retry}), execute.Config{Runtime: &runtime{}})
	}
	require.Equal(t, time.Hour, try(8).Delay)
	var c handlers.Configuration
	c.Set.MaxRetries = 1
	c.Kind("scan").Backoff = handlers.Exponential{First: time.Second, Jitter: handlers.NoJitter}
	require.NoError(t, live.Configure("ingest", c))
	require.Equal(t, time.Second, try(0).Delay)
	require.Equal(t, verdicts.Fail, try(1).Verdict)
	require.NoError(t, live.Configure("ingest", handlers.Configuration{}))
	require.Equal(t, time.Hour, try(8).Delay, "the empty one leaves what is in code")
}

func TestARunFollowsLaterChangesOfItsSet(t *testing.T) {
	live := handlers.NewLive(registry(t, handlers.SetConfig{}, returning(nil), nil))
	var own handlers.Configuration
	own.Kind("scan").MaxRetries = 1
	run, err := live.ForRun("ingest", own)
	require.NoError(t, err)
	timeout := func(l *handlers.Live) time.Duration {
		a, err := l.Attributes("ingest", "scan")
		require.NoError(t, err)
		return a.Timeout
	}
	require.Equal(t, handlers.DefaultTimeout, timeout(run))
	var c handlers.Configuration
	c.Set.Timeout = time.Second
	require.NoError(t, live.Configure("ingest", c))
	require.Equal(t, time.Second, timeout(run))
	c.Set.Timeout = time.Hour
	require.Equal(t, time.Second, timeout(live), "what is in force is a copy")
	require.ErrorIs(t, live.Configure("other", c), store.ErrInvalid)
}

func TestHooksObeyWhatIsConfiguredOfTheirSet(t *testing.T) {
	var timeout time.Duration
	r := hookRegistry(t, func(ctx context.Context, _ *handlers.Run) error {
		deadline, _ := ctx.Deadline()
		timeout = time.Until(deadline)
		return errBroken
	})
	live := handlers.NewLive(r)
	var c handlers.Configuration
	c.Set.Timeout, c.Set.MaxRetries = time.Hour, handlers.NoRetries
	require.NoError(t, live.Configure("ingest", c))
	out := live.Execute(t.Context(), delivery(store.KindPostJob, store.Task{}), execute.Config{Runtime: &runtime{}})
	require.Equal(t, verdicts.HookDone, out.Verdict)
	require.Equal(t, "disk is full", out.Error)
	require.Greater(t, timeout, 59*time.Minute)
}

func TestWhatCannotBeConfiguredIsReportedByField(t *testing.T) {
	var c handlers.Configuration
	c.Set = handlers.Attributes{Timeout: -5, TimeoutFor: func(*handlers.Attempt) time.Duration { return 1 }, Weight: 2, Queue: "q"}
	*c.Kind("scan") = handlers.Attributes{
		Weight: 2, MaxRunning: 1, MaxRunningPerJob: 1, Rate: handlers.Rate{Events: 1}, MaxRetriesFor: func(*handlers.Attempt) int { return 1 },
	}
	c.Kind("a/b")
	err := c.Validate()
	require.ErrorIs(t, err, store.ErrInvalid)
	for _, problem := range []string{
		"Set.Timeout is negative", "Set.TimeoutFor is a function", "Set.TimeoutFor cannot be set together with Timeout",
		`Kinds["scan"].MaxRetriesFor is a function`, `Kinds["scan"].Weight is an attribute of sets`, `Kinds["a/b"] may hold only`,
	} {
		require.ErrorContains(t, err, problem)
	}
	require.NotContains(t, err.Error(), "for one run")
	err = c.ValidateForRun()
	for _, problem := range []string{
		"Set.Timeout is negative", "Set.Queue cannot be configured for one run", "Set.Weight cannot", `Kinds["scan"].MaxRunning cannot`,
		`Kinds["scan"].MaxRunningPerJob cannot`, `Kinds["scan"].Rate cannot`,
	} {
		require.ErrorContains(t, err, problem)
	}
	c = handlers.Configuration{}
	for _, kind := range []string{"a", "b", "c", "d", "e"} {
		c.Kind(kind).Params = strings.Repeat("p", 64<<10-2)
	}
	require.NoError(t, c.Validate())
	_, err = c.Encode()
	require.ErrorContains(t, err, "Configuration takes")
}

func TestAConfigurationSurvivesItsStoredForm(t *testing.T) {
	var c handlers.Configuration
	c.Set = marked(3)
	c.Set.Params = json.RawMessage(`null`)
	c.Set.Weight, c.Set.MaxRunning, c.Set.Rate = 2.5, handlers.NoLimit, handlers.Rate{Events: 5, Per: time.Minute, Burst: 1}
	c.Kind("scan").Params = map[string]any{"big": int64(1<<53 + 1)}
	c.Kind("untouched")
	b, err := c.Encode()
	require.NoError(t, err)
	require.NotContains(t, string(b), "untouched")
	got, err := handlers.DecodeConfiguration(b)
	require.NoError(t, err)
	require.Equal(t, `{"big":9007199254740993}`, string(got.Kinds["scan"].Params.(json.RawMessage)), "no digit is lost")
	delete(c.Kinds, "untouched")
	c.Kind("scan").Params = got.Kinds["scan"].Params
	require.Equal(t, c, got)

	again, err := got.Encode()
	require.NoError(t, err)
	require.Equal(t, string(b), string(again))
	empty, err := handlers.DecodeConfiguration(nil)
	require.NoError(t, err)
	require.Equal(t, handlers.Configuration{}, empty)
	newer, err := handlers.DecodeConfiguration([]byte(`{"v":1,"set":{"timeout":5,"colour":"red"},"moon":{}}`))
	require.NoError(t, err, "fields of a newer version are ignored")
	require.Equal(t, time.Duration(5), newer.Set.Timeout)
	for _, damaged := range []string{``, `{`, `{}`, `{"v":2}`, `{"v":1,"set":{"timeout":"x"}}`, `{"v":1,"set":{"timeout":-7}}`, `{"v":1,"kinds":{"a/b":{}}}`} {
		_, err = handlers.DecodeConfiguration([]byte(damaged))
		require.ErrorIs(t, err, store.ErrCorrupt, damaged)
	}
}

func TestARegistryTellsWhatItsSetsAre(t *testing.T) {
	set := handlers.NewSet("ingest", handlers.SetConfig{
		Attributes: handlers.Attributes{Timeout: time.Minute, MaxRetriesFor: func(*handlers.Attempt) int { return 1 }},
		Hooks: handlers.Hooks{
			PreJob: func(context.Context, *handlers.Run) error { return nil },
			Events: map[string]handlers.EventHooks{"file.create": {}},
		},
		RunsInReadOnly: true,
	})
	handlers.NewCounter(set, "bytes")
	handlers.NewMap[any](set, "seen", &handlers.ValueOptions{OfJob: true})
	handlers.NewList[any](set, "lines", &handlers.ValueOptions{Cap: 10})
	handlers.NewList[any](set, "lines", &handlers.ValueOptions{Cap: 10}) // where it is used, too
	handlers.HandleRaw(set, "scan", raw, &handlers.KindOptions{Aliases: []string{"walk"}, Attributes: handlers.Attributes{Queue: "path"}})
	handlers.HandleRaw(set, "file", raw, nil)
	r, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	d, err := r.Describe("ingest")
	require.NoError(t, err)
	require.Equal(t, handlers.SetDescription{
		Name: "ingest", Attributes: handlers.Attributes{Timeout: time.Minute}, Functions: []string{"MaxRetriesFor"},
		Kinds: []handlers.KindDescription{
			{Name: "file"},
			{Name: "scan", Aliases: []string{"walk"}, Attributes: handlers.Attributes{Queue: "path"}},
		},
		PreJob: true, Events: []string{"file.create"}, Counters: []string{"bytes"}, RunsInReadOnly: true,
		Values: []handlers.ValueDescription{
			{Name: "lines", Type: store.ValueList, Cap: 10},
			{Name: "seen", Type: store.ValueMap, OfJob: true},
		},
	}, d)
	require.True(t, r.RunsInReadOnly("ingest"))
	require.False(t, r.RunsInReadOnly("other"))
	b, err := json.Marshal(d)
	require.NoError(t, err)
	var read handlers.SetDescription
	require.NoError(t, json.Unmarshal(b, &read))
	require.Equal(t, d, read, "it passes through JSON")
	walk, err := read.Effective("walk")
	require.NoError(t, err)
	require.Equal(t, "path", walk.Queue)
	_, err = read.Effective("other")
	require.ErrorIs(t, err, store.ErrInvalid)
	_, err = r.Describe("other")
	require.ErrorIs(t, err, store.ErrInvalid)
}

func TestAnExplicitZeroInJSONIsRefusedByName(t *testing.T) {
	for document, field := range map[string]string{
		`{"set":{"max_running":0}}`:                          "Set.MaxRunning",
		`{"set":{"Max_Running":-0}}`:                         "Set.MaxRunning",
		`{"set":{"max_running_per_job":0}}`:                  "Set.MaxRunningPerJob",
		`{"set":{"max_retries":0}}`:                          "Set.MaxRetries",
		`{"set":{"timeout":0}}`:                              "Set.Timeout",
		`{"set":{"weight":1e-400}}`:                          "Set.Weight",
		`{"set":{"queue":""}}`:                               "Set.Queue",
		`{"kinds":{"a":{"rate":{"events":0}}}}`:              `Kinds["a"].Rate.Events`,
		`{"kinds":{"a":{"rate":{"events":1,"per":0}}}}`:      `Kinds["a"].Rate.Per`,
		`{"kinds":{"a":{"rate":{"events":1,"burst":0}}}}`:    `Kinds["a"].Rate.Burst`,
		`{"kinds":{"a":{"max_deliveries":0}}}`:               `Kinds["a"].MaxDeliveries`,
		`{"kinds":{"a":{"max_snoozes":0}}}`:                  `Kinds["a"].MaxSnoozes`,
		`{"kinds":{"a":{"backoff":{"first":0}}}}`:            `Kinds["a"].Backoff.First`,
		`{"kinds":{"a":{"backoff":{"factor":0}}}}`:           `Kinds["a"].Backoff.Factor`,
		`{"kinds":{"a":{"backoff":{"jitter":0,"first":1}}}}`: `Kinds["a"].Backoff.Jitter`,
		`{"kinds":{"a":{"backoff":{"cap":0}}}}`:              `Kinds["a"].Backoff.Cap`,
	} {
		var c handlers.Configuration
		err := json.Unmarshal([]byte(document), &c)
		var bad *store.FieldError
		require.ErrorAs(t, err, &bad, document)
		require.Equal(t, field, bad.Field, document)
	}
}

func TestEveryAttributeIsStoredAndInForce(t *testing.T) {
	attrs := handlers.Attributes{Params: json.RawMessage(`7`)}
	var fill func(v reflect.Value, path string)
	fill = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.String:
			v.SetString("x")
		case reflect.Int:
			v.SetInt(7)
		case reflect.Int64:
			v.SetInt(int64(time.Minute))
		case reflect.Float64:
			v.SetFloat(0.5)
			if path == "Backoff.Factor" {
				v.SetFloat(3)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i), strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."))
			}
		case reflect.Func: // code alone has functions
		case reflect.Interface:
			require.Contains(t, []string{"Params", "script"}, path)
		default:
			t.Fatalf("no value for %s", path)
		}
	}
	fill(reflect.ValueOf(&attrs).Elem(), "")
	ofKind := attrs
	ofKind.Weight, ofKind.Script = 0, "" // the set's alone
	c := handlers.Configuration{Set: attrs}
	*c.Kind("scan") = ofKind
	require.NoError(t, c.Validate())
	b, err := c.Encode()
	require.NoError(t, err)
	read, err := handlers.DecodeConfiguration(b)
	require.NoError(t, err)
	require.Equal(t, c, read, "what is stored is what was written")
	live := handlers.NewLive(registry(t, handlers.SetConfig{Scripting: silent{}}, returning(nil), nil))
	require.NoError(t, live.Configure("ingest", read))
	ofKind.Weight, ofKind.Script = 1, "x"
	for kind, want := range map[string]handlers.Attributes{"": attrs, "scan": ofKind} {
		inForce, err := live.Attributes("ingest", kind)
		require.NoError(t, err)
		require.Equal(t, want, inForce, "and it is in force for %q", kind)
	}
}
