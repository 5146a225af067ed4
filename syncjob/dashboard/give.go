package dashboard

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/syncjob"
)

// actCall is an action as JSON.
type actCall struct {
	Action string `json:"action"`
	Job    string `json:"job,omitempty"`
	Run    string `json:"run,omitempty"`  // its number
	Task   string `json:"task,omitempty"` // its ID
	At     string `json:"at,omitempty"`   // when, as 2030-01-31T08:00:00Z
	Kind   string `json:"kind,omitempty"` // of failed tasks
	Set    string `json:"set,omitempty"`
	Hold   string `json:"hold,omitempty"`
	Prefix string `json:"prefix,omitempty"` // of the keys of semaphores
	Worker string `json:"worker,omitempty"` // its name or ID
	Scope  struct {
		Queue string `json:"queue,omitempty"`
		Set   string `json:"set,omitempty"`
		Kind  string `json:"kind,omitempty"`
	} `json:"scope,omitzero"`
	Reason   string          `json:"reason,omitempty"`
	Document json.RawMessage `json:"document,omitempty"` // a configuration
	Version  string          `json:"version,omitempty"`  // that the document is based on
}

// actJSON is the action of a form, from a program.
func (d *server) actJSON(w http.ResponseWriter, r *http.Request) {
	var c actCall
	if err := decode(w, r, &c); err != nil {
		d.answer(w, nil, err)
		return
	}
	form := url.Values{
		"action": {c.Action}, "job": {c.Job}, "run": {c.Run}, "task": {c.Task}, "at": {c.At}, "kind": {c.Kind},
		"set":    {c.Set},
		"hold":   {c.Hold},
		"prefix": {c.Prefix}, "worker": {c.Worker}, "reason": {c.Reason},
		"scope-queue": {c.Scope.Queue}, "scope-set": {c.Scope.Set}, "scope-kind": {c.Scope.Kind},
		"document": {string(c.Document)}, "version": {c.Version},
	}
	_, _, err := d.perform(r, form)
	d.answer(w, struct{}{}, err)
}

// decode reads a small JSON document. It must be sent as such: no form of another site can do that
// without being asked first.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/json" {
		return &statusError{http.StatusUnsupportedMediaType, "The body must be application/json.", nil}
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxForm))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return &statusError{http.StatusBadRequest, "The body is not valid: " + err.Error(), err}
	}
	return nil
}

// enqueueCall adds one task to the active run of a job.
type enqueueCall struct {
	Job   string          `json:"job"`
	Kind  string          `json:"kind"`
	Args  json.RawMessage `json:"args"`
	ID    string          `json:"id,omitempty"`    // makes the call safe to repeat until the task has ended
	Queue string          `json:"queue,omitempty"` // that of the kind, if empty
	Delay int             `json:"delay_ms,omitempty"`
	// IDFor is for how long after the end of the task a repeated call adds nothing.
	IDFor int `json:"id_for_ms,omitempty"`
	// Expires is from when on the task is not begun any more; never, if it is left out.
	Expires time.Time `json:"expires,omitzero"`
}

// enqueued is the answer.
type enqueued struct {
	Task      string `json:"task"`      // its ID
	Duplicate bool   `json:"duplicate"` // the run already had it
}

// startCall starts a run of a single-pass job.
type startCall struct {
	Job  string          `json:"job"`
	Set  string          `json:"set"`
	Kind string          `json:"kind,omitempty"` // of the root task; empty with open
	Args json.RawMessage `json:"args,omitempty"`
	Open bool            `json:"open,omitempty"`
	// Deadline is how long after its start the run is stopped if it is still active, in ms.
	Deadline int    `json:"deadline_ms,omitempty"`
	Key      string `json:"key,omitempty"` // makes the call safe to repeat
}

// started is the answer.
type started struct {
	Job      string `json:"job"`
	Run      int64  `json:"run"`
	Existing bool   `json:"existing"` // a call with the same key had started it
}

func (d *source) enqueue(ctx context.Context, c enqueueCall) (any, error) {
	receipt, err := d.m.Enqueue(ctx, c.Job, enqueue.Raw(c.Kind, c.Args, nil), &enqueue.Options{
		ID: c.ID, IDFor: time.Duration(c.IDFor) * time.Millisecond, Queue: c.Queue,
		Delay: time.Duration(c.Delay) * time.Millisecond, Expires: c.Expires,
	})
	return enqueued{receipt.ID, receipt.Duplicate}, err
}

func (d *source) start(ctx context.Context, c startCall) (any, error) {
	job := syncjob.Job{
		Name: c.Job, Set: c.Set, Open: c.Open, Deadline: time.Duration(c.Deadline) * time.Millisecond,
	}
	if c.Kind != "" {
		job.Root = enqueue.Raw(c.Kind, c.Args, nil)
	}
	r, err := d.m.Start(ctx, job, &syncjob.StartOptions{Key: c.Key})
	if err != nil {
		return nil, err
	}
	return started{r.Job(), r.Number(), r.Existing()}, nil
}

// produce answers POST /api/v1/start and enqueue.
func produce[C any](
	d *server,
	name string,
	do func(context.Context, C) (any, error),
	job func(C) string,
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var c C
		err := decode(w, r, &c)
		if err == nil {
			err = d.authorize(r, Action{Name: name, Job: job(c)})
		}
		if err == nil && !d.opts.Produce {
			err = &statusError{
				http.StatusForbidden,
				"This server takes no jobs and tasks. Its program must set Options.Produce.",
				nil,
			}
		}
		var v any
		if err == nil {
			ctx, cancel := context.WithTimeout(syncjob.WithActor(r.Context(), d.opts.Actor(r)), ReadTime)
			defer cancel()
			v, err = do(ctx, c)
		}
		d.answer(w, v, err)
	}
}
