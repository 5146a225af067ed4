package dashboard_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// acts has a scene for each action: it returns the fields of the form, and what must hold after it.
var acts = map[string]func(p *place) (form []string, done func()){
	"pause-run": func(p *place) ([]string, func()) {
		r := p.Started("a", leaf{})
		return of(r), func() { require.True(p.t, p.state(r).Paused) }
	},
	"resume-run": func(p *place) ([]string, func()) {
		r := p.Started("a", leaf{})
		require.NoError(p.t, r.Pause(p.t.Context()))
		return of(r), func() { require.False(p.t, p.state(r).Paused) }
	},
	"stop-run": func(p *place) ([]string, func()) {
		r := p.Started("a", leaf{})
		return of(r), func() {
			s := p.state(r)
			require.Equal(p.t, states.Stopped, s.Status)
			require.Equal(p.t, "because", s.Reason)
		}
	},
	"stop-run-gracefully": func(p *place) ([]string, func()) {
		r := p.Started("a", leaf{})
		return of(r), func() { require.Equal(p.t, states.Stopped, p.state(r).Status) }
	},
	"seal-run": func(p *place) ([]string, func()) {
		r := p.Started("a")
		return of(r), func() { require.True(p.t, p.state(r).Status.Final()) }
	},
	"redrive-run": func(p *place) ([]string, func()) {
		p.Work()
		r := p.Ended(p.Started("a", leaf{Fail: "no"}))
		return of(r), func() {
			latest, err := p.M.Latest(p.t.Context(), "a")
			require.NoError(p.t, err)
			require.Equal(p.t, r.Number(), p.state(latest).RedriveOf)
		}
	},
	"retry-failures": func(p *place) ([]string, func()) {
		r := p.failed("a")
		return append(of(r), "kind", "leaf"), func() {
			p.Eventually("it has failed again", func() bool { return p.state(r).Counts.Failed == 1 })
		}
	},
	"discard-failures": func(p *place) ([]string, func()) {
		r := p.failed("a")
		return of(r), func() { require.EqualValues(p.t, 1, p.state(r).Counts.Cancelled) }
	},
	"accept-failures": func(p *place) ([]string, func()) {
		r := p.GaveUp("a")
		return of(r), func() { require.Equal(p.t, states.Succeeded, p.state(r).Status) }
	},
	"repeat-post-job": func(p *place) ([]string, func()) {
		r := p.GaveUp("a")
		return of(r), func() { require.Empty(p.t, p.state(r).HookErr) }
	},
	"delete-run": func(p *place) ([]string, func()) {
		p.Work()
		r := p.Ended(p.Started("a", leaf{}))
		return of(r), func() {
			_, err := r.State(p.t.Context())
			require.ErrorIs(p.t, err, syncjob.ErrRunNotFound)
		}
	},
	"cancel-task": func(p *place) ([]string, func()) {
		r := p.Started("a", leaf{})
		return append(of(r), "task", p.later(r)), func() { require.EqualValues(p.t, 1, p.state(r).Counts.Cancelled) }
	},
	"run-task-now": func(p *place) ([]string, func()) {
		r := p.Started("a")
		id := p.later(r)
		return append(of(r), "task", id), func() {
			s, err := r.Task(id).State(p.t.Context())
			require.NoError(p.t, err)
			require.WithinDuration(p.t, time.Now(), s.NextAttempt, time.Minute)
		}
	},
	"reschedule-task": func(p *place) ([]string, func()) {
		r := p.Started("a")
		id := p.later(r)
		return append(of(r), "task", id, "at", "2099-01-31T08:00:00Z"), func() {
			s, err := r.Task(id).State(p.t.Context())
			require.NoError(p.t, err)
			require.Equal(p.t, 2099, s.NextAttempt.UTC().Year())
		}
	},
	"release-hold": func(p *place) ([]string, func()) {
		r := p.Started("a")
		return append(of(r), "hold", "producer"), func() { require.EqualValues(p.t, 1, p.state(r).Holds) }
	},
	"quiet-worker": func(p *place) ([]string, func()) {
		p.Work()
		p.published()
		return []string{"worker", "w1"}, func() { require.Equal(p.t, states.WorkerQuiet, p.worker()) }
	},
	"resume-worker": func(p *place) ([]string, func()) {
		p.Work()
		p.published()
		require.NoError(p.t, p.M.Worker("w1").Quiet(p.t.Context()))
		return []string{"worker", "w1"}, func() { require.Equal(p.t, states.WorkerActive, p.worker()) }
	},
	"drain-worker": func(p *place) ([]string, func()) {
		w, err := p.M.NewWorker(syncjob.WorkerConfig{Name: "w1", Grace: syncjob.NoGrace})
		require.NoError(p.t, err)
		ran := make(chan error, 1)
		go func() { ran <- w.Run(p.t.Context()) }()
		p.published()
		return []string{"worker", "w1"}, func() { require.ErrorIs(p.t, <-ran, syncjob.ErrDrained) }
	},
	"release-semaphores": func(p *place) ([]string, func()) {
		p.held("lock/a")
		return []string{"prefix", "lock/"}, func() {
			list, err := semaphore.New(p.M.Store()).Holders(p.t.Context(), "lock/a")
			require.NoError(p.t, err)
			require.Empty(p.t, list)
		}
	},
	"stop-job": func(p *place) ([]string, func()) {
		r := p.Started("a", leaf{})
		return []string{"job", "a"}, func() { require.Equal(p.t, states.Stopped, p.state(r).Status) }
	},
	"enable-job": func(p *place) ([]string, func()) {
		p.declared("a")
		require.NoError(p.t, p.M.Stop(p.t.Context(), "a", nil))
		return []string{"job", "a"}, func() {
			s, err := p.M.State(p.t.Context(), "a")
			require.NoError(p.t, err)
			require.False(p.t, s.Disabled)
		}
	},
	"trigger-job": func(p *place) ([]string, func()) {
		p.declared("a")
		return []string{"job", "a"}, func() {
			s, err := p.M.State(p.t.Context(), "a")
			require.NoError(p.t, err)
			require.NotNil(p.t, s.Run)
		}
	},
	"delete-job": func(p *place) ([]string, func()) {
		p.declared("a")
		return []string{"job", "a"}, func() {
			_, err := p.M.State(p.t.Context(), "a")
			require.ErrorIs(p.t, err, syncjob.ErrJobNotFound)
		}
	},
	"pause": func(p *place) ([]string, func()) {
		return []string{"scope-queue", "slow"}, func() {
			list, err := p.M.Pauses(p.t.Context())
			require.NoError(p.t, err)
			require.Len(p.t, list, 1)
			require.Equal(p.t, syncjob.Scope{Queue: "slow"}, list[0].Scope)
			require.Equal(p.t, "because", list[0].Reason)
			require.Equal(p.t, "ann", list[0].By)
		}
	},
	"resume": func(p *place) ([]string, func()) {
		require.NoError(p.t, p.M.Pause(p.t.Context(), syncjob.Scope{Set: "tree"}, ""))
		return []string{"scope-set", "tree"}, func() {
			list, err := p.M.Pauses(p.t.Context())
			require.NoError(p.t, err)
			require.Empty(p.t, list)
		}
	},
	"read-only": func(p *place) ([]string, func()) {
		return nil, func() { require.Equal(p.t, syncjob.ModeReadOnly, p.mode()) }
	},
	"read-write": func(p *place) ([]string, func()) {
		require.NoError(p.t, p.M.SetMode(p.t.Context(), syncjob.ModeReadOnly))
		return nil, func() { require.Equal(p.t, syncjob.ModeReadWrite, p.mode()) }
	},
	"configure": func(p *place) ([]string, func()) {
		p.Work()
		p.published()
		return []string{"set", "tree", "document", `{"set":{"max_retries":9}}`, "version", "0"}, func() {
			c, err := p.M.Configuration(p.t.Context(), "tree", nil)
			require.NoError(p.t, err)
			require.Equal(p.t, 9, c.Configuration.Set.MaxRetries)
			history, err := p.M.History(p.t.Context(), "tree", nil)
			require.NoError(p.t, err)
			require.Equal(p.t, "ann", history[0].By)
			require.Equal(p.t, "because", history[0].Reason)
		}
	},
	"reset-configuration": func(p *place) ([]string, func()) {
		p.Work()
		p.published()
		_, err := p.M.Configure(
			p.t.Context(),
			"tree",
			nil,
			func(c *handlers.Configuration) error { c.Set.MaxRetries = 5; return nil },
		)
		require.NoError(p.t, err)
		return []string{"set", "tree"}, func() {
			c, err := p.M.Configuration(p.t.Context(), "tree", nil)
			require.NoError(p.t, err)
			require.Zero(p.t, c.Configuration.Set.MaxRetries)
		}
	},
}

