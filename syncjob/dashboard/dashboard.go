package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/rollcall-go/rollcall/syncjob"
)

//go:embed files
var files embed.FS

// New returns a handler with all pages. The manager needs no registry. The handler starts nothing
// in the background; it works until the manager is closed, and then its pages say so.
func New(m *syncjob.Manager, opts Options) http.Handler {
	if opts.Title == "" {
		opts.Title = "Rollcall"
	}
	if opts.Actor == nil {
		opts.Actor = actor
	}
	d := &server{
		source: newSource(
			m,
			opts,
		), mux: http.NewServeMux(), verbs: make(map[string]*verb), versions: make(map[string]string),
	}
	d.routes()
	guarded := http.NewCrossOriginProtection().Handler(http.HandlerFunc(d.serve))
	return headers(guarded)
}

// apiRoot is where the JSON API begins.
const apiRoot = "/api/v1/"

// serve finds the page by the last part of the path: so the handler works under any prefix, whether
// that is stripped or not.
func (d *server) serve(w http.ResponseWriter, r *http.Request) {
	dir, page := path.Split(r.URL.Path)
	if dir == "" { // the prefix was stripped, and nothing is left: relative links need the slash
		at, err := url.ParseRequestURI(r.RequestURI)
		if err == nil && !strings.HasSuffix(at.Path, "/") {
			w.Header().Set("Location", "./"+url.PathEscape(path.Base(at.Path))+"/")
			w.WriteHeader(http.StatusPermanentRedirect)
			return
		}
	}
	if page == "." || page == ".." {
		page = "no-such-page" // a mux would redirect to what is above the prefix
	}
	inner := r.Clone(r.Context())
	inner.URL.Path, inner.URL.RawPath = "/"+page, ""
	if dir == apiRoot[1:] || strings.HasSuffix(dir, apiRoot) {
		inner.URL.Path = apiRoot + page
	}
	d.mux.ServeHTTP(w, inner)
}

func (d *server) routes() {
	for pattern, p := range map[string]page{
		"/{$}":       {nav: "", title: "Home", read: d.home},
		"/jobs":      {nav: "jobs", title: "Jobs", read: d.jobs},
		"/job":       {nav: "jobs", title: "Job", read: d.job},
		"/runs":      {nav: "runs", title: "Runs", read: d.allRuns},
		"/run":       {nav: "jobs", title: "Run", read: d.run},
		"/tasks":     {nav: "jobs", title: "Tasks", read: d.tasks},
		"/task":      {nav: "jobs", title: "Task", read: d.task},
		"/results":   {nav: "jobs", title: "Results", read: d.results},
		"/failures":  {nav: "jobs", title: "Failures", read: d.failures},
		"/failing":   {nav: "failing", title: "Failures", read: d.failing},
		"/queues":    {nav: "queues", title: "Queues", read: d.queuesPage},
		"/queue":     {nav: "queues", title: "Queue", read: d.queue},
		"/workers":   {nav: "workers", title: "Workers", read: d.workersPage},
		"/schedules": {nav: "schedules", title: "Schedules", read: d.schedules},
		"/sets":      {nav: "sets", title: "Handler sets", read: d.sets},
		"/set":       {nav: "sets", title: "Handler set", read: d.set},
		"/locks":     {nav: "locks", title: "Locks", read: d.locks},
		"/values":    {nav: "locks", title: "Values", read: d.values},
		"/audit":     {nav: "audit", title: "Audit", read: d.audit},
		"/pauses":    {nav: "pauses", title: "Pauses", read: d.pausesPage},
	} {
		p.body = strings.Trim(pattern, "/{$}")
		if p.body == "" {
			p.body = "home"
		}
		d.mux.HandleFunc("GET "+pattern, d.show(p))
	}
	for _, v := range verbs {
		d.verbs[v.name] = v
	}
	d.mux.HandleFunc("GET /events", d.events)
	d.mux.HandleFunc("GET /act", d.ask)
	d.mux.HandleFunc("POST /act", d.act)
	for _, name := range []string{"style.css", "live.js"} {
		content, err := files.ReadFile("files/" + name)
		if err != nil {
			panic(err) // it was compiled in
		}
		sum := sha256.Sum256(content)
		d.versions[name] = hex.EncodeToString(sum[:6])
		d.mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
			http.ServeFileFS(w, r, files, "files/"+name)
		})
	}
	for _, c := range calls {
		d.mux.HandleFunc("GET "+apiRoot+c.path, d.api(c))
	}
	d.mux.HandleFunc("GET "+apiRoot+"openapi.json", func(w http.ResponseWriter, r *http.Request) {
		if err := d.authorize(r, Action{Name: View}); err != nil {
			d.answer(w, nil, err)
			return
		}
		http.ServeFileFS(w, r, files, "files/openapi.json")
	})
	d.mux.HandleFunc("POST "+apiRoot+"act", d.actJSON)
	d.mux.HandleFunc("POST "+apiRoot+"act-on-jobs", d.manyJSON)
	d.mux.HandleFunc("POST "+apiRoot+"start", produce(d, Start, d.start, func(c startCall) string { return c.Job }))
	d.mux.HandleFunc(
		"POST "+apiRoot+"enqueue",
		produce(d, Enqueue, d.enqueue, func(c enqueueCall) string { return c.Job }),
	)
	d.mux.HandleFunc(apiRoot, func(w http.ResponseWriter, _ *http.Request) {
		d.answer(w, nil, &statusError{http.StatusNotFound, "There is no such call.", nil})
	})
	d.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		d.fail(w, r, &statusError{http.StatusNotFound, "There is no such page.", nil})
	})
}

// policy allows the handler's own style, script and requests, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// headers sets what makes browsers careful.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
