package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// breaking makes tasks fail at once, with an error that names them.
func breaking(t *testing.T) *handlers.Registry {
	return set(t, handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries}},
		func(_ context.Context, task *handlers.Task[leaf]) error { return fmt.Errorf("broken %d", task.Args.I) })
}

// breakIn begins an open run of the job if there is none, and has tasks fail in it.
func breakIn(t *testing.T, m *syncjob.Manager, job string, tasks ...int) {
	t.Helper()
	run, err := m.Latest(t.Context(), job)
	if errors.Is(err, syncjob.ErrJobNotFound) {
		run, err = m.Start(t.Context(), syncjob.Job{Name: job, Set: "tree", Open: true}, nil)
	}
	require.NoError(t, err)
	for _, i := range tasks {
		_, err = run.Enqueue(t.Context(), leaf{I: i}, nil)
		require.NoError(t, err)
	}
	time.Sleep(time.Second)
	synctest.Wait()
}

func TestFailuresOfAllJobsAreReadTheNewestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 4}), breaking(t))
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		breakIn(t, m, "import/a", 1)
		begun := time.Now()
		breakIn(t, m, "import/b", 2, 3)
		breakIn(t, m, "export", 4)
		breakIn(t, m, "import/a", 5)
		errorsOf := func(o syncjob.AllFailuresOptions) string {
			var all []string
			for f, err := range m.Failures(t.Context(), &o) {
				require.NoError(t, err)
				require.NotEmpty(t, f.Cursor)
				all = append(all, strings.TrimPrefix(f.Error, "broken "))
			}
			return strings.Join(all, " ")
		}
		require.Equal(t, "5 1 4 3 2", errorsOf(syncjob.AllFailuresOptions{}), "run by run")
		require.Equal(t, "5 1 3 2", errorsOf(syncjob.AllFailuresOptions{Prefix: "import/"}))
		require.Equal(t, "5 4 3 2", errorsOf(syncjob.AllFailuresOptions{Since: begun}))
		require.Equal(t, "1", errorsOf(syncjob.AllFailuresOptions{Until: begun}))
		require.Equal(t, "5 1", errorsOf(syncjob.AllFailuresOptions{Limit: 2}))
		require.Equal(t, "5 1 4 3 2", errorsOf(syncjob.AllFailuresOptions{Sets: []string{"tree"}, Kinds: []string{"leaf"}}))
		require.Empty(t, errorsOf(syncjob.AllFailuresOptions{Kinds: []string{"node"}}))
		for limit := 1; limit <= 5; limit++ {
			var pages []string
			for after := ""; ; {
				n := 0
				for f, err := range m.Failures(t.Context(), &syncjob.AllFailuresOptions{After: after, Limit: limit}) {
					require.NoError(t, err)
					pages = append(pages, strings.TrimPrefix(f.Error, "broken "))
					after, n = f.Cursor, n+1
				}
				if n == 0 {
					break
				}
			}
			require.Equal(t, "5 1 4 3 2", strings.Join(pages, " "), "in pages of %d", limit)
		}
		for f, err := range m.Failures(t.Context(), &syncjob.AllFailuresOptions{Limit: 1}) {
			require.NoError(t, err)
			breakIn(t, m, "import/a", 6)
			require.Equal(t, "1 4 3 2", errorsOf(syncjob.AllFailuresOptions{After: f.Cursor}), "no page repeats what fails meanwhile")
			run, err := m.Latest(t.Context(), "import/a")
			require.NoError(t, err)
			require.NoError(t, run.Stop(t.Context(), nil))
			require.NoError(t, run.Delete(t.Context()))
			require.Equal(t, "4 3 2", errorsOf(syncjob.AllFailuresOptions{After: f.Cursor}), "the run is gone")
		}
	})
}

// failsLater answers its first calls only.
type failsLater struct {
	store.Store
	left int
}

func (s *failsLater) Failures(ctx context.Context, p store.FailuresParams) ([]store.Failure, error) {
	if s.left--; s.left < 0 {
		return nil, store.ErrClosed
	}
	return s.Store.Failures(ctx, p)
}