func of(r *syncjob.Run) []string {
	return []string{"job", r.Job(), "run", strconv.FormatInt(r.Number(), 10)}
}

func (p *place) state(r *syncjob.Run) states.Run {
	p.t.Helper()
	s, err := r.State(p.t.Context())
	require.NoError(p.t, err)
	return s
}

// held takes a semaphore.
func (p *place) held(key string) {
	p.t.Helper()
	_, err := semaphore.New(p.M.Store()).TryAcquire(p.t.Context(), key, &semaphore.Options{Holder: "me <b>"})
	require.NoError(p.t, err)
}

// later adds a task with a delay, and returns its ID.
func (p *place) later(r *syncjob.Run) string {
	p.t.Helper()
	receipt, err := r.Enqueue(p.t.Context(), leaf{}, &enqueue.Options{Delay: time.Hour})
	require.NoError(p.t, err)
	return receipt.ID
}

// failed starts an open run with a failed task.
func (p *place) failed(job string) *syncjob.Run {
	p.t.Helper()
	p.Work()
	r := p.Started(job, leaf{Fail: "no"})
	p.Eventually("a task has failed", func() bool { return p.state(r).Counts.Failed == 1 })
	return r
}

// published waits until the worker has published its handler set.
func (p *place) published() {
	p.t.Helper()
	p.Eventually("the set is published", func() bool {
		sets, err := p.M.Sets(p.t.Context())
		require.NoError(p.t, err)
		return len(sets) == 1
	})
}

