package filestore

import (
	"cmp"
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// Results reads a page of the results of a run, or that of one task.
func (b *backend) Results(ctx context.Context, p store.ResultsParams) (store.ResultsReply, error) {
	return read(ctx, b, p, func(s *state, p store.ResultsParams) (reply store.ResultsReply, err error) {
		r, err := s.run(p.Run)
		if err != nil {
			return reply, err
		}
		sorted := slices.Clone(r.Results.All)
		slices.SortFunc(sorted, func(a, b result) int {
			return cmp.Or(cmp.Compare(a.Group(), b.Group()), cmp.Compare(a.Place, b.Place))
		})
		group, place, _ := store.ParseResultCursor(p.After)
		size, looked := 0, 0
		for _, set := range sorted {
			switch {
			case set.over(s.now):
			case p.ID != "" && set.ID != p.ID || p.Kind != "" && set.Kind != p.Kind:
			case p.ID == "" && (set.Group() < group || set.Group() == group && set.Place <= place):
			case looked == p.Limit || looked > 0 && size+len(set.ID)+len(set.Data) > bounds.PageBytes:
				reply.Next = reply.Results[looked-1].Cursor()
				return reply, nil
			default:
				looked++
				size += len(set.ID) + len(set.Data)
				reply.Results = append(reply.Results, set.TaskResult)
			}
		}
		return reply, nil
	})
}
