package syncjob_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// Every error says what was tried, then each fault once, in one line.
func TestMessagesOfBadInputAreOneLineAndSayNothingTwice(t *testing.T) {
	m := manager(t, set(t, handlers.SetConfig{}, noop))
	bare, err := syncjob.New(memstore.New(nil), syncjob.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bare.Close()) })
	ctx := t.Context()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	second := func(_ any, err error) error { return err }
	for want, err := range map[string]error{
		"start: Name is empty; Set is empty; Root is nil: only open jobs allow that": second(m.Start(ctx, syncjob.Job{}, nil)),
		"start: Name is empty; Set is empty":                                         second(bare.Start(ctx, syncjob.Job{Root: leaf{}}, nil)),
		"start: Root is a nil pointer":                                               second(m.Start(ctx, syncjob.Job{Name: "a", Set: "tree", Root: (*leaf)(nil)}, nil)),
		"start: Set is empty; Root is a nil pointer":                                 second(m.Start(ctx, syncjob.Job{Name: "a", Root: (*leaf)(nil)}, nil)),
		`start job "a": store: StartRun was not tried: context canceled`:             second(bare.Start(gone, syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)),
		"ensure: Name is empty; SealAfter is set for a job that is not open; Open or Schedule must be set: only standing and periodic jobs can be declared": second(m.Ensure(ctx, syncjob.Job{Set: "tree", Root: leaf{}, SealAfter: time.Second})),
		`start: RootOptions.Delay is negative; IfActive is not one of IfActiveRefuse, IfActiveJoin and IfActiveReplace`: second(m.Start(ctx,
			syncjob.Job{Name: "a", Set: "tree", Root: leaf{}, RootOptions: &enqueue.Options{Delay: -1}}, &syncjob.StartOptions{IfActive: 9})),
		"read failures: After is negative; Limit is negative": firstError(m.Run("a", 1).Failures(ctx, &syncjob.FailuresOptions{After: -1, Limit: -1})),
	} {
		require.Error(t, err, want)
		t.Log(err)
		require.NotContains(t, err.Error(), "\n")
		parts := strings.Split(err.Error(), "; ")
		require.Equal(t, want, err.Error())
		for i, part := range parts {
			require.NotContains(t, parts[i+1:], part)
		}
	}
}
