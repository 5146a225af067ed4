package store

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store/bounds"
)

func TestATaskCarriesItsLastAttempts(t *testing.T) {
	var task Task
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.FixedZone("", 3600))
	for i := range 7 {
		before := task.Attempts
		was := append([]Attempt(nil), before...)
		task.Tried(
			Attempt{Ended: at.Add(time.Duration(i) * time.Hour), Took: 1500 * time.Microsecond, Worker: "w", Error: string(rune('0' + i))},
		)
		require.Equal(t, was, append([]Attempt(nil), before...), "what the task had does not change")
	}
	require.Len(t, task.Attempts, bounds.MaxAttempts)
	for i, a := range task.Attempts {
		require.Equal(t, Attempt{
			Ended: at.Add(time.Duration(i+2) * time.Hour).
				UTC().
				Truncate(time.Millisecond),
			Took: time.Millisecond, Worker: "w", Error: string(rune('2' + i)),
		}, a)
	}
	require.NoError(t, task.validate())
}

func TestErrorsOfAttemptsAreCutTheLongestFirst(t *testing.T) {
	long := strings.Repeat("é", 1000)
	var task Task
	task.Tried(Attempt{Error: long + "\xff"})
	require.Greater(t, len(task.Attempts[0].Error), 400, "one has nearly all of the room")
	for range 3 {
		task.Tried(Attempt{Worker: strings.Repeat("w", 1000), Error: long})
	}
	task.Tried(Attempt{Error: "short"})
	size := 0
	for _, a := range task.Attempts {
		require.True(t, utf8.ValidString(a.Error))
		size += attemptOverhead + len(a.Worker) + len(a.Error)
	}
	require.LessOrEqual(t, size, bounds.MaxAttemptBytes)
	require.Greater(t, size, bounds.MaxAttemptBytes-20, "no room is left unused")
	require.Equal(t, "short", task.Attempts[4].Error)
	require.NoError(t, task.validate())
}

func TestAttemptsThatNobodyNotedAreRefused(t *testing.T) {
	for name, all := range map[string][]Attempt{
		"too many":      make([]Attempt, bounds.MaxAttempts+1),
		"too long":      {{Error: strings.Repeat("x", bounds.MaxAttemptBytes)}},
		"no text":       {{Worker: "\xff"}},
		"no error text": {{Error: "\xff"}},
		"negative":      {{Took: -1}},
		"no time to be": {{Ended: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
	} {
		task := Task{ID: "t", Attempts: all}
		err := task.validate()
		require.ErrorIs(t, err, ErrInvalid, name)
		require.ErrorContains(t, err, "Task.Attempts", name)
	}
}

func TestAReclaimedTaskSaysWhoHadIt(t *testing.T) {
	now, run := time.UnixMilli(1_000_000).UTC(), RunID{Job: "j", Number: 1}
	s := &SessionRecord{
		Worker:  WorkerInfo{Name: "w1"},
		Running: []RunningTask{{Run: RunID{Job: "j", Number: 2}, ID: "t"}, {Run: run, ID: "t", Since: now.Add(-time.Minute)}},
	}
	task := Task{ID: "t"}.Reclaimed(s, run, now)
	want := Attempt{Ended: now, Took: time.Minute, Worker: "w1", Error: workerDied}
	require.Equal(t, Task{ID: "t", Recovered: true, Ready: now, Attempts: []Attempt{want}}, task)
	task = task.Reclaimed(&SessionRecord{}, run, now)
	require.Equal(t, 1, task.Crashes, "it was the one recovered task of that session")
	require.Equal(t, Attempt{Ended: now, Error: workerDied}, task.Attempts[1])
}
