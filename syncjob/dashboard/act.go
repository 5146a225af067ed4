package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// askBody is the page of an action.
type askBody struct {
	Title, Does, Touches string
	Danger               bool
	Fields               []field
	Action               Action
	Reason               string
	Problem              string // why it could not be done
	Back                 string
}

func (b *askBody) title() string { return b.Title }

// back is the page that shows the object of an action.
func (a *Action) back(done string) string {
	switch {
	case a.Name == "delete-job", a.Name == "delete-run": // with its last run, a job that is not declared goes
		return link("jobs", "done", done)
	case a.Task != "" && done != "cancel-task":
		return link("task", "job", a.Job, "run", strconv.FormatInt(a.Run, 10), "id", a.Task, "done", done)
	case a.Run > 0:
		return link("run", "job", a.Job, "run", strconv.FormatInt(a.Run, 10), "done", done)
	case a.Job != "":
		return link("job", "job", a.Job, "done", done)
	case a.Worker != "":
		return link("workers", "done", done)
	case a.Name == "release-semaphores":
		return link("locks", "done", done)
	case a.Set != "":
		return link("set", "set", a.Set, "done", done)
	}
	return link("pauses", "done", done)
}

// ask shows what an action will do.
func (d *server) ask(w http.ResponseWriter, r *http.Request) {
	a := target(r.URL.Query())
	v := d.verbs[a.Name]
	if v == nil {
		d.fail(w, r, errNoSuchAction)
		return
	}
	if err := d.authorize(r, a); err != nil {
		d.fail(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), ReadTime)
	defer cancel()
	if v.many != nil {
		b, err := d.askMany(ctx, v, a, r.URL.Query())
		if err != nil {
			d.fail(w, r, err)
			return
		}
		d.write(w, http.StatusOK, "many", view{Title: v.title, Nav: "jobs", Body: b})
		return
	}
	b := &askBody{Title: v.title, Does: v.does, Danger: v.danger, Action: a, Back: a.back("")}
	var err error
	if v.touches != nil {
		if b.Touches, err = v.touches(ctx, d.source, a); err != nil {
			d.fail(w, r, err)
			return
		}
	}
	for _, f := range v.fields {
		if f.value != nil {
			if f.Value, err = f.value(ctx, d.source, a); err != nil {
				d.fail(w, r, err)
				return
			}
		}
		b.Fields = append(b.Fields, f)
	}
	d.write(w, http.StatusOK, "ask", view{Title: v.title, Body: b})
}

// maxForm bounds what a form may send.
const maxForm = bounds.MaxConfigurationLen + 64<<10

// perform does what a form asks for.
func (d *server) perform(r *http.Request, form url.Values) (*verb, Action, error) {
	a := target(form)
	v := d.verbs[a.Name]
	if v == nil {
		return nil, a, errNoSuchAction
	}
	return v, a, d.within(r, a, form.Get("reason"), func(ctx context.Context) error {
		if v.many != nil {
			return &statusError{http.StatusBadRequest, "This action is about many jobs: use the call act-on-jobs.", nil}
		}
		return v.do(ctx, d.source, a, form)
	})
}

// act does what a form of a page asks for, and goes on to the page that shows the result.
func (d *server) act(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		d.fail(w, r, &statusError{http.StatusBadRequest, "The form could not be read: " + err.Error(), err})
		return
	}
	if a := target(r.PostForm); a.Jobs != nil {
		d.actMany(w, r, d.verbs[a.Name], a)
		return
	}
	v, a, err := d.perform(r, r.PostForm)
	switch {
	case err == nil:
		w.Header().Set("Location", a.back(v.name))
		w.WriteHeader(http.StatusSeeOther)
		return
	case v == nil:
		d.fail(w, r, err)
		return
	}
	// What the user wrote is not lost.
	e := explain(err)
	b := &askBody{
		Title: v.title, Does: v.does, Danger: v.danger, Action: a, Back: a.back(""),
		Problem: e.text, Reason: r.PostForm.Get("reason"),
	}
	for _, f := range v.fields {
		f.Value = r.PostForm.Get(f.Name)
		b.Fields = append(b.Fields, f)
	}
	d.write(w, e.status, "ask", view{Title: v.title, Body: b})
}