func (p *place) worker() states.WorkerStatus {
	p.t.Helper()
	states, err := p.M.Worker("w1").States(p.t.Context())
	require.NoError(p.t, err)
	require.Len(p.t, states, 1)
	return states[0].Status
}

func (p *place) mode() syncjob.Mode {
	p.t.Helper()
	mode, err := p.M.Mode(p.t.Context())
	require.NoError(p.t, err)
	return mode
}

func (p *place) declared(job string) {
	p.t.Helper()
	_, err := p.M.Ensure(
		p.t.Context(),
		syncjob.Job{Name: job, Set: "tree", Root: leaf{}, Schedule: &schedule.Schedule{Cron: "@yearly"}},
	)
	require.NoError(p.t, err)
}

// asAnn lets ann do everything, and remembers what was asked.
func asAnn() (opts dashboard.Options, asked func() []dashboard.Action) {
	var mu sync.Mutex
	var list []dashboard.Action
	opts = open
	opts.Actor = func(*http.Request) string { return "ann" }
	opts.Authorize = func(_ *http.Request, a dashboard.Action) error {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, a)
		return nil
	}
	return opts, func() []dashboard.Action {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

func TestEveryActionDoesWhatItsPageSays(t *testing.T) {
	require.Equal(t, dashboard.Actions(), slices.Sorted(slices.Values(append(keys(acts), keys(manyActs)...))), "each has a scene")
	for name, scene := range acts {
		t.Run(name, func(t *testing.T) {
			opts, asked := asAnn()
			p := newPlace(t, opts)
			form, done := scene(p)
			form = append(form, "action", name)
			status, page := p.get("act", form...)
			require.Equal(t, http.StatusOK, status, page)
			require.Contains(t, page, `method="post"`)
			status, to := p.post(append(form, "reason", "because")...)
			require.Equal(t, http.StatusSeeOther, status, to)
			done()
			last := asked()[len(asked())-1]
			require.Equal(t, name, last.Name)
			res := p.do(http.MethodGet, p.url+to, nil, nil)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusOK, res.StatusCode, to)
		})
	}
}

func TestNobodyActsWithoutAuthorize(t *testing.T) {
	p := newPlace(t, dashboard.Options{Produce: true})
	r := p.Started("a", leaf{})
	for _, name := range dashboard.Actions() {
		form := append(of(r), "action", name, "scope-queue", "q", "set", "tree")
		status, _ := p.get("act", form...)
		require.Equal(t, http.StatusForbidden, status, name)
		status, page := p.post(form...)
		require.Equal(t, http.StatusForbidden, status, name)
		require.Contains(t, page, "only shows")
		status, _ = p.postJSON("act", map[string]any{"action": name, "job": "a"})
		require.Equal(t, http.StatusForbidden, status, name)
		if manyActs[name] != nil {
			status, _ = p.postJSON("act-on-jobs", map[string]any{"action": name, "all": true, "dry_run": true})
			require.Equal(t, http.StatusForbidden, status, name)
		}
	}
	for _, call := range []string{"start", "enqueue"} {
		status, _ := p.postJSON(call, map[string]any{"job": "a"})
		require.Equal(t, http.StatusForbidden, status, call)
	}
	s := p.state(r)
	require.False(t, s.Paused)
	require.Equal(t, states.Running, s.Status)
	require.Equal(t, syncjob.ModeReadWrite, p.mode())
	_, page := p.get("jobs")
	require.NotContains(t, page, "act?", "no page offers what is refused")
	_, page = p.get("run", of(r)...)
	require.NotContains(t, page, "act?", "no page offers what is refused")
}

