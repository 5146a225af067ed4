package syncjob_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// story tells the audit in short, oldest first.
func story(t *testing.T, m *syncjob.Manager, opts *syncjob.AuditOptions) (all []string) {
	t.Helper()
	for e, err := range m.Audit(t.Context(), opts) {
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), e.At, 24*time.Hour)
		text := fmt.Sprintf("%s: %s %s %s (%s)", e.By, e.Action, e.Job, e.Subject, e.Reason)
		all = append([]string{strings.Join(strings.Fields(text), " ")}, all...)
	}
	return all
}

func TestTheAuditTellsTheStoryOfEveryOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 4}), set(t, handlers.SetConfig{}, noop))
		ctx := syncjob.WithReason(syncjob.WithActor(t.Context(), "ann"), "a drill")
		done := func(err error) {
			t.Helper()
			require.NoError(t, err)
			time.Sleep(time.Millisecond) // so that the lines of all partitions have an order
		}
		slow := syncjob.Scope{Queue: "slow"}
		done(m.Pause(ctx, slow, "new disk"))
		done(m.Pause(ctx, slow, "new disk")) // again
		done(m.Resume(ctx, slow))
		done(m.SetMode(ctx, syncjob.ModeReadOnly))
		done(m.SetMode(ctx, syncjob.ModeReadWrite))
		_, err := m.Ensure(ctx, syncjob.Job{Name: "mail", Set: "tree", Open: true})
		done(err)
		_, err = m.Enqueue(ctx, "mail", leaf{}, &enqueue.Options{ID: "l1"})
		done(err)
		_, err = m.Enqueue(ctx, "mail", leaf{}, &enqueue.Options{ID: "l1"})
		done(err) // a duplicate
		done(m.Stop(ctx, "mail", nil))
		done(m.Enable(ctx, "mail"))
		done(m.Stop(ctx, "mail", &syncjob.StopOptions{Reason: "for good"}))
		done(m.Delete(ctx, "mail"))

		r, err := m.Start(ctx, syncjob.Job{Name: "album", Set: "tree", Open: true}, nil)
		done(err)
		done(r.Pause(ctx))
		done(m.ResumeJob(ctx, "album"))
		_, err = r.EnqueueAll(ctx, leaves(600), nil)
		done(err)
		done(configureRetries(ctx, m, 7))
		done(m.ResetConfiguration(ctx, "tree", &syncjob.ConfigureOptions{By: "bob", Reason: "enough"}))
		done(r.Seal(ctx))
		done(r.Stop(ctx, nil))
		done(r.Delete(ctx))

		s := semaphore.New(m.Store())
		_, err = s.Acquire(ctx, "printer", &semaphore.Options{Holder: "h"})
		done(err)
		_, err = s.ForceReleaseAll(ctx, "printer")
		done(err)

		want := []string{
			"ann: pause queue slow (new disk)", "ann: resume queue slow (a drill)",
			"ann: pause everything (a drill)", "ann: resume everything (a drill)",
			"ann: declare mail (a drill)", "ann: start mail (a drill)", "ann: enqueue mail l1 (a drill)",
			"ann: disable mail (a drill)", "ann: stop mail (a drill)",
			"ann: enable mail (a drill)", "ann: start mail (a drill)",
			"ann: disable mail (a drill)", "ann: stop mail (for good)", "ann: delete mail (a drill)",
			"ann: start album (a drill)", "ann: pause album (a drill)", "ann: resume album (a drill)", "ann: enqueue album",
			"ann: configure tree (a drill)", "bob: configure tree (enough)", "ann: release album open (a drill)",
			"ann: stop album (a drill)", "ann: delete album (a drill)", "ann: end printer (a drill)",
		}
		got := story(t, m, nil)
		for i := range got {
			if strings.HasPrefix(got[i], "ann: enqueue album") {
				got[i] = "ann: enqueue album" // the ID is generated
			}
		}
		require.Equal(t, want, got)
		require.Len(t, story(t, m, &syncjob.AuditOptions{Job: "mail"}), 10)
		require.Len(t, story(t, m, &syncjob.AuditOptions{Job: "album", Run: r.Number()}), 7)
		require.Equal(t, []string{"bob: configure tree (enough)"}, story(t, m, &syncjob.AuditOptions{By: "bob"}))
		require.Len(t, story(t, m, &syncjob.AuditOptions{Action: actions.Pause}), 3)
	})
}

