package syncjob

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// fill returns a value of the type that is not zero.
func fill(t *testing.T, typ reflect.Type) reflect.Value {
	t.Helper()
	v := reflect.New(typ).Elem()
	if typ == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(1000, 0)))
		return v
	}
	switch typ.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.Append(v, fill(t, typ.Elem())))
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Map:
		v.Set(reflect.MakeMap(typ))
		v.SetMapIndex(fill(t, typ.Key()), fill(t, typ.Elem()))
	case reflect.Struct:
		for i := range typ.NumField() {
			v.Field(i).Set(fill(t, typ.Field(i).Type))
		}
	case reflect.Pointer:
		v.Set(reflect.New(typ.Elem()))
		v.Elem().Set(fill(t, typ.Elem()))
	default:
		t.Fatalf("no value for %v", typ)
	}
	return v
}

// everyFieldShows sets one field of a record at a time and requires the translation to
// show it, except those that are shown elsewhere.
func everyFieldShows[R, S any](t *testing.T, translate func(R) S, elsewhere ...string) {
	t.Helper()
	var zero R
	typ := reflect.TypeFor[R]()
	for i := range typ.NumField() {
		if slices.Contains(elsewhere, typ.Field(i).Name) {
			continue
		}
		rec := reflect.New(typ).Elem()
		rec.Field(i).Set(fill(t, typ.Field(i).Type))
		require.NotEqual(t, translate(zero), translate(rec.Interface().(R)), "%v.%s is lost", typ, typ.Field(i).Name)
	}
	// And the other way round: no field of the user's type stays empty.
	full := reflect.ValueOf(translate(fill(t, typ).Interface().(R)))
	for i := range full.NumField() {
		require.False(t, full.Field(i).IsZero(), "%v.%s is never set", full.Type(), full.Type().Field(i).Name)
	}
}

func TestEveryFieldOfARecordReachesTheUser(t *testing.T) {
	now := time.Unix(2000, 0)
	everyFieldShows(t, func(r store.RunRecord) states.Run {
		if !r.Ended.IsZero() && !r.Started.IsZero() {
			r.Ended = r.Started.Add(time.Minute)
		}
		s := listedRun(r, "cursor", now)
		if r.OnFailure != "" && r.HookError != "" { // all fields are set: those that it has while it is held, too
			r.Status, r.Counts, r.Holds = statuses.Finishing, store.Counts{Failed: 1}, 0
			s.Held = runState(r, now).Held
		}
		return s
	}, "HookPassed", "StopBegan") // see Run.Timeline
	everyFieldShows(t, func(r store.JobRecord) states.Job {
		if r.Definition != nil {
			r.Definition = []byte(`{"v":1,"labels":{"a":"b"},"schedule":{"cron":"@daily"}}`)
		}
		return listedJob(store.JobEntry{Job: r, Run: &store.RunRecord{}}, "cursor", now)
	})
	everyFieldShows(t, func(f store.Failure) states.Failure { return failure(f, "cursor") })
}

func TestRateAndETAFollowFromTheCounts(t *testing.T) {
	started := time.Unix(1000, 0)
	rec := store.RunRecord{
		Status:  statuses.Running,
		Started: started,
		Counts:  store.Counts{Total: 100, Pending: 60, Succeeded: 30, Failed: 10},
	}
	s := runState(rec, started.Add(20*time.Second))
	require.Equal(t, 20*time.Second, s.Elapsed)
	require.InDelta(t, 2, s.Rate, 1e-9)
	require.Equal(t, 30*time.Second, s.ETA)

	s = runState(rec, started.Add(-time.Hour))
	require.Zero(t, s.Elapsed, "the local clock is behind")
	require.Zero(t, s.ETA)

	rec.Counts.Pending = 1 << 60
	require.Equal(t, maxETA, runState(rec, started.Add(time.Second)).ETA)

	rec.Status, rec.Ended = statuses.Stopped, started.Add(10*time.Second)
	s = runState(rec, started.Add(time.Hour))
	require.Equal(t, 10*time.Second, s.Elapsed)
	require.Zero(t, s.ETA)
}

func TestEveryFieldOfAScheduleIsStored(t *testing.T) {
	// FireOnCreate is no part of the definition: it is passed on when the job is declared.
	type stored struct {
		Recurrence recurrence
		DueNow     bool
	}
	everyFieldShows(t, func(s schedule.Schedule) stored {
		b, err := json.Marshal(newRecurrence(&s))
		require.NoError(t, err)
		var read recurrence
		require.NoError(t, json.Unmarshal(b, &read))
		require.Equal(t, *newRecurrence(&s), read)
		return stored{read, s.FireOnCreate}
	})
	full := reflect.ValueOf(*newRecurrence(ptr(fill(t, reflect.TypeFor[schedule.Schedule]()).Interface().(schedule.Schedule))))
	for _, field := range reflect.VisibleFields(full.Type()) {
		require.False(t, full.FieldByIndex(field.Index).IsZero(), "%s is never set", field.Name)
	}
}

func ptr[T any](v T) *T { return &v }
