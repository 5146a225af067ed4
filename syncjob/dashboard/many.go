package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// An action on many jobs is done in steps. Each request does what it can in stepTime and answers how
// far it came, with the name of the last job; the next request goes on behind it. The server keeps
// nothing between them: if the reader leaves, or a process dies, the jobs that had their turn are
// done, the others are as they were, and the same action later does the rest.

// stepTime is how long one request works on many jobs.
var stepTime = 2 * time.Second

// manyShown is how many jobs an answer names.
const manyShown = 100

// manyDone is how far an action on many jobs came.
type manyDone struct {
	Result states.BulkResult `json:"result"` // of this call
	// Jobs are the first 100 that were, or would be, changed by this call.
	Jobs []states.BulkJob `json:"jobs"`
	// More says that there is more to do: by the same call, with Next as its "after".
	More bool   `json:"more"`
	Next string `json:"next"`
	// Missing says which partitions of the store did not answer.
	Missing string `json:"missing,omitempty"`
}

// errStep ends a call when its time is over.
var errStep = errors.New("the time of this step is over")

// step does an action to the jobs behind opts.Jobs.After, as many as fit into stepTime, and always to
// one. A job whose failed tasks are many may need several steps: then Next is again the one before it.
func (d *source) step(ctx context.Context, call bulkFunc, opts syncjob.BulkOptions) (manyDone, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	end := time.Now().Add(stepTime)
	after, over := opts.Jobs.After, false
	var v manyDone
	v.Result.DryRun = opts.DryRun
	opts.Progress = func(j states.BulkJob, _ states.BulkResult) {
		if over && j.Did == states.BulkFailed { // it was interrupted, and has its turn again
			v.Result.Tasks += j.Tasks
			return
		}
		if j.Did != "" {
			after = j.Job
			v.Result = tally(v.Result, j)
		}
		if (j.Did == states.BulkChanged || j.Did == states.BulkFailed) && len(v.Jobs) < manyShown {
			v.Jobs = append(v.Jobs, j)
		}
		if !over && time.Now().After(end) {
			over = true
			stop(errStep)
		}
	}
	got, err := call(d.m, ctx, &opts)
	v.Result.Operation = got.Operation
	switch {
	case over:
		v.More, v.Next = true, after
		return v, nil
	case err == nil, got.Failed > 0 && ctx.Err() == nil && !partly(err): // each failure is listed
		return v, nil
	case partly(err):
		v.Missing = err.Error()
		return v, nil
	}
	return v, err
}

// tally adds a job to a result.
func tally(r states.BulkResult, j states.BulkJob) states.BulkResult {
	r = r.With(j)
	if j.Did == states.BulkFailed && len(r.Failures) < manyShown {
		r.Failures = append(slices.Clip(r.Failures), j)
	}
	return r
}

// sum adds what a later step did.
func sum(r, later states.BulkResult) states.BulkResult {
	r.Matched += later.Matched
	r.Changed += later.Changed
	r.Already += later.Already
	r.Passed += later.Passed
	r.Failed += later.Failed
	r.Tasks += later.Tasks
	r.Left += later.Left
	room := max(0, manyShown-len(r.Failures))
	r.Failures = append(slices.Clip(r.Failures), later.Failures[:min(room, len(later.Failures))]...)
	return r
}

// manyOptions reads which jobs a form is about, and which of their failed tasks.
func manyOptions(a Action, form url.Values) (o syncjob.BulkOptions, err error) {
	o = syncjob.BulkOptions{All: form.Get("all") == "yes"}
	if o.Jobs, err = a.Jobs.options(); err != nil {
		return o, err
	}
	o.Jobs.After = form.Get("after")
	if kind := form.Get("kind"); kind != "" {
		o.Kinds = []string{kind}
	}
	return o, nil
}

