package script_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/handlerstest"
	"github.com/rollcall-go/rollcall/handlers/script"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type file struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
}

func (file) Kind() string { return "file" }

type other struct{}

func (other) Kind() string { return "other.kind" }

var options = &script.Options{
	Events:    []string{"file.create", "file.modify"},
	Functions: []string{"include", "target_path", "ask"},
	Counters:  []string{"seen"},
}

// newSet has a handler in code for files, and none for the other kind.
func newSet(t testing.TB, cfg handlers.SetConfig, handler func(context.Context, *handlers.Task[file]) error) *handlers.Set {
	t.Helper()
	set, err := script.NewSet("ingest", cfg, options)
	require.NoError(t, err)
	handlers.Handle(set, handler, nil)
	script.Handle(set, "other.kind", nil)
	return set
}

func source(s string) handlers.Configuration {
	return handlers.Configuration{Set: handlers.Attributes{Script: s}}
}

func done(context.Context, *handlers.Task[file]) error { return nil }

func failing(context.Context, *handlers.Task[file]) error { return errors.New("broken") }

func do(t testing.TB, handler func(context.Context, *handlers.Task[file]) error, src string) *handlerstest.Result {
	t.Helper()
	set := newSet(t, handlers.SetConfig{}, handler)
	return handlerstest.Do(t, set, file{"/a", 5}, &handlerstest.Options{Configuration: source(src)})
}

func TestAttributesAreFunctionsOfTheTask(t *testing.T) {
	src := `
def max_retries(task): return 7 if task.args["size"] > 3 else 0
def timeout(task): return 90.5 if task.kind == "file" and task.retry == 0 else None
def delay(task, retry): return retry * 10 + task.args["size"]
`
	var left time.Duration
	res := do(t, func(ctx context.Context, _ *handlers.Task[file]) error {
		at, _ := ctx.Deadline()
		left = time.Until(at)
		return errors.New("broken")
	}, src)
	require.Equal(t, verdicts.Retry, res.Outcome.Verdict)
	require.Equal(t, 15*time.Second, res.Outcome.Delay)
	require.InDelta(t, 90.5, left.Seconds(), 20)
	for body, want := range map[string]verdicts.Verdict{
		"return 0": verdicts.Fail, "return 1": verdicts.Retry, "return None": verdicts.Retry,
	} {
		require.Equal(t, want, do(t, failing, "def max_retries(task): "+body).Outcome.Verdict, body)
	}
	require.Zero(t, do(t, failing, "def delay(task, retry): return 0").Outcome.Delay)
}

