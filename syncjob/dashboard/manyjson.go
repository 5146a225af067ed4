package dashboard

import (
	"context"
	"net/http"

	"github.com/rollcall-go/rollcall/syncjob"
)

// manyCall is an action on many jobs as JSON.
type manyCall struct {
	Action string    `json:"action"`
	Jobs   JobFilter `json:"jobs,omitzero"`
	All    bool      `json:"all,omitempty"`     // must be set if jobs selects all
	DryRun bool      `json:"dry_run,omitempty"` // changes nothing
	Kinds  []string  `json:"kinds,omitempty"`   // of failed tasks
	Rate   int       `json:"rate,omitempty"`    // the most jobs, or failed tasks, in a second
	After  string    `json:"after,omitempty"`   // next of the call before
	Reason string    `json:"reason,omitempty"`
}

// manyJSON answers POST /api/v1/act-on-jobs.
func (d *server) manyJSON(w http.ResponseWriter, r *http.Request) {
	var c manyCall
	var done manyDone
	err := decode(w, r, &c)
	if err == nil {
		done, err = d.manyOf(r, c)
	}
	d.answer(w, done, err)
}

func (d *server) manyOf(r *http.Request, c manyCall) (done manyDone, err error) {
	v := d.verbs[c.Action]
	if v == nil || v.many == nil {
		return done, errNoSuchAction
	}
	a := Action{Name: c.Action, Jobs: &c.Jobs}
	err = d.within(r, a, c.Reason, func(ctx context.Context) error {
		opts := syncjob.BulkOptions{All: c.All, DryRun: c.DryRun, Kinds: c.Kinds, Rate: c.Rate}
		if opts.Jobs, err = a.Jobs.options(); err != nil {
			return err
		}
		opts.Jobs.After = c.After
		done, err = d.step(ctx, v.many, opts)
		return err
	})
	return done, err
}
