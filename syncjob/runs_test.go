package syncjob_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func listedRuns(t *testing.T, m *syncjob.Manager, opts *syncjob.RunsOptions) (runs []states.Run) {
	t.Helper()
	for s, err := range m.Runs(t.Context(), opts) {
		require.NoError(t, err)
		runs = append(runs, s)
	}
	return runs
}

func jobsOf(runs []states.Run) (jobs []string) {
	for _, r := range runs {
		jobs = append(jobs, r.Job)
	}
	return jobs
}

func TestRunsAreListedAcrossPartitionsTheLastThatChangedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 5}), set(t, handlers.SetConfig{}, noop))
		var want []string
		runs := make(map[string]*syncjob.Run)
		for i := range 300 {
			job := syncjob.Job{
				Name: fmt.Sprintf("job/%03d", i), Set: "tree", Open: true,
				Labels: map[string]string{"tenant": fmt.Sprint(i % 10)},
			}
			run, err := m.Start(t.Context(), job, nil)
			require.NoError(t, err)
			want, runs[job.Name] = append(want, job.Name), run
			if i%3 == 0 { // several change in the same ms
				time.Sleep(time.Millisecond)
			}
		}
		all := listedRuns(t, m, nil)
		require.ElementsMatch(t, want, jobsOf(all))
		require.True(t, slices.IsSortedFunc(all, func(a, b states.Run) int { return b.Changed.Compare(a.Changed) }))
		oldest := listedRuns(t, m, &syncjob.RunsOptions{Oldest: true})
		for i := range all {
			require.Equal(t, all[i].Changed, oldest[len(all)-1-i].Changed)
		}
		for _, opts := range []syncjob.RunsOptions{{}, {Oldest: true}, {Labels: map[string]string{"tenant": "3"}}, {Prefix: "job/1"}} {
			whole, got := listedRuns(t, m, &opts), []states.Run(nil)
			require.NotEmpty(t, whole)
			for opts.Limit = 7; ; opts.After = got[len(got)-1].Cursor {
				page := listedRuns(t, m, &opts)
				if got = append(got, page...); len(page) < 7 {
					break
				}
			}
			require.Equal(t, jobsOf(whole), jobsOf(got), "page by page")
		}
		require.Len(t, listedRuns(t, m, &syncjob.RunsOptions{Labels: map[string]string{"tenant": "3"}}), 30)
		require.Equal(t, map[string]string{"tenant": "7"}, listedRuns(t, m, &syncjob.RunsOptions{Job: "job/007"})[0].Labels)

		time.Sleep(time.Minute)
		require.NoError(t, runs["job/100"].Pause(t.Context()))
		require.NoError(t, runs["job/200"].Stop(t.Context(), nil))
		require.ElementsMatch(t, []string{"job/100", "job/200"}, jobsOf(listedRuns(t, m, nil)[:2]))
		require.Equal(t, []string{"job/200"}, jobsOf(listedRuns(t, m, &syncjob.RunsOptions{Statuses: syncjob.FinalStatuses})))
		require.Len(t, listedRuns(t, m, &syncjob.RunsOptions{Statuses: syncjob.ActiveStatuses}), 299)
		require.Len(t, listedRuns(t, m, &syncjob.RunsOptions{Still: time.Second}), 298)
		require.Empty(t, listedRuns(t, m, &syncjob.RunsOptions{Set: "other"}))
	})
}

func TestListingsLeaveOutWhatIsLargeUnlessAsked(t *testing.T) {
	m := managerOn(t, memstore.New(nil), set(t, handlers.SetConfig{}, noop))
	_, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{I: 3}, Headers: map[string]string{"h": "v"}}, nil)
	require.NoError(t, err)
	slim := listedRuns(t, m, nil)[0]
	require.Nil(t, slim.Args)
	require.Nil(t, slim.Headers)
	whole := listedRuns(t, m, &syncjob.RunsOptions{Details: true})[0]
	require.NotEmpty(t, whole.Args)
	require.Equal(t, "v", whole.Headers["h"])
}

func TestBadOptionsOfRunsAreNamed(t *testing.T) {
	m := managerOn(t, memstore.New(nil), nil)
	for field, opts := range map[string]syncjob.RunsOptions{
		"Statuses[0]":   {Statuses: []states.Status{"odd"}},
		"Job":           {Job: " a"},
		"Set":           {Set: "a/b"},
		"Labels[a b]":   {Labels: map[string]string{"a b": ""}},
		"Labels[owner]": {Labels: map[string]string{"owner": "\x00"}},
		"Still":         {Still: -1},
		"After":         {After: "1.2"},
		"Limit":         {Limit: -1},
	} {
		require.Equal(t, []string{field}, fields(firstError(m.Runs(t.Context(), &opts))), field)
	}
	for _, after := range []string{"x", "1.1.x", "-1.1.0", "1.01.0", "1.0.0", "99999999999999.1.0", "1.9007199254740992.0"} {
		require.Equal(t, []string{"After"}, fields(firstError(m.Runs(t.Context(), &syncjob.RunsOptions{After: after}))), after)
	}
	_, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true, Labels: map[string]string{"": ""}}, nil)
	require.Equal(t, []string{"Labels[]"}, fields(err))
}
