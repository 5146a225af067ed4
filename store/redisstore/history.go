package redisstore

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// noteHistory adds points to the history of a partition, if the sweep found that there are none of
// this minute: then it has what is noted, and has set histograms aside. This reads the rest with
// plain commands, in pages: a script that reads 10,000 routes would block the server. The script
// that writes refuses if something else was noted since. If a sweep dies before, the next one finds
// the same.
func (s *Store) noteHistory(ctx context.Context, k *format.Keyspace, now time.Time, noted rueidis.RedisMessage) error {
	if noted.IsNil() {
		return nil
	}
	h, err := noted.AsStrMap()
	if err != nil {
		return script.Unexpected(script.Sweep, "")
	}
	series := format.ParseSeries(h)
	if !series.Due(now) { // the clock went back
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
	times, taken, err := s.readTimes(ctx, k)
	if err != nil {
		return err
	}
	minutes, hours, _ := series.Take(now, figures, times)
	head, set, gone := series.Changes()
	c := script.NewCall(k.Series, k.Minutes, k.Hours, k.Taken)
	c.Add(series.Head, head).Int64(now.Unix() / 60).Flag(taken)
	c.Add(oldest(now, bounds.MinutesKept), series.Points(minutes), oldest(now, bounds.HoursKept), series.Points(hours))
	c.Int(len(set) / 2).Add(set...).Int(len(gone)).Add(gone...)
	_, _, err = s.server.Word(ctx, script.NoteHistory, c)
	return err
}

// readTimes reads the histograms that are set aside. Nobody changes them any more, but the script
// that notes them removes them. It reports whether there is anything to remove; that includes what
// is damaged.
func (s *Store) readTimes(
	ctx context.Context, k *format.Keyspace,
) (_ map[store.Route]store.Times, taken bool, _ error) {
	timing := make(format.Timing)
	for cursor := uint64(0); ; {
		cmd := s.client.B().Hscan().Key(k.Taken).Cursor(cursor).Count(entriesAtOnce / 5).Build()
		page, err := s.client.Do(ctx, cmd).AsScanEntry()
		if err = s.server.Translate(ctx, "read histograms", err, k.Taken); err != nil {
			return nil, errors.Is(err, store.ErrCorrupt), script.Empty(err)
		}
		taken = taken || len(page.Elements) > 0
		for i := 0; i+1 < len(page.Elements); i += 2 {
			timing.Read(page.Elements[i], page.Elements[i+1])
		}
		if cursor = page.Cursor; cursor == 0 {
			return timing.Times(), taken, nil
		}
	}
}

// times packs histograms, if there are any: the key to which they are added, and its fields.
func (st *settlement) times() {
	if len(st.params.Times) == 0 {
		return
	}
	var fields []string
	for i := range st.params.Times {
		fields = append(fields, format.TimesFields(&st.params.Times[i])...)
	}
	st.Int(st.Key(st.space.Times)).Int(len(fields) / 2).Add(fields...)
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
