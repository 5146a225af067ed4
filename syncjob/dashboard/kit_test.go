package dashboard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/scene"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
)

type leaf = scene.Leaf

// open lets everybody do everything, and shows all.
var open = dashboard.Options{
	Authorize: func(*http.Request, dashboard.Action) error { return nil },
	Payload:   dashboard.ShowPayloads,
	Produce:   true,
}

// place is a scene with pages about it.
type place struct {
	*scene.Place
	t   *testing.T
	url string // ends with a slash
	c   *http.Client
}

func newPlace(t *testing.T, opts dashboard.Options) *place {
	t.Helper()
	p := scene.New(t, nil)
	server := httptest.NewServer(dashboard.New(p.M, opts))
	t.Cleanup(server.Close)
	c := server.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &place{Place: p, t: t, url: server.URL + "/", c: c}
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
