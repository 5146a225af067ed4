package redisstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/internal/tasklist"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// routes lists those of the run that can be selected, from the place of the cursor on.
func (l *listing) routes(ctx context.Context) ([]string, error) {
	all, err := l.client.Do(ctx, l.client.B().Smembers().Key(l.space.Lanes(l.run)).Build()).AsStrSlice()
	if err = script.Empty(l.server.Translate(ctx, "list lanes", err)); err != nil {
		return nil, err
	}
	slices.Sort(all)
	return slices.DeleteFunc(all, func(name string) bool {
		route, ok := format.ParseRoute(name)
		return !ok || !l.Route(l.at.Source, route) || name < l.at.Place
	}), nil
}

// waitingPlace is a list or sorted set of tasks of one route.
type waitingPlace struct {
	key    string
	cursor tasklist.Cursor // at its back
	marker string          // of a staged list
}

// kind is how scripts read the place.
func (p *waitingPlace) kind() string {
	switch {
	case p.cursor.Source == tasklist.Delayed:
		return "z"
	case p.delays():
		return "x"
	case p.cursor.Source == tasklist.Waiting:
		return "w"
	}
	return "l"
}

// delays reports whether its entries say when they are due, in front of the messages.
func (p *waitingPlace) delays() bool { return strings.HasPrefix(p.marker, "x") }

// lanes reads a list, or sorted set, of each lane.
func (l *listing) lanes(ctx context.Context, key func(lane string) string) (ended bool, err error) {
	routes, err := l.routes(ctx)
	if err != nil {
		return false, err
	}
	for names := range slices.Chunk(routes, maxPlaces) {
		places := make([]waitingPlace, 0, len(names))
		for _, name := range names {
			places = append(places, waitingPlace{
				key: key(format.LaneName(l.run, name)), cursor: tasklist.Cursor{Source: l.at.Source, Place: name},
			})
		}
		passed := int64(0)
		if places[0].cursor.Place == l.at.Place {
			passed = l.at.At
		}
		at := func(p *waitingPlace, passed int64) tasklist.Cursor {
			c := p.cursor
			c.At = passed
			return c
		}
		if ended, err := l.read(ctx, places, passed, at); err != nil || !ended {
			return false, err
		}
	}
	return true, nil
}

// staged reads the staged children whose parents have succeeded, by route and list.
func (l *listing) staged(ctx context.Context) (ended bool, err error) {
	routes, err := l.routes(ctx)
	if err != nil {
		return false, err
	}
	for _, name := range routes {
		if name != l.at.Place {
			l.at = tasklist.Cursor{Source: l.at.Source, Place: name}
		}
		for more := true; more; {
			if more, err = l.markers(ctx, name); err != nil {
				return false, err
			} else if l.full() {
				return false, nil
			}
		}
	}
	return true, nil
}

// markers reads some of the staged lists of a route, and reports whether there are more.
func (l *listing) markers(ctx context.Context, name string) (more bool, err error) {
	first := -l.at.At - maxPlaces
	markers, err := l.client.Do(ctx, l.client.B().Lrange().Key(l.space.Markers(format.LaneName(l.run, name))).
		Start(first).Stop(-l.at.At-1).Build()).AsStrSlice()
	if err = script.Empty(l.server.Translate(ctx, "list staged children", err)); err != nil || len(markers) == 0 {
		return false, err
	}
	places := make([]waitingPlace, 0, len(markers))
	for i, marker := range slices.Backward(markers) {
		places = append(places, waitingPlace{
			key:    l.space.Staged(l.run, marker+"/"+name),
			cursor: tasklist.Cursor{Source: l.at.Source, Place: name, At: l.at.At + int64(len(markers)-1-i)},
			marker: marker,
		})
	}
	at := func(p *waitingPlace, passed int64) tasklist.Cursor {
		c := p.cursor
		c.Within = passed
		return c
	}
	ended, err := l.read(ctx, places, l.at.Within, at)
	if ended {
		l.at = tasklist.Cursor{Source: l.at.Source, Place: name, At: l.at.At + int64(len(markers))}
	}
	return ended && len(markers) == maxPlaces, err
}

// read looks at places, of the first behind so many of its tasks, until the page is full. It
// reports whether it came to the end of all.
func (l *listing) read(
	ctx context.Context,
	places []waitingPlace,
	passed int64,
	at func(*waitingPlace, int64) tasklist.Cursor,
) (ended bool, err error) {
	if l.full() {
		return false, nil
	}
	if l.change != nil {
		return l.changeIn(ctx, places, passed, at)
	}
	c := script.NewCall(l.space.Run(l.run)).Int(l.left).Int(l.bytes).Add(l.ID).Flag(l.Claimed).Int64(passed)
	for i := range places {
		c.Key(places[i].key)
		c.Add(places[i].kind(), places[i].cursor.Place)
	}
	word, rest, err := l.server.Word(ctx, script.ReadTasks, c)
	if err != nil {
		return false, err
	}
	if word != "ok" || len(rest) != 5 {
		return false, script.Unexpected(script.ReadTasks, word)
	}
	return l.found(places, rest, at)
}

// found adds what a script found in places to the page.
func (l *listing) found(
	places []waitingPlace, rest []rueidis.RedisMessage, at func(*waitingPlace, int64) tasklist.Cursor,
) (ended bool, err error) {
	found, err := rest[4].ToArray()
	next := script.Number(rest[0])
	l.left, l.bytes = int(script.Number(rest[2])), int(script.Number(rest[3]))
	if err != nil || next > int64(len(places)) {
		return false, script.Unexpected(script.ReadTasks, "places")
	}
	for i := range found {
		entry, err := found[i].ToArray()
		if err != nil || len(entry) != 4 || script.Number(entry[0]) >= int64(len(places)) {
			return false, script.Unexpected(script.ReadTasks, "places")
		}
		p := &places[script.Number(entry[0])]
		l.at = at(p, script.Number(entry[1]))
		l.addWaiting(p, script.Text(entry[2]), format.ParseMillis(script.Text(entry[3])))
	}
	if next == int64(len(places)) {
		return true, nil
	}
	l.at = at(&places[next], script.Number(rest[1]))
	return false, nil
}

// addWaiting adds what is stored of a task in a place.
func (l *listing) addWaiting(p *waitingPlace, stored string, due time.Time) {
	route, _ := format.ParseRoute(p.cursor.Place)
	if p.delays() {
		_, stored, _ = format.CutByte(stored, ' ')
	}
	l.add(route, stored, due)
}
