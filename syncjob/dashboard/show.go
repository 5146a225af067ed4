package dashboard

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
)

//go:embed pages
var pages embed.FS

var templates = template.Must(template.New("").Funcs(functions).ParseFS(pages, "pages/*.html"))

// server answers requests with what the source has.
type server struct {
	*source
	mux      *http.ServeMux
	verbs    map[string]*verb
	versions map[string]string // of the files, so that browsers fetch new ones
}

// page is one page that shows something.
type page struct {
	nav   string // which link of the navigation it belongs to
	title string
	body  string // name of its template
	read  func(context.Context, url.Values) (any, error)
}

// view is what the template of all pages gets.
type view struct {
	Title, Nav, Deployment string
	Versions               map[string]string
	CanAct                 bool
	Done                   string // what the action before this page did
	Live                   bool   // the page may be read again by itself
	Partial                string // why something is missing
	Now                    time.Time
	Body                   any
}

// titled is a body with a title of its own.
type titled interface{ title() string }

// partial is a body from which something may be missing.
type partial interface{ missing() error }

// show answers with a page.
func (d *server) show(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := d.authorize(r, looks(r.URL.Query())); err != nil {
			d.fail(w, r, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), ReadTime)
		defer cancel()
		q := r.URL.Query()
		body, err := d.open.at(address(p, q), func(ctx context.Context) (any, error) { return p.read(ctx, q) }).get(ctx)
		if err != nil {
			d.fail(w, r, err)
			return
		}
		v := view{Title: p.title, Nav: p.nav, Live: true, Body: body}
		if v.Nav == "" {
			v.Nav = "home"
		}
		if done := d.verbs[q.Get("done")]; done != nil {
			v.Done = done.done
		}
		if t, ok := body.(titled); ok {
			v.Title = t.title()
		}
		if m, ok := body.(partial); ok && m.missing() != nil {
			v.Partial = m.missing().Error()
		}
		d.write(w, http.StatusOK, p.body, v)
	}
}

// within does something that a request asks for, if it may, in the name of the user.
func (d *server) within(r *http.Request, a Action, reason string, do func(context.Context) error) error {
	if err := d.authorize(r, a); err != nil {
		return err
	}
	who := syncjob.WithReason(syncjob.WithActor(r.Context(), d.opts.Actor(r)), reason)
	ctx, cancel := context.WithTimeout(who, ReadTime)
	defer cancel()
	defer d.forget() // also after an error: the change may have been made
	return do(ctx)
}

// address is what a page is about: pages with the same address show the same.
func address(p page, q url.Values) string {
	about := maps.Clone(q)
	about.Del("done")
	return p.body + "?" + about.Encode()
}

// fail answers with a page that says what happened.
func (d *server) fail(w http.ResponseWriter, _ *http.Request, err error) {
	e := explain(err)
	v := view{Title: http.StatusText(e.status), Live: e.status == http.StatusServiceUnavailable, Body: e}
	d.write(w, e.status, "error", v)
}

// write renders the whole page before it sends a byte, so that no page is cut in the middle.
func (d *server) write(w http.ResponseWriter, status int, body string, v view) {
	v.Deployment, v.Versions, v.CanAct, v.Now = d.opts.Title, d.versions, d.opts.Authorize != nil, time.Now()
	var inner, all bytes.Buffer
	err := templates.ExecuteTemplate(&inner, body+".html", v)
	if err == nil {
		err = templates.ExecuteTemplate(&all, "frame.html", struct {
			view
			Main template.HTML
		}{v, template.HTML(inner.String())}) // #nosec: a template escaped it
	}
	if err != nil {
		http.Error(w, "This page could not be made: "+syncjob.Printable(err.Error()), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = all.WriteTo(w) // the client is gone
}
