package dashboard

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// taskBody is one task. Of one that has succeeded there is only its result.
type taskBody struct {
	Task   states.Task
	Args   string
	Heads  string
	Result *states.TaskResult
	Shown  string // of the result
}

func (b *taskBody) title() string {
	if b.Result != nil {
		return "Task " + b.Result.ID
	}
	return "Task " + b.Task.ID
}

func (d *source) task(ctx context.Context, q url.Values) (any, error) {
	r, err := d.runOf(q)
	if err != nil {
		return nil, err
	}
	t, err := r.Task(q.Get("id")).State(ctx)
	if errors.Is(err, syncjob.ErrTaskNotFound) {
		return d.succeeded(ctx, r, q.Get("id"), err)
	}
	if err != nil {
		return nil, err
	}
	slices.Reverse(t.Attempts) // the newest first
	p := Payload{Job: t.Job, Set: t.Set, Kind: t.Kind}
	return &taskBody{Task: t, Args: d.shown(p, "arguments", t.Payload), Heads: d.headers(p, t.Headers)}, nil
}

// succeeded is the page of a task of which only the result is left, if there is one.
func (d *source) succeeded(ctx context.Context, r *syncjob.Run, id string, otherwise error) (any, error) {
	found, _, _, err := take(r.Results(ctx, &syncjob.ResultsOptions{ID: id, Limit: 1}), cursorOf)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, otherwise
	}
	t := found[0]
	return &taskBody{Result: &t, Shown: d.shown(payloadOf(t), "result", t.Value)}, nil
}
