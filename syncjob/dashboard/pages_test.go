package dashboard_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/scene"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
)

func TestEveryPageShowsItsThings(t *testing.T) {
	p := newPlace(t, open)
	p.Work()
	failed := p.Ended(p.Started("import/7", leaf{Fail: "no such file"}, leaf{Note: "fine"}))
	active := p.Started("busy", leaf{Block: true})
	p.Nightly(t.Context(), "nightly")
	require.NoError(t, p.M.Pause(syncjob.WithActor(t.Context(), "ann"), syncjob.Scope{Queue: "gpu"}, "new driver"))
	_, err := p.M.Configure(
		t.Context(),
		"tree",
		&syncjob.ConfigureOptions{By: "bob", Reason: "slow disk"},
		func(c *handlers.Configuration) error {
			c.Set.MaxRetries, c.Set.MaxRunning = 7, 2
			return nil
		},
	)
	require.NoError(t, err)
	p.held("lock/a")
	seen := values.NewMap[int](p.M.Values(), store.NamespaceScope(0), "seen")
	require.NoError(t, seen.Set(t.Context(), "x", 1))
	task := p.Reporting(active)
	run := func(r *syncjob.Run) []string {
		return []string{"job", r.Job(), "run", strconv.FormatInt(r.Number(), 10)}
	}
	for _, c := range []struct {
		page  string
		query []string
		has   []string
	}{
		{"", nil, []string{"Needs attention", "Queue gpu is paused", "by ann: new driver", "busy"}},
		{"jobs", nil, []string{"import/7", "busy", "nightly", "failed", "periodic"}},
		{"jobs", []string{"group", "active"}, []string{"busy"}},
		{"runs", nil, []string{"busy", "import/7", "tenant=acme"}},
		{"runs", []string{"label", "tenant=acme", "status", "active"}, []string{"busy"}},
		{"runs", []string{"label", "tenant=nobody"}, []string{"No run is like this"}},
		{"job", []string{"job", "import/7"}, []string{"single-pass", "Delete", strconv.FormatInt(failed.Number(), 10)}},
		{"job", []string{"job", "nightly"}, []string{"0 3 * * * Europe/Berlin", "Next runs", "Start a run now"}},
		{"run", run(failed), []string{"2 of 2 tasks", "no such file", "Run failed tasks again", "&#34;secret&#34;: &#34;in-a-header&#34;"}},
		{"run", run(active), []string{"What it waits for", "cannot finish before it is sealed", "half way", "Stop gracefully"}},
		{"tasks", run(active), []string{task, "running", "w1"}},
		{"task", append(run(active), "id", task), []string{"running", "w1", "&#34;block&#34;: true", "1 of 3, half way"}},
		{"failures", run(failed), []string{"no such file", "number 1", "1 task of this run failed for good"}},
		{"failing", nil, []string{"What fails most", "no such file", "tree / leaf", "import/7", "w1"}},
		{"", nil, []string{"1 task of tree / leaf failed within the last hour: no such file"}},
		{"queues", nil, []string{"default", "tree", "leaf"}},
		{"workers", nil, []string{"w1", "v1.2.3", "active", task, "Lost within the last day"}},
		{"schedules", nil, []string{"nightly", "0 3 * * * Europe/Berlin"}},
		{"sets", nil, []string{"tree", "leaf"}},
		{"set", []string{"set", "tree"}, []string{"What holds now", "slow disk", "by bob", "&#34;max_retries&#34;: 7"}},
		{"locks", nil, []string{"lock/a", "me &lt;b&gt;", "holds", "tree", "2"}},
		{"values", nil, []string{"seen", "map"}},
		{"values", run(failed), []string{"There are no values here"}},
		{"audit", nil, []string{"ann", "new driver", "nightly"}},
		{"audit", []string{"by", "ann"}, []string{"new driver"}},
		{"pauses", nil, []string{"queue gpu", "ann", "new driver", "read-write"}},
	} {
		status, body := p.get(c.page, c.query...)
		require.Equal(t, http.StatusOK, status, "%s %v: %s", c.page, c.query, body)
		for _, text := range c.has {
			require.Contains(t, body, text, "%s %v", c.page, c.query)
		}
	}
}

