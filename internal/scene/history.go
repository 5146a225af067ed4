package scene

import (
	"context"
	"math"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/histogram"
)

// remembers lets a store remember that it was busy until now, and for as long as anybody asks:
// tasks came in waves, some failed, and in some minutes nothing happened.
type remembers struct{ store.Store }

// SignalsAreComplete implements store.CompleteSignals.
func (r remembers) SignalsAreComplete() bool { return store.SignalsAreComplete(r.Store) }

// ReadHistory invents points, always the same for the same time.
func (r remembers) ReadHistory(ctx context.Context, p store.HistoryParams) (points []store.HistoryPoint, err error) {
	if p.Partition != 0 {
		return nil, ctx.Err()
	}
	from, before := p.Minutes()
	for minute := from; minute < before; minute++ {
		many := wave(minute, p.Hours)
		if many == 0 {
			continue
		}
		add := func(queue string, f store.Figures) {
			route := store.Route{Queue: queue, Set: Set, Kind: Leaf{}.Kind()}
			p := store.HistoryPoint{Route: route, At: time.Unix(minute*60, 0), Figures: f}
			if ended := f.Succeeded + f.Failed + f.Retried + f.Other; ended > 0 {
				p.Times = store.Times{Wait: spread(ended, 5*time.Millisecond), Run: spread(ended, 200*time.Millisecond)}
			}
			points = append(points, p)
		}
		add("default", store.Figures{
			Enqueued: many + minute%5*3, Succeeded: many, Failed: many / 40 * (minute % 3), Retried: many / 20 * (minute % 2),
		})
		add("gpu", store.Figures{Enqueued: 3, Succeeded: minute % 4, Other: minute % 2})
	}
	return points, ctx.Err()
}

// spread has most durations at the usual one, and one in twenty at 16 times as much.
func spread(count int64, usual time.Duration) histogram.Histogram {
	var c histogram.Counts
	c[histogram.Index(16*usual)] = count / 20
	c[histogram.Index(usual)] = count - count/20
	return c.Histogram()
}

// wave is how many tasks succeed in a minute, or in the hour of it.
func wave(minute int64, hours bool) int64 {
	switch {
	case hours && minute%60 == 0:
		return int64(2000 + 1500*math.Sin(float64(minute)/60/6))
	case hours, minute%60 > 50: // it is quiet for a while in each hour
		return 0
	}
	return int64(40 + 30*math.Sin(float64(minute)/9))
}