func TestWhoMayNotReadIsTold(t *testing.T) {
	p := newPlace(t, dashboard.Options{Authorize: func(_ *http.Request, a dashboard.Action) error {
		if a.Job == "secret" {
			return errors.New("ask the <owner>")
		}
		return nil
	}})
	p.Started("secret", leaf{})
	for _, at := range [][]string{{"job", "job", "secret"}, {"run", "job", "secret", "run", "1"}, {"api/v1/job", "job", "secret"}} {
		status, body := p.get(at[0], at[1:]...)
		require.Equal(t, http.StatusForbidden, status, "%v", at)
		require.Contains(t, body, "ask the ")
		require.NotContains(t, body, "<owner>")
	}
}

func TestOtherOriginsCannotAct(t *testing.T) {
	p := newPlace(t, open)
	r := p.Started("a", leaf{})
	form := "action=stop-run&job=a&run=" + strconv.FormatInt(r.Number(), 10)
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}},
		{"Sec-Fetch-Site": {"same-site"}},
		{"Origin": {"https://evil.example"}},
		{"Origin": {"null"}},
		{"Origin": {"https://evil.example"}, "X-Forwarded-Host": {"evil.example"}},
	} {
		for _, to := range []string{"act", "api/v1/act", "api/v1/act-on-jobs", "api/v1/start", "api/v1/enqueue"} {
			h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
			maps.Copy(h, header)
			res := p.do(http.MethodPost, p.url+to, strings.NewReader(form), h)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusForbidden, res.StatusCode, "%s %v", to, header)
		}
	}
	res := p.do(
		http.MethodPost,
		p.url+"api/v1/act",
		strings.NewReader(form),
		http.Header{"Content-Type": {"text/plain"}},
	)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusUnsupportedMediaType, res.StatusCode, "a form of another site cannot send JSON")
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete} {
		res := p.do(method, p.url+"act?"+form, nil, nil)
		require.NoError(t, res.Body.Close())
	}
	require.Equal(t, states.Running, p.state(r).Status)
}

// configured is a form with a configuration.
func configured(document, version string) []string {
	return []string{"action", "configure", "set", "tree", "document", document, "version", version}
}

func TestWhatWasNotDoneIsSaidAndKept(t *testing.T) {
	opts, _ := asAnn()
	p := newPlace(t, opts)
	p.Started("a", leaf{})
	for _, c := range []struct {
		form   []string
		status int
		text   string
	}{
		{[]string{"action", "pause"}, http.StatusBadRequest, "Scope"},
		{[]string{"action", "pause", "scope-queue", strings.Repeat("x", 300)}, http.StatusBadRequest, "Queue"},
		{[]string{"action", "stop-job", "job", "nobody"}, http.StatusNotFound, "not there"},
		{[]string{"action", "stop-run", "job", "a", "run", "77"}, http.StatusNotFound, "not there"},
		{[]string{"action", "stop-run", "job", "a", "run", "x"}, http.StatusBadRequest, "names no run"},
		{[]string{"action", "delete-job", "job", "a"}, http.StatusConflict, "active"},
		{[]string{"action", "trigger-job", "job", "a"}, http.StatusNotFound, ""},
		{configured("{bad", "0"), http.StatusBadRequest, "{bad"},
		{configured(`{"sets":1}`, "0"), http.StatusBadRequest, "sets"},
		{configured(`{"set":{"max_retry":2}}`, "0"), http.StatusBadRequest, "max_retry"},
		{configured(`{"kinds":{"leaf":{"timeout":0}}}`, "0"), http.StatusBadRequest, "leave it out to inherit"},
		{configured(`[]`, "0"), http.StatusBadRequest, "not valid"},
		{configured(`{"set":{"max_retries":-9}}`, "0"), http.StatusBadRequest, "MaxRetries"},
		{configured(`{}`, "5"), http.StatusConflict, "Somebody else"},
		{[]string{"action", "cancel-task", "job", "a", "run", "1", "task", "none"}, http.StatusNotFound, ""},
		{append([]string{"action", "run-task-now", "task", "none"}, of(p.Started("b"))...), http.StatusNotFound, "no such task"},
		{
			append([]string{"action", "reschedule-task", "task", "x", "at", "soon"}, of(p.Started("c"))...),
			http.StatusBadRequest, "2030-01-31",
		},
		{[]string{"action", "nothing"}, http.StatusNotFound, "no such action"},
	} {
		status, page := p.post(append(c.form, "reason", "my reason")...)
		require.Equal(t, c.status, status, "%v: %s", c.form, page)
		require.Contains(t, page, c.text, "%v", c.form)
		if c.form[1] != "nothing" {
			require.Contains(t, page, "my reason", "what the user wrote is kept")
		}
	}
}

