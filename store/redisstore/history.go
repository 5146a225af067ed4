package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// noteHistory adds points to the history of a partition, for the first sweep of a minute. It reads
// what is noted, then the ledger in pages: a script that reads 10,000 routes would block the
// server. The script that writes refuses if something else was noted since.
func (s *Store) noteHistory(ctx context.Context, k *format.Keyspace, now time.Time) error {
	minute := now.Unix() / 60
	if looked, _ := s.looked.Load(k.Partition); looked == minute {
		return nil
	}
	h, err := s.client.Do(ctx, s.client.B().Hgetall().Key(k.Series).Build()).AsStrMap()
	if err = script.Empty(s.server.Translate(ctx, "read the history", err, k.Series)); err != nil {
		return err
	}
	series := format.ParseSeries(h)
	if series.Minute == minute {
		s.looked.Store(k.Partition, minute)
		return nil
	}
	d := &depths{Store: s, k: k, routes: make(map[string]*depth)}
	if err := d.readFigures(ctx); err != nil {
		return err
	}
	figures := make(map[store.Route]store.Figures, len(d.routes))
	for _, q := range d.routes {
		if q.Route.Counted() {
			figures[q.Route] = q.figures
		}
	}
	if minutes, hours, ok := series.Take(now, figures); ok {
		head, set, gone := series.Changes()
		c := script.NewCall(k.Series, k.Minutes, k.Hours).Add(series.Head, head).Int(int(minute))
		c.Add(oldest(now, bounds.MinutesKept), series.Points(minutes), oldest(now, bounds.HoursKept), series.Points(hours))
		c.Int(len(set) / 2).Add(set...).Int(len(gone)).Add(gone...)
		if _, _, err := s.server.Word(ctx, script.NoteHistory, c); err != nil {
			return err
		}
	}
	s.looked.Store(k.Partition, minute)
	return nil
}

// oldest is the first minute whose points are kept.
func oldest(now time.Time, kept time.Duration) string {
	return strconv.FormatInt(now.Add(-kept).Unix()/60, 10)
}

// ReadHistory implements [store.History].
func (s *Store) ReadHistory(ctx context.Context, p store.HistoryParams) ([]store.HistoryPoint, error) {
	if err := s.server.Begin(ctx); err != nil {
		return nil, err
	}
	k := s.spaces[p.Partition]
	key := k.Minutes
	if p.Hours {
		key = k.Hours
	}
	from, before := p.Minutes()
	members, err := s.client.Do(ctx, s.client.B().Zrangebyscore().Key(key).Min(strconv.FormatInt(from, 10)).
		Max("("+strconv.FormatInt(before, 10)).Withscores().Build()).AsZScores()
	if err = script.Empty(s.server.Translate(ctx, "read the history", err, key)); err != nil {
		return nil, err
	}
	var points []store.HistoryPoint
	for _, m := range members {
		points = append(points, format.ParsePoints(m.Member, m.Score)...)
	}
	return points, nil
}