func TestAnAttributeThatCannotBeComputedIsLoggedAndInherited(t *testing.T) {
	for body, why := range map[string]string{
		`return "x"`:                         "string is not a number of retries",
		"return -1":                          "-1 is not a number of retries",
		"return 1 << 40":                     "is not a number of retries",
		"return 1 // 0":                      "floored division by zero (at 1:33 in max_retries)",
		"return task.args['none']":           `key \"none\" not in dict`,
		"return counter('seen')":             "can only be called while the handler of a task runs",
		"return [0 for _ in range(1 << 50)]": "too many steps",
		"return permanent('no')":             "no",
	} {
		var log bytes.Buffer
		set := newSet(t, handlers.SetConfig{}, failing)
		res := handlerstest.Do(t, set, file{}, &handlerstest.Options{
			Configuration: source("def max_retries(task): " + body), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		require.Equal(t, verdicts.Retry, res.Outcome.Verdict, body)
		require.Contains(t, log.String(), `msg="script failed; the attribute is inherited"`)
		require.Contains(t, log.String(), why)
	}
	for body, why := range map[string]string{
		"return 1e300": "is not a number of seconds", "return float('nan')": "is not a number", "return True": "True is not a number",
	} {
		var log bytes.Buffer
		set := newSet(t, handlers.SetConfig{}, done)
		res := handlerstest.Do(t, set, file{}, &handlerstest.Options{
			Configuration: source("def timeout(task): " + body), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		require.NoError(t, res.Err)
		require.Contains(t, log.String(), why)
	}
}

// Both sides write what they do into one list.
func TestHooksInCodeStandAroundThoseOfTheScript(t *testing.T) {
	var order []string
	note := func(s string) func(context.Context, handlers.Event) error {
		return func(context.Context, handlers.Event) error { order = append(order, s); return nil }
	}
	cfg := handlers.SetConfig{Hooks: handlers.Hooks{Events: map[string]handlers.EventHooks{
		"file.create": {Before: note("code before"), After: note("code after")},
	}}}
	set := newSet(t, cfg, func(ctx context.Context, a *handlers.Task[file]) error {
		ctx = script.WithData(ctx, map[string]any{"path": "/b\xff", "n": 3})
		return a.Event(ctx, "file.create", func(context.Context) error { order = append(order, "event"); return nil })
	})
	var log bytes.Buffer
	res := handlerstest.Do(t, set, file{Path: "/a"}, &handlerstest.Options{
		Configuration: source(`
def pre_file_create(event):
  log("before", path = event.data["path"], name = event.name)
  counter("seen", event.data["n"])
  enqueue("file", {"path": event.data["path"][:2]}, id = "child", delay = 1.5)
def post_file_create(event): log("after " + event.task.args["path"], level = "warn")
`),
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, res.Err)
	require.Equal(t, []string{"code before", "event", "code after"}, order)
	require.Contains(t, log.String(), `level=INFO msg=script job=test run=1`)
	require.Contains(t, log.String(), `text=before path="/b\xff" name=file.create`)
	require.Contains(t, log.String(), `level=WARN msg=script`)
	require.Contains(t, log.String(), `text="after /a"`)
	require.Equal(t, map[string]int64{"seen": 3}, res.Counters)
	require.Len(t, res.Children, 1)
	require.Equal(t, "child", res.Children[0].Task.ID)
	require.JSONEq(t, `{"path":"/b"}`, string(res.Children[0].Task.Payload))
	require.Equal(t, 1500*time.Millisecond, res.Children[0].Delay)
}

func TestAHookThatFailsSkipsTheEvent(t *testing.T) {
	ran := false
	res := do(t, func(ctx context.Context, a *handlers.Task[file]) error {
		return a.Event(ctx, "file.create", func(context.Context) error { ran = true; return nil })
	}, "def _check(x):\n  fail('not', x)\ndef pre_file_create(event):\n  _check(event.task.id)\n")
	var e *script.Error
	require.ErrorAs(t, res.Err, &e)
	require.Equal(t, "pre_file_create", e.Function)
	require.Equal(t, []script.Frame{{"pre_file_create", 4, 9}, {"_check", 2, 7}}, e.Traceback)
	require.Regexp(t, `^script: pre_file_create: fail: not \S+ \(at 2:7 in _check < 4:9 in pre_file_create\)$`, e.Error())
	require.Equal(t, e.Error(), res.Outcome.Error)
	require.False(t, ran)
}

func TestAScriptHandlesAKind(t *testing.T) {
	src := `
def handle_file(task):
  counter("seen", n = 2)
  for i in range(3):
    enqueue("other.kind", args = {"i": i, "from": task.args["path"], "big": 1 << 70})
  got = event("file.modify", lambda: task.retry + 1)
  if got != 1 or params() != {}: fail("got", got)

def handle_other_kind(task): snooze(2.5)
`
	handlerInCode := func(context.Context, *handlers.Task[file]) error { return errors.New("called the code") }
	res := do(t, handlerInCode, src)
	require.NoError(t, res.Err)
	require.Equal(t, map[string]int64{"seen": 2}, res.Counters)
	require.Equal(t, []handlerstest.Event{{Name: "file.modify"}}, res.Events)
	require.Len(t, res.Children, 3)
	require.JSONEq(t, `{"i":2,"from":"/a","big":1180591620717411303424}`, string(res.Children[2].Task.Payload))
	set := newSet(t, handlers.SetConfig{}, done)
	other1 := handlerstest.Do(t, set, other{}, &handlerstest.Options{Configuration: source(src)})
	require.Equal(t, verdicts.Snooze, other1.Outcome.Verdict)
	require.Equal(t, 2500*time.Millisecond, other1.Outcome.Delay)
	require.EqualError(t, handlerstest.Do(t, set, other{}, nil).Err, "script: no script has a handler for this kind")
}

func TestAScriptDecidesAsAHandlerDoes(t *testing.T) {
	for body, want := range map[string]verdicts.Verdict{
		"permanent('no')":               verdicts.Fail,
		"retry_after(3, 'later')":       verdicts.Retry,
		"snooze(1)":                     verdicts.Snooze,
		"cancel_job('enough')":          verdicts.StopRun,
		"skip_run('no')":                verdicts.Fail,
		"fail('x')":                     verdicts.Retry,
		"pass":                          verdicts.Success,
		"return 7":                      verdicts.Success,
		"enqueue('none')":               verdicts.Retry,
		"enqueue('file', id = '')":      verdicts.Success,
		"enqueue('file', delay = -1)":   verdicts.Retry,
		"enqueue('file', {1: 2})":       verdicts.Retry,
		"enqueue('file', [log])":        verdicts.Retry,
		"counter('none')":               verdicts.Retry,
		"counter('seen', 1 << 70)":      verdicts.Retry,
		"log(1)":                        verdicts.Retry,
		"log('a', level = 'x')":         verdicts.Retry,
		"log('a', task = task)":         verdicts.Retry,
		"event('file.create', 5)":       verdicts.Retry,
		"event('x', lambda: fail())":    verdicts.Retry,
		"event('x', lambda: snooze(1))": verdicts.Snooze,
		"snooze('x')":                   verdicts.Retry,
		"permanent(1, 2)":               verdicts.Retry,
		"params(1)":                     verdicts.Retry,
		"task.id = 5":                   0,
		"x = task.nothing":              0,
		"x = task.status":               verdicts.Retry,
		"x = {task: 1}":                 verdicts.Retry,
	} {
		if want == 0 {
			set := newSet(t, handlers.SetConfig{}, done)
			r, err := handlers.NewRegistry(set)
			require.NoError(t, err)
			require.Error(t, r.CheckConfiguration("ingest", source("def handle_file(task): "+body)), body)
			continue
		}
		res := do(t, done, "def handle_file(task): "+body)
		require.Equal(t, want, res.Outcome.Verdict, "%s: %v", body, res.Err)
	}
}

func TestAFilterMayBeMissing(t *testing.T) {
	ask := func(src string) (keep bool, target string, err error) {
		res := do(t, func(ctx context.Context, _ *handlers.Task[file]) error {
			if keep, err = script.Call(ctx, "include", true, "/x/b\xff.tmp"); err == nil {
				target, err = script.Call(ctx, "target_path", "/same", "/x/b\xff.tmp")
			}
			return nil
		}, src)
		require.NoError(t, res.Err)
		return keep, target, err
	}
	keep, target, err := ask("")
	require.NoError(t, err)
	require.True(t, keep)
	require.Equal(t, "/same", target)
	keep, target, err = ask(`
def include(path): return not path.endswith(".tmp")
def target_path(path): return path.replace("/x/", "/y/", 1)
`)
	require.NoError(t, err)
	require.False(t, keep)
	require.Equal(t, "/y/b\xff.tmp", target, "names keep their bytes")
	_, target, err = ask("def target_path(path): pass")
	require.NoError(t, err)
	require.Equal(t, "/same", target)
	keep, _, err = ask("def include(path): return 'no'")
	require.EqualError(t, err, "script: include: returned string, not bool")
	require.True(t, keep)
}

func TestCallConvertsResults(t *testing.T) {
	asks := func(src string, fn func(ctx context.Context)) {
		res := do(t, func(ctx context.Context, _ *handlers.Task[file]) error { fn(ctx); return nil }, src)
		require.NoError(t, res.Err)
	}
	echo := "def ask(x): return x"
	asks(echo, func(ctx context.Context) {
		n, err := script.Call(ctx, "ask", 0, 1<<40)
		require.NoError(t, err)
		require.Equal(t, 1<<40, n)
		_, err = script.Call(ctx, "ask", int8(0), 1<<40)
		require.EqualError(t, err, "script: ask: returned 1099511627776, not int8")
		f, err := script.Call(ctx, "ask", 0.0, 2.5)
		require.NoError(t, err)
		require.InDelta(t, 2.5, f, 0)
		list, err := script.Call(ctx, "ask", []string(nil), []string{"a", "b"})
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, list)
		all, err := script.Call(ctx, "ask", any(nil), map[string]any{"a": []any{1, nil, true, "x\xff", json.Number("1e3")}})
		require.NoError(t, err)
		require.Equal(t, map[string]any{"a": []any{int64(1), nil, true, "x\xff", 1000.0}}, all)
		of, err := script.Call(ctx, "ask", file{}, file{"/p", 1<<53 + 1})
		require.NoError(t, err)
		require.Equal(t, file{"/p", 1<<53 + 1}, of)
		_, err = script.Call(ctx, "ask", 0, func() {})
		require.ErrorContains(t, err, "Args[0] cannot be encoded")
		_, err = script.Call(ctx, "none", 0)
		require.ErrorContains(t, err, `Name "none" is not one of Options.Functions`)
		_, err = script.Call(ctx, "ask", any(nil), json.RawMessage(strings.Repeat("9", 2000)))
		require.ErrorContains(t, err, "too many digits")
		_, err = script.Call(ctx, "ask", 0)
		require.ErrorContains(t, err, "script: ask: function ask missing 1 argument (x)")
	})
	for body, why := range map[string]string{
		"x = []\n  x.append(x)\n  return x":                   "nested too deep",
		"x = 0\n  for _ in range(40): x = [x, x]\n  return x": "too many steps",
		"return {1: 2}":         "a key is 1, not a string",
		"return len":            "cannot be encoded",
		"return range(1 << 40)": "too many steps",
	} {
		asks("def ask():\n  "+body, func(ctx context.Context) {
			_, err := script.Call(ctx, "ask", any(nil))
			require.ErrorContains(t, err, why, body)
		})
	}
	_, err := script.Call(t.Context(), "ask", 0)
	require.ErrorIs(t, err, store.ErrInvalid)
}

func TestAFunctionThatNobodyCallsIsRefused(t *testing.T) {
	set := newSet(t, handlers.SetConfig{}, done)
	r, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	check := func(src string) error { return r.CheckConfiguration("ingest", source(src)) }
	require.NoError(t, check(""))
	require.NoError(t, check("# nothing\n"))
	require.NoError(t, check(`
LIMIT = 5 * 1024
def _own(): return LIMIT
def pre_job(run): pass
def post_job(run, more = 1): pass
def pre_file_create(*all): pass
def handle_other_kind(task, **more): _own()
def include(a, b, c): return True
`))
	for src, why := range map[string]string{
		"\ndef pre_jbo(run): pass":       "Set.Script does not compile: 2:1: pre_jbo is never called; the set calls ask, delay, handle_file,",
		"def pre_job(): pass":            "1:1: pre_job is called with 1 arguments",
		"def delay(task): pass":          "1:1: delay is called with 2 arguments",
		"def timeout(a, b, *, c): pass":  "1:1: timeout is called with 1 arguments",
		"def handle_none(task): pass":    "1:1: handle_none is never called",
		"x = \n":                         "1:5: got newline, want primary expression",
		"x = counter('seen')":            "counter cannot be called at the top level (at 1:12 in <toplevel>)",
		"x = [0] * (1 << 40)":            "too many steps",
		"def pre_job(run): return run.x": "1:30: no value has a field or method x",
	} {
		require.ErrorContains(t, check(src), why, src)
	}
}

func TestOptionsThatAreNotValid(t *testing.T) {
	for want, o := range map[string]script.Options{
		"Options.Events[0] is empty":                            {Events: []string{""}},
		"Options.Events has two events with the hook pre_a_b":   {Events: []string{"a.b", "a-b"}},
		"Options.Events has two events with the hook pre_job":   {Events: []string{"job"}},
		`Options.Functions[0] "1a" is not a name of a function`: {Functions: []string{"1a"}},
		`Options.Functions[0] "_a" is not a name of a function`: {Functions: []string{"_a"}},
		`Options.Functions[0] repeats "delay"`:                  {Functions: []string{"delay"}},
		`Options.Functions[1] repeats "a"`:                      {Functions: []string{"a", "a"}},
		"Options.Steps is negative":                             {Steps: -1},
		"Options.Timeout is negative":                           {Timeout: -1},
	} {
		_, err := script.NewSet("a", handlers.SetConfig{}, &o)
		require.ErrorIs(t, err, store.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	_, err := script.NewSet("a", handlers.SetConfig{Scripting: newLanguage(t)}, nil)
	require.ErrorContains(t, err, "Scripting is set already")
	set, err := script.NewSet("a", handlers.SetConfig{Attributes: handlers.Attributes{Script: "x = "}}, nil)
	require.NoError(t, err)
	_, err = handlers.NewRegistry(set)
	require.ErrorContains(t, err, "Sets[0].Attributes.Script does not compile: 1:5")
}

type noLanguage struct{ handlers.Scripting }

func newLanguage(*testing.T) handlers.Scripting { return noLanguage{} }

func TestLimitsAreThoseOfTheSet(t *testing.T) {
	set, err := script.NewSet("a", handlers.SetConfig{}, &script.Options{Steps: 1000, Timeout: time.Hour})
	require.NoError(t, err)
	handlers.Handle(set, done, nil)
	run := func(src string) error {
		return handlerstest.Do(t, set, file{}, &handlerstest.Options{Configuration: source(src)}).Err
	}
	require.NoError(t, run("def handle_file(task):\n  for i in range(50): pass"))
	require.ErrorIs(t, run("def handle_file(task):\n  for i in range(5000): pass"), script.ErrSteps)
	short, err := script.NewSet("a", handlers.SetConfig{}, &script.Options{Steps: 1 << 40, Timeout: 1})
	require.NoError(t, err)
	handlers.Handle(short, done, nil)
	res := handlerstest.Do(t, short, file{}, &handlerstest.Options{
		Configuration: source("def handle_file(task):\n  for i in range(1 << 40): pass"),
	})
	require.ErrorIs(t, res.Err, script.ErrTime)
	ctx, cancel := context.WithCancelCause(t.Context())
	long, err := script.NewSet("a", handlers.SetConfig{}, &script.Options{Steps: 1 << 40, Timeout: time.Hour, Functions: []string{"ask"}})
	require.NoError(t, err)
	handlers.Handle(long, func(ctx context.Context, _ *handlers.Task[file]) error {
		cancel(store.ErrJobStopped)
		_, err := script.Call(ctx, "ask", 0)
		return err
	}, nil)
	res = handlerstest.Do(t, long, file{}, &handlerstest.Options{
		Context: ctx, Configuration: source("def ask():\n  for i in range(1 << 40): pass"),
	})
	require.ErrorIs(t, res.Err, store.ErrJobStopped)
	require.Equal(t, verdicts.Cancel, res.Outcome.Verdict)
}