func TestEmptyPagesSayWhatToDoNext(t *testing.T) {
	p := newPlace(t, open)
	for page, text := range map[string]string{
		"":          "No worker is alive",
		"jobs":      "Manager.Start",
		"runs":      "No run is like this",
		"failing":   "No task has failed for good",
		"queues":    "No queue has had tasks",
		"workers":   "Manager.NewWorker",
		"schedules": "Manager.Ensure",
		"locks":     "No semaphore is in use",
		"values":    "There are no values",
		"audit":     "Nobody has changed anything",
		"sets":      "No worker has published",
		"pauses":    "No queue, set or kind is paused",
	} {
		status, body := p.get(page)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, text, page)
	}
}

// Who comes after the work is done sees it on the first page.
func TestHomeShowsWhatEndedLastWhenNothingRuns(t *testing.T) {
	p := newPlace(t, open)
	p.Work()
	r, err := p.M.Start(t.Context(), syncjob.Job{Name: "brief", Set: "tree", Root: leaf{}, Deadline: time.Hour}, nil)
	require.NoError(t, err)
	_, err = r.Wait(t.Context())
	require.NoError(t, err)
	_, home := p.get("")
	require.Contains(t, home, "Runs that ended last")
	require.Contains(t, home, "job=brief")
	_, run := p.get("run", of(r)...)
	require.Contains(t, run, "Stopped if active at")
	p.Started("busy", leaf{Block: true})
	_, home = p.get("", "again", "yes") // another address: nothing is shared
	require.NotContains(t, home, "Runs that ended last")
}

func TestLongListsHavePages(t *testing.T) {
	p := newPlace(t, open)
	for i := range 120 {
		p.Started(fmt.Sprintf("job/%03d", i))
	}
	_, first := p.get("jobs")
	_, next, more := strings.Cut(first, `rel="next" href="`)
	require.True(t, more)
	next, _, _ = strings.Cut(next, `"`)
	at, err := url.Parse(html.UnescapeString(next))
	require.NoError(t, err)
	_, second := p.get(at.Path, "after", at.Query().Get("after"))
	require.NotContains(t, second, "job/049")
	require.Contains(t, second, "job/050")
	seen := strings.Count(first, `class="name"`) + strings.Count(second, `class="name"`)
	require.Equal(t, 100, seen, "two pages of 50")
}

