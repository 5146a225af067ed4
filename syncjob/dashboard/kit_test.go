package dashboard_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
)

// leaf is a task that fails, blocks or succeeds as its arguments say.
type leaf struct {
	Fail  string `json:"fail,omitempty"`
	Block bool   `json:"block,omitempty"`
	Note  string `json:"note,omitempty"`
}

func (leaf) Kind() string { return "leaf" }

// open lets everybody do everything, and shows all.
var open = dashboard.Options{
	Authorize: func(*http.Request, dashboard.Action) error { return nil },
	Payload:   dashboard.ShowPayloads,
	Produce:   true,
}

// place is a manager with a worker, and pages about them.
type place struct {
	t   *testing.T
	m   *syncjob.Manager
	url string // ends with a slash
	c   *http.Client
}

func newPlace(t *testing.T, s store.Store, opts dashboard.Options) *place {
	t.Helper()
	if s == nil {
		s = memstore.New(&memstore.Options{Partitions: 2})
	}
	set := handlers.NewSet("tree", handlers.SetConfig{})
	handlers.Handle(set, func(ctx context.Context, task *handlers.Task[leaf]) error {
		switch {
		case task.Args.Block:
			task.Progress(ctx, 1, 3, "half way")
			<-ctx.Done()
			return ctx.Err()
		case task.Args.Fail != "":
			return handlers.Permanent(errors.New(task.Args.Fail))
		}
		return nil
	}, nil)
	reg, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	m, err := syncjob.New(s, syncjob.Config{Registry: reg})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	server := httptest.NewServer(dashboard.New(m, opts))
	t.Cleanup(server.Close)
	c := server.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &place{t: t, m: m, url: server.URL + "/", c: c}
}

// work runs a worker until the test ends.
func (p *place) work() {
	p.t.Helper()
	w, err := p.m.NewWorker(syncjob.WorkerConfig{Name: "w1", Version: "v1.2.3", Grace: syncjob.NoGrace})
	require.NoError(p.t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	p.t.Cleanup(func() { stop(); require.NoError(p.t, <-done) })
}

// started starts an open run with these tasks.
func (p *place) started(job string, tasks ...leaf) *syncjob.Run {
	p.t.Helper()
	r, err := p.m.Start(
		p.t.Context(),
		syncjob.Job{Name: job, Set: "tree", Open: true, Headers: map[string]string{"secret": "in-a-header"},
			Labels: map[string]string{"tenant": "acme"}},
		nil,
	)
	require.NoError(p.t, err)
	for _, task := range tasks {
		_, err := r.Enqueue(p.t.Context(), task, nil)
		require.NoError(p.t, err)
	}
	return r
}

// ended seals a run and waits for its end.
func (p *place) ended(r *syncjob.Run) *syncjob.Run {
	p.t.Helper()
	require.NoError(p.t, r.Seal(p.t.Context()))
	_, err := r.Wait(p.t.Context())
	require.NoError(p.t, err)
	return r
}

// get reads a page, with the names and values of its query.
func (p *place) get(page string, query ...string) (status int, body string) {
	p.t.Helper()
	res := p.do(http.MethodGet, p.at(page, query...), nil, nil)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(p.t, err)
	return res.StatusCode, string(b)
}

func (p *place) at(page string, query ...string) string {
	q := make(url.Values)
	for i := 0; i < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	return p.url + page + "?" + q.Encode()
}

// post sends a form to act, and returns the status and where the answer leads, or its text.
func (p *place) post(form ...string) (status int, to string) {
	p.t.Helper()
	q := make(url.Values)
	for i := 0; i < len(form); i += 2 {
		q.Set(form[i], form[i+1])
	}
	res := p.do(
		http.MethodPost,
		p.url+"act",
		strings.NewReader(q.Encode()),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
	)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(p.t, err)
	if to := res.Header.Get("Location"); to != "" {
		return res.StatusCode, to
	}
	return res.StatusCode, string(b)
}

func (p *place) do(method, at string, body io.Reader, header http.Header) *http.Response {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, at, body)
	require.NoError(p.t, err)
	for name, values := range header {
		r.Header[name] = values
	}
	res, err := p.c.Do(r)
	require.NoError(p.t, err)
	return res
}

// eventually waits until a condition holds that nothing signals.
func (p *place) eventually(what string, holds func() bool) {
	p.t.Helper()
	require.Eventually(p.t, holds, 20*time.Second, 5*time.Millisecond, what)
}
