package dashboard

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/rollcall-go/rollcall/syncjob"
)

// resultsPage is a page of results of tasks. Next is as in the other pages.
type resultsPage struct {
	Results []shownResult `json:"results"`
	Next    string        `json:"next"`
}

// shownResult is a result with its value, if payloads are shown.
type shownResult struct {
	Task  syncjob.TaskResult `json:"task"`
	Value json.RawMessage    `json:"value,omitempty"`
}

// results reads a page of the results of a run.
func (d *source) results(ctx context.Context, q url.Values) (any, error) {
	r, err := d.runOf(q)
	if err != nil {
		return nil, err
	}
	options := &syncjob.ResultsOptions{Kind: q.Get("kind"), After: q.Get("after"), Limit: rows + 1}
	place := func(t syncjob.TaskResult) string { return t.Cursor }
	list, next, _, err := take(r.Results(ctx, options), place)
	if err != nil {
		return nil, err
	}
	page := resultsPage{Next: next}
	for _, t := range list {
		value := visible(d, Payload{Job: t.Job, Set: t.Set, Kind: t.Kind, What: "result"}, t.Value)
		page.Results = append(page.Results, shownResult{t, value})
	}
	return page, nil
}