func TestItWorksUnderAnyPrefix(t *testing.T) {
	m, err := syncjob.New(memstore.New(nil), syncjob.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	d := dashboard.New(m, dashboard.Options{})
	mux := http.NewServeMux()
	mux.Handle("/kept/", d)
	mux.Handle("/a/b/", http.StripPrefix("/a/b", d))
	mux.Handle("/bare", http.StripPrefix("/bare", d))
	server := httptest.NewServer(mux)
	defer server.Close()
	get := func(path string) (status int, to string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
		require.NoError(t, err)
		c := server.Client()
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		res, err := c.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode, res.Header.Get("Location")
	}
	for _, prefix := range []string{"/kept/", "/a/b/"} {
		for _, page := range []string{"", "jobs", "style.css", "live.js", "api/v1/queues"} {
			status, _ := get(prefix + page)
			require.Equal(t, http.StatusOK, status, prefix+page)
		}
		for _, page := range []string{"nope", "api/v1/nope"} {
			status, _ := get(prefix + page)
			require.Equal(t, http.StatusNotFound, status, prefix+page)
		}
	}
	status, to := get("/bare")
	require.Equal(t, http.StatusPermanentRedirect, status)
	require.Equal(t, "./bare/", to, "without the slash, links would lead elsewhere")
}

func TestPagesForbidWhatIsNotTheirs(t *testing.T) {
	p := newPlace(t, open)
	for _, page := range []string{"", "jobs", "style.css", "nope", "act", "api/v1/jobs", "api/v1/nope", ".."} {
		res := p.do(http.MethodGet, p.url+page, nil, nil)
		require.NoError(t, res.Body.Close())
		csp := res.Header.Get("Content-Security-Policy")
		require.Contains(t, csp, "default-src 'none'", page)
		require.Contains(t, csp, "frame-ancestors 'none'", page)
		require.NotContains(t, csp, "unsafe", page)
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"), page)
	}
	res := p.do(http.MethodGet, p.url+"jobs", nil, nil)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
}

// hostile is markup, control characters, marks of direction and an address that would run code.
const hostile = "</td><script>alert(1)</script>\"'><img src=x onerror=alert(1)> javascript:alert(1) \u202e\u2066\u200b {{.}} ${x}"

func TestHostileTextIsText(t *testing.T) {
	p := newPlace(t, open)
	p.Work()
	name := strings.Trim(hostile[:80], "\u202e")
	long := strings.Repeat("<b>\x1b[31m\u202e", 1000)
	failed := p.Ended(p.Started(name, leaf{Fail: hostile + "\n\x1b[2J\x00" + long, Note: hostile}))
	require.NoError(t, p.M.Pause(syncjob.WithActor(t.Context(), hostile), syncjob.Scope{Queue: "gpu"}, hostile))
	_, err := p.M.Configure(
		t.Context(),
		"tree",
		&syncjob.ConfigureOptions{By: hostile, Reason: hostile},
		func(c *handlers.Configuration) error {
			c.Set.MaxRetries = 7
			return nil
		},
	)
	require.NoError(t, err)
	var id string
	for f, err := range failed.Failures(t.Context(), nil) {
		require.NoError(t, err)
		id = f.TaskID
	}
	number := strconv.FormatInt(failed.Number(), 10)
	for _, at := range [][]string{
		{""}, {"jobs"}, {"job", "job", name}, {"run", "job", name, "run", number}, {"tasks", "job", name, "run", number},
		{"task", "job", name, "run", number, "id", id}, {"failures", "job", name, "run", number}, {"failing"}, {"audit"},
		{"failing", "kind", hostile}, {"pauses"}, {"set", "set", "tree"},
		{"act", "action", "stop-job", "job", name}, {"act", "action", "delete-run", "job", name, "run", number},
		{"task", "job", hostile, "run", "1", "id", hostile}, {"job", "job", hostile}, {"set", "set", hostile}, {"jobs", "prefix", hostile},
		{"jobs", "group", hostile}, {"tasks", "job", name, "run", number, "after", hostile}, {"act", "action", hostile},
		{"act", "action", "pause", "scope-queue", hostile}, {"jobs", "done", hostile},
	} {
		_, body := p.get(at[0], at[1:]...)
		require.NotContains(t, body, "<script>alert", "%v", at)
		require.NotContains(t, body, "<img", "%v", at)
		require.NotContains(t, body, "could not be made", "%v", at)
		require.NotRegexp(t, `(href|action|src)="\s*javascript:`, body, "%v", at)
		visible := withoutAttributes(body)
		require.NotContains(t, visible, "\u202e", "%v", at)
		require.NotContains(t, visible, "\x1b", "%v", at)
		require.NotContains(t, visible, "\x00", "%v", at)
	}
}

// withoutAttributes leaves out the tags of a page: values of forms must be exact, and are not
// shown.
func withoutAttributes(body string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(body, "<") {
		_, text, _ := strings.Cut(part, ">")
		b.WriteString(text)
	}
	return b.String()
}

func TestPayloadsAreHiddenUnlessTheyAreShown(t *testing.T) {
	p := newPlace(t, dashboard.Options{})
	p.Work()
	r := p.Ended(p.Started("a", leaf{Fail: "broken", Note: "very secret"}))
	number := strconv.FormatInt(r.Number(), 10)
	for _, at := range [][]string{
		{"job", "job", "a"}, {"run", "job", "a", "run", number}, {"failures", "job", "a", "run", number},
		{"tasks", "job", "a", "run", number},
		{"api/v1/run", "job", "a", "run", number}, {"api/v1/failures", "job", "a", "run", number},
		{"api/v1/tasks", "job", "a", "run", number},
		{"api/v1/jobs"}, {"api/v1/job", "job", "a"}, {"api/v1/explain", "job", "a", "run", number},
	} {
		status, body := p.get(at[0], at[1:]...)
		require.Equal(t, http.StatusOK, status, "%v: %s", at, body)
		require.NotContains(t, body, "very secret", "%v", at)
		require.NotContains(t, body, "in-a-header", "%v", at)
	}
}

// broken is a store whose calls fail after it broke.
type broken struct {
	store.Store
	down *atomic.Bool
}

func (b broken) ListJobs(ctx context.Context, p store.ListParams) (store.JobPage, error) {
	if b.down.Load() {
		return store.JobPage{}, store.ErrUnavailable
	}
	return b.Store.ListJobs(ctx, p)
}

func TestAStoreThatDoesNotAnswerIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := broken{memstore.New(nil), new(atomic.Bool)}
		m, err := syncjob.New(s, syncjob.Config{})
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		d := dashboard.New(m, dashboard.Options{})
		get := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/jobs", http.NoBody))
			return w
		}
		s.down.Store(true)
		start := time.Now()
		w := get()
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Contains(t, w.Body.String(), "The store did not answer within 5s")
		require.Contains(t, w.Body.String(), "data-live", "the page tries again by itself")
		require.LessOrEqual(t, time.Since(start), dashboard.ReadTime)
		s.down.Store(false)
		require.Equal(t, http.StatusOK, get().Code)
	})
}

