package redisstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
)

// dump returns what brings back all that is stored now.
func (s *scene) dump() (restore func()) {
	s.Helper()
	b := s.client.B
	all := make(map[string]string)
	for _, key := range keysUnder(s, s.client, s.prefix()) {
		value, err := s.client.Do(s.Context(), b().Dump().Key(key).Build()).ToString()
		require.NoError(s, err)
		all[key] = value
	}
	return func() {
		for _, key := range keysUnder(s, s.client, s.prefix()) {
			require.NoError(s, s.client.Do(s.Context(), b().Unlink().Key(key).Build()).Error())
		}
		for key, value := range all {
			cmd := b().Restore().Key(key).Ttl(0).SerializedValue(value).Build()
			require.NoError(s, s.client.Do(s.Context(), cmd).Error())
		}
	}
}

// ofRun lists what is stored of a run, under keys of its own and in those of its job and rings.
func (s *scene) ofRun(run store.RunID) []string {
	s.Helper()
	var lines []string
	for key, content := range s.contents() {
		_, name, _ := strings.Cut(key, "}:")
		if !strings.Contains(name, RunID(run)) && !strings.HasSuffix(name, ":"+run.Job) && !strings.HasPrefix(name, "ring:") {
			continue
		}
		if members, ok := content.([]any); ok && strings.HasPrefix(name, "lanes:") { // in no order
			for _, m := range members {
				lines = append(lines, fmt.Sprintf("%s %q", name, m))
			}
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %q", name, fmt.Sprint(content)))
	}
	slices.Sort(lines)
	return lines
}

// What removes a run, or parts of it, reads first what there is, and removes it then. A server may
// go back in between, to where the run was active: whatever the moment, the run is left alone.
func TestARunThatAServerWentBackToIsLeftAlone(t *testing.T) {
	sweep := func(s *scene, _ store.RunID) error { _, err := s.Sweep(s.Context(), 0); return err }
	for name, c := range map[string]struct {
		then func(s *scene, run store.RunID) // what the server loses, besides the stop
		act  func(s *scene, run store.RunID) error
	}{
		"a sweep purges it": {act: sweep},
		"its time is over": {
			then: func(s *scene, run store.RunID) { s.sweep(); s.command("ZADD", "hist", "1", RunID(run)) },
			act:  sweep,
		},
		"it is deleted":           {act: func(s *scene, run store.RunID) error { return s.DeleteRun(s.Context(), run) }},
		"its job is deleted":      {act: func(s *scene, run store.RunID) error { return s.DeleteJob(s.Context(), run.Job) }},
		"its record was lost":     {then: loseRecord, act: func(s *scene, run store.RunID) error { return s.DeleteJob(s.Context(), run.Job) }},
		"its record was lost too": {then: loseExpired, act: sweep},
	} {
		t.Run(name, func(t *testing.T) {
			s, proxy := proxiedScene(t)
			w := s.worker("w")
			for nth, struck := 1, true; struck; nth++ {
				run := leaves(s, w, fmt.Sprint("job", nth), 3)
				_, err := s.WriteConfiguration(t.Context(), store.ConfigurationWrite{
					ID: store.ConfigurationID{Run: run}, Token: "token", IfVersion: store.AnyVersion, Document: []byte("{}"),
				})
				require.NoError(t, err)
				require.NoError(t, s.write(fmt.Sprint("values", nth), run))
				before, restore := s.ofRun(run), s.dump()
				require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: run}))
				if c.then != nil {
					c.then(s, run)
				}
				n := 0
				struck = false
				proxy.Inject(redistest.Fault{Kind: redistest.Delay, Match: func(c redistest.Command) bool {
					if redistest.Work(c) {
						n++
					}
					if n == nth && !struck {
						struck = true
						restore()
					}
					return false
				}})
				err = c.act(s, run)
				proxy.Clear()
				if !struck {
					require.NoError(t, err, "nothing came in between")
					require.Greater(t, nth, 1)
					break
				}
				after := s.ofRun(run)
				require.Empty(t, without(before, after), "gone, as it went back before command %d: %v", nth, err)
				require.Empty(t, without(after, before), "new, as it went back before command %d: %v", nth, err)
				require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: run}))
				s.sweep()
				require.NoError(t, s.DeleteRun(t.Context(), run))
			}
		})
	}
}

func loseRecord(s *scene, run store.RunID) {
	s.sweep()
	s.command("DEL", "run:"+RunID(run))
}

func loseExpired(s *scene, run store.RunID) {
	loseRecord(s, run)
	s.command("ZADD", "hist", "1", RunID(run))
}

// write keeps a value of a run.
func (s *scene) write(stream string, run store.RunID) error {
	if err := s.OpenProducer(s.Context(), 0, stream); err != nil {
		return err
	}
	_, err := s.WriteValues(s.Context(), store.WriteParams{Stream: stream, Number: 1, Writes: []store.Write{{
		Scope: store.RunScope(run), Name: "n", Type: store.ValueFloat, Op: store.WriteAdd,
		Data: []store.Datum{{Bytes: []byte("7")}},
	}}})
	return err
}

// An entry by which nobody may go: a hand put it there, or a server that has gone back since showed
// it.
func TestASweepLeavesAnActiveRunAloneWhateverIndexNamesIt(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	run := leaves(s, w, "job", 3)
	before := s.ofRun(run)
	for _, index := range []string{"trash", "hist"} {
		s.command("ZADD", index, "1", RunID(run))
		s.sweep()
		require.Equal(t, before, s.ofRun(run), index)
		require.Empty(t, s.left(index))
	}
}