// postJSON calls the API.
func (p *place) postJSON(call string, body any) (status int, answer map[string]any) {
	p.t.Helper()
	b, err := json.Marshal(body)
	require.NoError(p.t, err)
	res := p.do(
		http.MethodPost,
		p.url+"api/v1/"+call,
		strings.NewReader(string(b)),
		http.Header{"Content-Type": {"application/json"}},
	)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(p.t, err)
	require.NoError(p.t, json.Unmarshal(text, &answer), string(text))
	return res.StatusCode, answer
}

func TestProgramsActAndProduceByJSON(t *testing.T) {
	opts, _ := asAnn()
	p := newPlace(t, opts)
	p.Work()
	status, run := p.postJSON("start", map[string]any{"job": "feed", "set": "tree", "open": true, "key": "k1", "deadline_ms": 3600000})
	require.Equal(t, http.StatusOK, status, run)
	status, again := p.postJSON("start", map[string]any{"job": "feed", "set": "tree", "open": true, "key": "k1"})
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, run["run"], again["run"])
	require.Equal(t, true, again["existing"])
	status, task := p.postJSON(
		"enqueue",
		map[string]any{"job": "feed", "kind": "leaf", "args": map[string]any{"fail": "from afar"}, "id": "t1"},
	)
	require.Equal(t, http.StatusOK, status, task)
	require.Equal(t, "t1", task["task"])
	number, err := strconv.ParseInt(run["run"].(string), 10, 64)
	require.NoError(t, err)
	r := p.M.Run("feed", number)
	status, _ = p.postJSON("act", map[string]any{"action": "seal-run", "job": "feed", "run": run["run"]})
	require.Equal(t, http.StatusOK, status)
	final, err := r.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, final.Counts.Failed)
	require.InDelta(t, 3600, final.Deadline.Sub(final.Created).Seconds(), 0.01)
	require.Equal(t, "from afar", final.LastError)
	status, _ = p.postJSON("act", map[string]any{
		"action": "configure", "set": "tree", "document": map[string]any{"set": map[string]any{"max_retries": 4}}, "version": "0",
	})
	require.Equal(t, http.StatusOK, status)
	for _, c := range []struct {
		call   string
		body   map[string]any
		status int
		text   string
	}{
		{"enqueue", map[string]any{"job": "feed", "kind": "leaf", "args": 1}, http.StatusConflict, "finished"},
		{"enqueue", map[string]any{"job": "none", "kind": "leaf"}, http.StatusNotFound, ""},
		{"enqueue", map[string]any{"job": "feed", "kind": "leaf", "argument": 1}, http.StatusBadRequest, "argument"},
		{"start", map[string]any{"job": "", "set": "tree"}, http.StatusBadRequest, "Name"},
		{"start", map[string]any{"job": "x", "set": "forest", "open": true}, http.StatusBadRequest, "forest"},
		{"act", map[string]any{"action": "seal-run", "job": "feed", "run": "zero"}, http.StatusBadRequest, "names no run"},
	} {
		status, answer := p.postJSON(c.call, c.body)
		require.Equal(t, c.status, status, "%v: %v", c.body, answer)
		require.Contains(t, answer["error"], c.text)
	}
	opts.Produce = false
	closed := newPlace(t, opts)
	status, answer := closed.postJSON("start", map[string]any{"job": "feed", "set": "tree", "open": true})
	require.Equal(t, http.StatusForbidden, status)
	require.Contains(t, answer["error"], "Options.Produce")
}

func TestNumbersOf64BitsAreExact(t *testing.T) {
	p := newPlace(t, open)
	r := p.Started("a", leaf{})
	_, body := p.get("api/v1/run", of(r)...)
	require.Contains(t, body, `"number":"`+strconv.FormatInt(r.Number(), 10)+`"`)
	require.Contains(t, body, `"total":"1"`)
	require.Contains(t, body, `"paused":false`)
	for _, call := range []string{"jobs", "queues", "workers", "lost-workers", "pauses"} {
		status, body := p.get("api/v1/" + call)
		require.Equal(t, http.StatusOK, status)
		require.True(t, json.Valid([]byte(body)), body)
	}
}