// manyBody is a page about many jobs: what an action would do, or how far it came.
type manyBody struct {
	Title, Does, Verb string
	Danger            bool
	Action            Action
	Fields            []field
	All, After        string
	Reason            string
	Would             bool // nothing was done yet
	Now               manyDone
	SoFar             states.BulkResult // of all steps
	Encoded           string            // SoFar, for the next step
	Of                int               // how many jobs there were at first; 0 if it is not known
}

func (b *manyBody) title() string { return b.Title }

// Back is the page of the jobs.
func (b *manyBody) Back() string { return link("jobs", b.Action.Jobs.pairs()...) }

// Nothing reports whether nothing would be changed.
func (b *manyBody) Nothing() bool { return !b.Now.More && b.SoFar.Changed == 0 && b.Now.Missing == "" }

// Says is the result in words.
func (b *manyBody) Says() string {
	r := b.SoFar
	begin, changed := "It is done. ", " changed, with "
	switch {
	case b.Would && b.Now.More:
		begin, changed = "There are more than could be counted in "+took(stepTime)+". So far: ", " would change, with "
	case b.Would:
		begin, changed = "", " would change, with "
	case b.Now.More:
		begin = "It goes on. "
	}
	text := begin + plural(r.Matched, "job") + " selected: " + grouped(r.Changed) + changed + plural(r.Tasks, "task")
	for _, part := range []struct {
		n    int
		said string
	}{
		{r.Already, "so already"}, {r.Passed, "with nothing to do"}, {r.Failed, "failed"},
	} {
		if part.n > 0 {
			text += "; " + grouped(part.n) + " " + part.said
		}
	}
	if r.Left > 0 {
		text += "; " + plural(r.Left, "failed task") + " could not be moved"
	}
	return text + "."
}

func (d *server) manyPage(v *verb, a Action, form url.Values) *manyBody {
	return &manyBody{
		Title: v.title, Does: v.does, Verb: v.name, Danger: v.danger, Action: a, Fields: filled(v.fields, form),
		All: form.Get("all"), Reason: form.Get("reason"), Of: int(number(form.Get("of"))),
	}
}

// filled are fields with what a form has.
func filled(fields []field, form url.Values) (list []field) {
	for _, f := range fields {
		f.Value = form.Get(f.Name)
		list = append(list, f)
	}
	return list
}

// askMany shows which jobs an action would change, and how many.
func (d *server) askMany(ctx context.Context, v *verb, a Action, q url.Values) (*manyBody, error) {
	opts, err := manyOptions(a, q)
	if err != nil {
		return nil, err
	}
	opts.DryRun, opts.Jobs.After = true, ""
	b := d.manyPage(v, a, q)
	b.Would = true
	if b.Now, err = d.step(ctx, v.many, opts); err != nil {
		return nil, err
	}
	b.SoFar = b.Now.Result
	if !b.Now.More {
		b.Of = b.SoFar.Matched
	}
	return b, nil
}

// actMany does a step of an action, and shows how far it came.
func (d *server) actMany(w http.ResponseWriter, r *http.Request, v *verb, a Action) {
	b := d.manyPage(v, a, r.PostForm)
	err := d.within(r, a, r.PostForm.Get("reason"), func(ctx context.Context) error {
		opts, err := manyOptions(a, r.PostForm)
		if err == nil {
			b.Now, err = d.step(ctx, v.many, opts)
		}
		return err
	})
	if err != nil {
		d.fail(w, r, err)
		return
	}
	var before states.BulkResult
	if text := r.PostForm.Get("so-far"); text != "" {
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			d.fail(w, r, &statusError{http.StatusBadRequest, "The form does not say what was done before.", err})
			return
		}
	}
	b.SoFar = sum(before, b.Now.Result)
	encoded, err := json.Marshal(b.SoFar)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	b.Encoded, b.After = string(encoded), b.Now.Next
	d.write(w, http.StatusOK, "many", view{Title: v.title, Nav: "jobs", Body: b})
}
