package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
)

func TestWhatIsWrongIsSaidOnceAndInOneLine(t *testing.T) {
	set, root := &store.FieldError{Field: "Set", Reason: "is empty"}, &store.FieldError{Field: "Root", Reason: "is nil"}
	require.NoError(t, store.JoinFields())
	require.NoError(t, store.JoinFields(nil, nil))
	require.Equal(t, error(set), store.JoinFields(nil, set))
	again := *set
	err := fmt.Errorf("start: %w", store.JoinFields(set, store.JoinFields(root, &again), nil))
	require.EqualError(t, err, "start: Set is empty; Root is nil")
	require.ErrorIs(t, err, store.ErrInvalid)
	require.ErrorIs(t, err, root)
	renamed := store.RenameFields(store.JoinFields(set, root), func(field string) string { return "Job." + field })
	require.EqualError(t, renamed, "Job.Set is empty; Job.Root is nil")
}

// mute panics when it is asked for its text, as an error that is a nil pointer does.
type mute struct{}

func (mute) Error() string { panic("no text") }

func TestAnErrorWithoutATextIsJoinedToOthers(t *testing.T) {
	err := store.JoinFields(&store.FieldError{Field: "Root", Reason: "does not encode as JSON"}, mute{})
	require.ErrorIs(t, err, store.ErrInvalid)
	require.ErrorIs(t, err, mute{})
	require.Contains(t, err.Error(), "Root does not encode as JSON; ")
}

func TestACallThatWasNotTriedSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := store.WithRetry(&scripted{}, nil).DeleteJob(ctx, "job")
	require.ErrorIs(t, err, context.Canceled)
	require.EqualError(t, err, "store: DeleteJob was not tried: context canceled")
	var gaveUp *store.RetryError
	require.ErrorAs(t, err, &gaveUp)
	require.Zero(t, gaveUp.Attempts)
}
