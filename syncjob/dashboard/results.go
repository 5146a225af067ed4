package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// resultsPage is a page of results of tasks. Next is as in the other pages.
type resultsPage struct {
	Results []shownResult `json:"results"`
	Next    string        `json:"next"`
}

// shownResult is a result with its value, if payloads are shown.
type shownResult struct {
	Task  states.TaskResult `json:"task"`
	Value json.RawMessage   `json:"value,omitempty"`
}

// resultsBody is a page of the results of a run.
type resultsBody struct {
	Job     string
	Number  int64
	Kind    string
	Results []result
	Next    string // cursor, if more follow
}

// result is one result, with what the user may see of it.
type result struct {
	states.TaskResult
	Shown string
}

func (b *resultsBody) title() string { return fmt.Sprintf("Results of run %d of %s", b.Number, b.Job) }

func cursorOf(t states.TaskResult) string { return t.Cursor }

func payloadOf(t states.TaskResult) Payload { return Payload{Job: t.Job, Set: t.Set, Kind: t.Kind} }

// results reads a page of the results of a run.
func (d *source) results(ctx context.Context, q url.Values) (any, error) {
	r, err := d.runOf(q)
	if err != nil {
		return nil, err
	}
	b := &resultsBody{Job: r.Job(), Number: r.Number(), Kind: q.Get("kind")}
	options := &syncjob.ResultsOptions{ID: q.Get("id"), Kind: b.Kind, After: q.Get("after"), Limit: rows + 1}
	list, next, _, err := take(r.Results(ctx, options), cursorOf)
	if err != nil {
		return nil, err
	}
	b.Next = next
	for _, t := range list {
		b.Results = append(b.Results, result{t, d.shown(payloadOf(t), "result", t.Value)})
	}
	return b, nil
}

// resultsJSON is the same page for programs.
func (d *source) resultsJSON(ctx context.Context, q url.Values) (any, error) {
	b, err := d.results(ctx, q)
	if err != nil {
		return nil, err
	}
	page := resultsPage{Next: b.(*resultsBody).Next}
	for _, t := range b.(*resultsBody).Results {
		p := payloadOf(t.TaskResult)
		p.What = "result"
		page.Results = append(page.Results, shownResult{t.TaskResult, visible(d, p, t.Value)})
	}
	return page, nil
}
