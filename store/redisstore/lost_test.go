package redisstore_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

func TestOutOfMemoryASweepEndsADeadSessionAndKeepsItsRecord(t *testing.T) {
	s := ownScene(t)
	run := s.begin(store.StartParams{Job: "job"})
	s.enqueue(run, items("k", 3)...)
	require.Len(t, s.worker("w").fetch(2, "k"), 2)
	s.worker("idle")
	s.expire("w")
	s.expire("idle")
	s.fill()
	s.sweep()
	require.EqualValues(t, 3, s.record(run).Counts.Pending)
	held := make(map[string]int)
	for _, l := range s.lost() {
		held[l.ID] = l.Held
	}
	require.Equal(t, map[string]int{"w": 2, "idle": 0}, held)
}

// Each script of a sweep runs, its reply is lost, and it is repeated.
func TestALostReplyOfASweepLeavesOneRecord(t *testing.T) {
	s, proxy := proxiedScene(t)
	s.sweep()
	s.begin(store.StartParams{Job: "job"})
	for i := range 5 {
		s.worker("w" + strconv.Itoa(i))
		s.expire("w" + strconv.Itoa(i))
	}
	proxy.Inject(redistest.Fault{Kind: redistest.Cut, Every: 2})
	for range 3 {
		_, err := s.Sweep(t.Context(), 0)
		require.ErrorIs(t, err, store.ErrUnavailable)
	}
	proxy.Clear()
	s.sweep()
	require.Len(t, s.lost(), 5)
}

func TestARecordOfALostSessionGoesAfterADay(t *testing.T) {
	s := newScene(t)
	record := func(id string) string { return id + ` 1 0 {"name":"w"}` }
	long := strconv.FormatInt(s.millis()-(bounds.LostKept+2*time.Second).Milliseconds(), 10)
	short := strconv.FormatInt(s.millis()-(bounds.LostKept-time.Hour).Milliseconds(), 10)
	s.command("ZADD", "lost", long, record("old"), short, record("new"))
	require.Len(t, s.lost(), 1, "what is too old is not listed")
	s.worker("w")
	s.expire("w")
	s.sweep()
	require.Len(t, s.lost(), 2)
	key := s.prefix() + "lost"
	n, err := s.client.Do(t.Context(), s.client.B().Zcard().Key(key).Build()).AsInt64()
	require.NoError(t, err)
	require.EqualValues(t, 2, n, "the next record drops it")
	ttl, err := s.client.Do(t.Context(), s.client.B().Pttl().Key(key).Build()).AsInt64()
	require.NoError(t, err)
	require.InDelta(t, bounds.LostKept.Milliseconds(), ttl, float64(time.Minute.Milliseconds()), "the key goes by itself")
}

// The names of a worker may have any characters, and its routes may be many.
func TestARecordOfALostSessionStaysSmall(t *testing.T) {
	s := newScene(t)
	info := store.WorkerInfo{
		Name: strings.Repeat("\n", bounds.MaxNoteLen), Host: strings.Repeat("\x00", bounds.MaxNoteLen),
		Version: strings.Repeat("<", bounds.MaxVersionLen),
	}
	for i := range 2000 {
		info.Routes = append(info.Routes, routeOf("kind"+strconv.Itoa(i)))
	}
	require.NoError(t, s.OpenSession(t.Context(), store.SessionID{ID: "w"}, info, time.Hour))
	live, err := s.LiveSessions(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, info.Routes, live[0].Worker.Routes)
	s.expire("w")
	s.sweep()
	info.Routes = nil
	lost := s.lost()
	require.Len(t, lost, 1)
	require.Equal(t, info, lost[0].Worker)
	records, err := s.client.Do(t.Context(), s.client.B().Zrange().Key(s.prefix()+"lost").Min("0").Max("-1").Build()).AsStrSlice()
	require.NoError(t, err)
	require.Less(t, len(records[0]), 16<<10)
	t.Logf("the largest record has %d bytes", len(records[0]))
}

func TestARecordThatCannotBeReadHidesNoOther(t *testing.T) {
	s := newScene(t)
	now := strconv.FormatInt(s.millis(), 10)
	s.command("ZADD", "lost", now, "garbage", now, "a b c {}", now, "w 1 2 {", now, `sound 1 2 {"name":"w"}`)
	lost := s.lost()
	require.Len(t, lost, 1)
	require.Equal(t, "w", lost[0].Worker.Name)
}
