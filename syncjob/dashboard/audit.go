package dashboard

import (
	"context"
	"net/url"

	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// auditBody is a page of who changed what, the newest first.
type auditBody struct {
	Job, By, Action string
	Entries         []states.AuditEntry
	Next            string // cursor, if more follow
	err             error
}

func (b *auditBody) missing() error { return b.err }

func (d *source) audit(ctx context.Context, q url.Values) (any, error) {
	b := &auditBody{Job: q.Get("job"), By: q.Get("by"), Action: q.Get("action")}
	options := &syncjob.AuditOptions{
		Job: b.Job, Run: number(q.Get("run")), By: b.By, Action: actions.Action(b.Action), After: q.Get("after"),
	}
	var err error
	place := func(e states.AuditEntry) string { return e.Cursor }
	if b.Entries, b.Next, b.err, err = take(d.m.Audit(ctx, options), place); err != nil {
		return nil, err
	}
	return b, nil
}
