package scene

import (
	"context"
	"math"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// WithHistory lets a store remember that it was busy until now, and for as long as anybody asks:
// tasks came in waves, some failed, and in some minutes nothing happened.
func WithHistory(s store.Store) store.Store { return remembers{s} }

type remembers struct{ store.Store }

// SignalsAreComplete implements store.CompleteSignals.
func (r remembers) SignalsAreComplete() bool { return store.SignalsAreComplete(r.Store) }

// ReadHistory invents points, always the same for the same time.
func (r remembers) ReadHistory(ctx context.Context, p store.HistoryParams) (points []store.HistoryPoint, err error) {
	if p.Partition != 0 || ctx.Err() != nil {
		return nil, ctx.Err()
	}
	from, before := p.Minutes()
	for minute := from; minute < before; minute++ {
		if p.Hours && minute%60 != 0 || minute%60 > 50 {
			continue // it is quiet for a while in each hour
		}
		many := int64(40 + 30*math.Sin(float64(minute)/9))
		if p.Hours {
			many = int64(2000 + 1500*math.Sin(float64(minute)/60/6))
		}
		at := time.Unix(minute*60, 0)
		add := func(queue string, f store.Figures) {
			points = append(points, store.HistoryPoint{
				Route: store.Route{Queue: queue, Set: Set, Kind: Leaf{}.Kind()}, At: at, Figures: f,
			})
		}
		add("default", store.Figures{
			Enqueued: many + minute%5*3, Succeeded: many, Failed: many / 40 * (minute % 3), Retried: many / 20 * (minute % 2),
		})
		add("gpu", store.Figures{Enqueued: 3, Succeeded: minute % 4, Other: minute % 2})
	}
	return points, nil
}
