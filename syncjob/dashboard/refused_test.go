package dashboard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/internal/scene"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
)

// Every page, every call and the page of every action says so where the store does not answer, and
// where the program shuts down: none is blank or without words.
func TestEveryPageSaysThatTheStoreFails(t *testing.T) {
	server := redistest.Start(t, nil)
	p := scene.Open(t, server.URL())
	failed, busy := p.Started("a"), p.Started("b")
	paths := []string{"api/v1/jobs", "api/v1/queues", "api/v1/activity", "api/v1/runs", "api/v1/audit"}
	for _, page := range scene.Pages(failed, busy, "some") {
		if !strings.HasPrefix(page, "act") {
			paths = append(paths, page)
		}
	}
	paths = append(paths, "act?action=stop-run&"+strings.TrimPrefix(scene.Pages(failed, busy, "")["run-busy"], "run?"))
	d := dashboard.New(p.M, open)
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+path, http.NoBody))
		return w
	}
	said := func(text string) {
		t.Helper()
		var all sync.WaitGroup
		answers := make([]*httptest.ResponseRecorder, len(paths))
		for i, path := range paths { // all at once: each waits for as long as a page may read
			all.Go(func() { answers[i] = ask(path) })
		}
		all.Wait()
		for i, w := range answers {
			require.Equal(t, http.StatusServiceUnavailable, w.Code, "%s: %s", paths[i], w.Body)
			require.Contains(t, w.Body.String(), text, paths[i])
		}
	}
	server.Pause()
	said("did not answer within 5s")
	server.Resume()
	require.Eventually(t, func() bool { return ask("jobs").Code == http.StatusOK }, 30*time.Second, 10*time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, failed.Stop(ctx, nil))
	require.NoError(t, p.M.Close())
	d = dashboard.New(p.M, open) // the other one shares for a second what it read
	said("shutting down")
}

// Whatever stands in the path, nothing but pages of the handler is answered, and no answer leads
// out of it.
func TestTricksWithPathsLeadNowhere(t *testing.T) {
	p := newPlace(t, open)
	d := dashboard.New(p.M, open)
	mux := http.NewServeMux()
	mux.Handle("/ops/", d)
	mux.Handle("/cut/", http.StripPrefix("/cut", d))
	for _, handler := range []http.Handler{d, mux} {
		for _, path := range []string{
			"//evil.example", "//evil.example/", "/\\evil.example", "/%5cevil.example", "/%2f%2fevil.example", "/ops//evil.example/",
			"/ops/../../etc/passwd", "/ops/..", "/ops/.", "/ops/%2e%2e/", "/ops/%2e%2e%2fjobs", "/ops/..%2f..%2fact",
			"/cut/..", "/cut//evil.example",
			"/cut/%2e%2e/x", "/ops/files/style.css", "/ops/style.css/", "/ops/pages/home.html", "/ops/api/v1/../act", "/ops/api/v1/%2e%2e",
			"/ops/api/v2/jobs", "/ops/jobs%00", "/ops/jobs/", "/ops/JOBS", "/ops/act/../act", "/ops/events/x",
		} {
			u, err := url.ParseRequestURI(path)
			require.NoError(t, err, path)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			r.URL, r.RequestURI = u, path
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			to, err := url.Parse(w.Header().Get("Location"))
			require.NoError(t, err, path)
			require.Empty(t, to.Host, "%s leads to %s", path, to)
			require.False(t, strings.HasPrefix(to.Path, "//") || strings.Contains(to.Path, "\\"), "%s leads to %s", path, to)
			require.NotContains(t, w.Body.String(), "root:", path)
			if w.Code == http.StatusOK { // it is a page: the last part of the path names it
				require.Contains(t, []string{"", "jobs", "style.css"}, u.Path[strings.LastIndex(u.Path, "/")+1:], path)
			}
		}
	}
}