func TestWithoutANameOnlyWhatFeedsJobsIsNotInTheAudit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		r, err := m.Start(t.Context(), syncjob.Job{Name: "album", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		_, err = r.Enqueue(t.Context(), leaf{}, nil)
		require.NoError(t, err)
		require.NoError(t, r.Seal(t.Context()))
		work(t, m, syncjob.WorkerConfig{})
		_, err = r.Wait(t.Context())
		require.NoError(t, err)
		require.Empty(t, story(t, m, nil))
		require.NoError(t, r.Delete(t.Context()))
		require.Len(t, story(t, m, nil), 1)
		for e, err := range m.Audit(t.Context(), nil) {
			require.NoError(t, err)
			require.NotEmpty(t, e.By, "host and process")
		}
	})
}

func TestTheAuditIsPagedByCursorAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 3}), set(t, handlers.SetConfig{}, noop))
		ctx := syncjob.WithActor(t.Context(), "ann")
		var middle time.Time
		for i := range 250 {
			if i == 100 {
				time.Sleep(time.Second)
				middle = time.Now()
			}
			_, err := m.Start(ctx, syncjob.Job{Name: fmt.Sprint("job ", i), Set: "tree", Open: true}, nil)
			require.NoError(t, err)
		}
		whole := func(o syncjob.AuditOptions) (all []states.AuditEntry) {
			for e, err := range m.Audit(ctx, &o) {
				require.NoError(t, err)
				all = append(all, e)
			}
			return all
		}
		all := whole(syncjob.AuditOptions{})
		require.Len(t, all, 250)
		var paged []states.AuditEntry
		for after := ""; ; after = paged[len(paged)-1].Cursor {
			n := len(paged)
			next, stop := iter.Pull2(m.Audit(ctx, &syncjob.AuditOptions{After: after}))
			for range 7 {
				if e, err, ok := next(); ok {
					require.NoError(t, err)
					paged = append(paged, e)
				}
			}
			stop()
			if len(paged) == n {
				break
			}
		}
		require.Equal(t, all, paged)
		require.Len(t, whole(syncjob.AuditOptions{Since: middle}), 150)
		require.Len(t, whole(syncjob.AuditOptions{Until: middle}), 100)
		for _, after := range []string{"x", "1", "0-1", "1--1", "-"} {
			requireField(t, firstOfAudit(m.Audit(ctx, &syncjob.AuditOptions{After: after})), "After")
		}
		requireField(t, firstOfAudit(m.Audit(ctx, &syncjob.AuditOptions{Job: "\n"})), "Name")
	})
}

func firstOfAudit(seq iter.Seq2[states.AuditEntry, error]) error {
	for _, err := range seq {
		return err
	}
	return nil
}

func requireField(t *testing.T, err error, field string) {
	t.Helper()
	var bad *syncjob.FieldError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, field, bad.Field)
}

// silent does not answer for one partition.
type silentAudit struct {
	store.Store
	partition int
}

func (s *silentAudit) Audit(ctx context.Context, p store.AuditParams) ([]store.AuditLine, error) {
	if p.Partition == s.partition {
		return nil, store.ErrCorrupt
	}
	return s.Store.Audit(ctx, p)
}

func TestAPartitionThatDoesNotAnswerIsLeftOutOfTheAuditAndNamed(t *testing.T) {
	m := managerOn(t, &silentAudit{memstore.New(&memstore.Options{Partitions: 3}), 1}, set(t, handlers.SetConfig{}, noop))
	ctx, want := syncjob.WithActor(t.Context(), "ann"), 0
	for i := range 30 {
		name := fmt.Sprint("job ", i)
		_, err := m.Start(ctx, syncjob.Job{Name: name, Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		if store.PartitionOf(name, 3) != 1 {
			want++
		}
	}
	got, failed := 0, error(nil)
	for _, err := range m.Audit(ctx, nil) {
		if failed = err; err == nil {
			got++
		}
	}
	require.Equal(t, want, got)
	require.ErrorIs(t, failed, store.ErrCorrupt)
	var partial *syncjob.PartialError
	require.ErrorAs(t, failed, &partial)
	require.Equal(t, []int{1}, partial.Partitions)
}
