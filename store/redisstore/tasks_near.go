package redisstore

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/internal/taskid"
	"github.com/rollcall-go/rollcall/internal/tasklist"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// A waiting list is about in the order in which its tasks were enqueued. Out of order are those
// that waited for a time, or were retried, or took the place of a cancelled one, and those of
// producers whose clocks differ. So a look near the place of a time finds most tasks, and a search
// that does not find its task there looks everywhere.
const (
	nearBefore = 2000 // tasks, in all lanes together
	nearBehind = 8000
)

// guess is what is known of the task that is sought without looking at tasks.
type guess struct {
	at   time.Time // when it was enqueued, about; zero if that is not known, or not worth a look
	gone bool      // no task claims the ID, and only one that does is sought
}

// guessOf judges the score of the claim on the ID that p seeks, and how many tasks of the run are
// pending. known is false if the claims cannot be read.
func guessOf(p *store.TasksParams, score float64, known bool, pending int64) (g guess) {
	if score > format.Far {
		g.at = time.UnixMilli(int64(score - format.Far))
	} else if at, ok := taskid.Made(p.ID); ok {
		g.at = at
	}
	if pending <= bounds.MaxPage {
		g.at = time.Time{}
	}
	g.gone = p.Claimed && known && score < format.Far
	return g
}

// excludes reports whether the task is not in a source. A staged child claims its ID only when it
// is activated.
func (g guess) excludes(s tasklist.Source) bool {
	return g.gone && (s == tasklist.Delayed || s == tasklist.Recovered || s == tasklist.Waiting)
}

// near looks where the task most likely waits. Then the listing begins as it would without that.
func (l *listing) near(ctx context.Context) error {
	begin, left := l.at, l.left
	l.at = tasklist.Cursor{Source: tasklist.Waiting}
	if !l.Source(tasklist.Waiting) || l.guess.gone {
		l.at = begin
		return nil
	}
	places, err := l.waitingPlaces(ctx)
	if err != nil {
		return err
	}
	later, err := l.seek(ctx, places)
	if err != nil {
		return err
	}
	at := func(p *waitingPlace, passed int64) tasklist.Cursor {
		return tasklist.Cursor{Source: tasklist.Waiting, Place: p.cursor.Place, At: passed}
	}
	for i := range places {
		some := int64(len(places))
		passed, end := max(0, later[i]-nearBefore/some), later[i]+nearBehind/some+1
		for ended := false; passed < end && !ended; passed = l.at.At {
			l.left = int(end - passed)
			if ended, err = l.read(ctx, places[i:i+1], passed, at); err != nil {
				return err
			}
			if l.change.done() || l.Found(len(l.reply.Tasks)) {
				return nil
			}
		}
	}
	l.at, l.left, l.bytes = begin, left, bounds.PageBytes
	return nil
}

// waitingPlaces are the waiting lists of the run that can have the task.
func (l *listing) waitingPlaces(ctx context.Context) (places []waitingPlace, err error) {
	routes, err := l.routes(ctx)
	for _, name := range routes {
		places = append(places, waitingPlace{
			key:    l.space.Waiting(format.LaneName(l.run, name)),
			cursor: tasklist.Cursor{Source: tasklist.Waiting, Place: name},
		})
	}
	return places, err
}

// seek returns how many tasks at the back of each list were enqueued later than the one that is
// sought.
func (l *listing) seek(ctx context.Context, places []waitingPlace) ([]int64, error) {
	later, most := make([]int64, len(places)), make([]int64, len(places))
	for i := range most {
		most[i] = -1
	}
	for {
		var some []int
		c := script.NewCall(l.space.Run(l.run)).Int64(l.guess.at.UnixMilli())
		for i := range places {
			if later[i] != most[i] && len(some) < maxPlaces {
				some = append(some, i)
				c.Key(places[i].key)
				c.Int64(later[i]).Int64(most[i])
			}
		}
		if len(some) == 0 {
			return later, nil
		}
		word, rest, err := l.server.Word(ctx, script.SeekTask, c)
		if err != nil {
			return nil, err
		}
		if word != "ok" || len(rest) != len(some) {
			return nil, script.Unexpected(script.SeekTask, word)
		}
		for n, i := range some {
			v, err := rest[n].ToArray()
			if err != nil || len(v) != 2 {
				return nil, script.Unexpected(script.SeekTask, "lists")
			}
			later[i], most[i] = script.Number(v[0]), script.Number(v[1])
		}
	}
}