// halved is a store of which one partition does not answer.
type halved struct{ store.Store }

func (h halved) QueueStats(ctx context.Context, p int) ([]store.QueueRecord, error) {
	if p == 1 {
		return nil, store.ErrUnavailable
	}
	return h.Store.QueueStats(ctx, p)
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := syncjob.New(halved{memstore.New(&memstore.Options{Partitions: 2})}, syncjob.Config{})
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		for name := range 10 {
			r, err := m.Start(t.Context(), syncjob.Job{Name: strconv.Itoa(name), Set: "tree", Open: true}, nil)
			require.NoError(t, err)
			_, err = r.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
		}
		for _, page := range []string{"/", "/queues"} {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, page, http.NoBody)
			dashboard.New(m, dashboard.Options{}).ServeHTTP(w, r)
			require.Equal(t, http.StatusOK, w.Code, w.Body.String())
			require.Contains(t, w.Body.String(), "Something is missing here")
			require.Contains(t, w.Body.String(), "partition 1")
			require.Contains(t, w.Body.String(), "default", "the rest is there")
		}
	})
}

// counting counts readings.
type counting struct {
	store.Store
	queues, runs, jobs, sessions atomic.Int64
}

func (c *counting) QueueStats(ctx context.Context, p int) ([]store.QueueRecord, error) {
	c.queues.Add(1)
	return c.Store.QueueStats(ctx, p)
}

func (c *counting) ListRuns(ctx context.Context, p store.RunsParams) (store.RunPage, error) {
	c.runs.Add(1)
	return c.Store.ListRuns(ctx, p)
}

func (c *counting) ListJobs(ctx context.Context, p store.ListParams) (store.JobPage, error) {
	c.jobs.Add(1)
	return c.Store.ListJobs(ctx, p)
}

func (c *counting) LiveSessions(ctx context.Context, p int) ([]store.SessionRecord, error) {
	c.sessions.Add(1)
	return c.Store.LiveSessions(ctx, p)
}

// read is how often each of these was called since the last time.
func (c *counting) read() [4]int64 {
	return [4]int64{c.queues.Swap(0), c.runs.Swap(0), c.jobs.Swap(0), c.sessions.Swap(0)}
}

func TestManyOpenPagesCostOneReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{Store: memstore.New(&memstore.Options{Partitions: 1})}
		p := scene.New(t, s)
		p.Started("a", leaf{})
		d := dashboard.New(p.M, open)
		get := func(page string) {
			w := httptest.NewRecorder()
			d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+page, http.NoBody))
			require.Equal(t, http.StatusOK, w.Code)
		}
		for _, page := range []string{"", "jobs", "runs", "queues", "workers", "schedules"} {
			time.Sleep(time.Minute)
			s.read()
			get(page)
			one := s.read()
			require.NotZero(t, one, page)
			time.Sleep(time.Minute)
			var done sync.WaitGroup
			for i := range 50 {
				done.Go(func() { time.Sleep(time.Duration(i) * 19 * time.Millisecond); get(page) })
			}
			done.Wait()
			require.Equal(t, one, s.read(), "50 pages at %q within a second", page)
			time.Sleep(time.Minute)
			get(page)
			require.Equal(t, one, s.read(), "%q is read anew", page)
		}
	})
}
