package store_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
)

func TestAFieldErrorIsInvalidAndNamesTheField(t *testing.T) {
	err := fmt.Errorf("start: %w", errors.Join(
		&store.FieldError{Field: "Name", Reason: "is empty"},
		&store.FieldError{Field: "Queues[1].Weight", Reason: "is negative"},
	))
	require.ErrorIs(t, err, store.ErrInvalid)
	require.NotErrorIs(t, err, store.ErrJobNotFound)
	var field *store.FieldError
	require.ErrorAs(t, err, &field)
	require.Equal(t, "Name is empty", field.Error())
}

func TestAJobThatExistsNamesItsActiveRun(t *testing.T) {
	err := fmt.Errorf("start: %w", &store.JobExistsError{Active: store.RunID{Job: "import/42", Number: 7}})
	require.ErrorIs(t, err, store.ErrJobExists)
	var exists *store.JobExistsError
	require.ErrorAs(t, err, &exists)
	require.Equal(t, int64(7), exists.Active.Number)
	require.Equal(t, `job "import/42" already has the active run 7`, exists.Error())
}

func TestATransientErrorIsUnavailableAndKeepsItsCause(t *testing.T) {
	err := store.Transient(errCut)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorIs(t, err, errCut)
	require.NotErrorIs(t, err, store.ErrClosed)
	require.NoError(t, store.Transient(nil))
}