func TestAReadingOfFailuresThatEndsEarlySaysWhereToGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &failsLater{Store: memstore.New(nil), left: 1}
		m := managerOn(t, s, breaking(t))
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		breakIn(t, m, "import/a", 1, 2)
		breakIn(t, m, "import/b", 3)
		read := func(after string) (got int, at string, failed error) {
			for f, err := range m.Failures(t.Context(), &syncjob.AllFailuresOptions{After: after}) {
				if at = f.Cursor; err != nil {
					return got, at, err
				}
				got++
			}
			return got, at, nil
		}
		n, at, err := read("")
		require.ErrorIs(t, err, store.ErrClosed)
		require.Equal(t, 1, n)
		groups, err := m.FailureGroups(t.Context(), &syncjob.AllFailuresOptions{After: at})
		require.ErrorIs(t, err, store.ErrClosed)
		require.Equal(t, states.FailureGroups{Next: at}, groups)
		s.left = 100
		n, _, err = read(at)
		require.NoError(t, err)
		require.Equal(t, 2, n, "the rest")
		_, at, err = read("nonsense")
		require.ErrorIs(t, err, syncjob.ErrInvalid)
		require.Equal(t, "nonsense", at)
	})
}

func TestBadOptionsForFailuresAreRefusedByField(t *testing.T) {
	m := manager(t, breaking(t))
	late := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	for field, o := range map[string]syncjob.AllFailuresOptions{
		"Kinds[0]": {Kinds: []string{"a/b"}}, "Sets[1]": {Sets: []string{"a", ""}}, "Since": {Since: late},
		"Until": {Until: late}, "Limit": {Limit: -1}, "After": {After: "1.2.0.job"}, "Sets[0]": {Sets: []string{"a/b"}},
		"Kinds[1]": {Kinds: []string{"a", ""}},
	} {
		matched := 0
		_, grouped := m.FailureGroups(t.Context(), &o)
		for _, err := range m.Failures(t.Context(), &o) {
			for _, err := range []error{err, grouped} {
				var bad *syncjob.FieldError
				require.ErrorAs(t, err, &bad)
				require.Equal(t, field, bad.Field)
				matched++
			}
		}
		require.Equal(t, 2, matched, field)
	}
	for _, err := range m.Failures(t.Context(), &syncjob.AllFailuresOptions{After: "1.2.3. job"}) {
		require.ErrorContains(t, err, "After")
		return
	}
	t.Fatal("a cursor of a job that cannot be is accepted")
}

func TestFailuresAreGroupedByKindAndError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errs := []error{}
		for i := range 240 {
			errs = append(errs, fmt.Errorf("open /data/a%d.bin: timeout after %d.%ds", i, i, i))
		}
		for i := range 120 { // more kinds of errors than there are groups
			errs = append(errs, errors.New("odd "+strings.Repeat("x", i+1)))
		}
		reg := set(t, handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries}},
			func(_ context.Context, task *handlers.Task[leaf]) error { return errs[task.Args.I] })
		m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: reg, FailureCap: 1000})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		for i := range errs {
			breakIn(t, m, fmt.Sprint("import/", i%3), i)
		}
		groups, err := m.FailureGroups(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, groups.Groups, 100)
		require.Equal(t, []int{360, 21}, []int{groups.Read, groups.Others})
		require.Empty(t, groups.Next)
		first := groups.Groups[0]
		require.Equal(t, "open /data/#: timeout after #", first.Error)
		require.Equal(t, []int{240, 3}, []int{first.Count, first.Runs})
		require.Equal(t, 239*time.Second, first.Last.Sub(first.First))
		require.Contains(t, first.Example.Error, "open /data/a239.bin")

		read, calls := 0, 0
		for after := ""; calls == 0 || after != ""; calls++ {
			page, err := m.FailureGroups(t.Context(), &syncjob.AllFailuresOptions{After: after, Limit: 100, Prefix: "import/"})
			require.NoError(t, err)
			read, after = read+page.Read, page.Next
		}
		require.Equal(t, []int{360, 4}, []int{read, calls})
	})
}
