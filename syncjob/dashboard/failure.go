package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/rollcall-go/rollcall/syncjob"
)

// statusError is an error with what the user reads.
type statusError struct {
	status int
	text   string
	cause  error
}

func (e *statusError) Error() string { return e.text }
func (e *statusError) Unwrap() error { return e.cause }

var errNoSuchAction = &statusError{http.StatusNotFound, "There is no such action.", nil}

// explain turns an error into what the user reads: what happened, and what can be done.
func explain(err error) *statusError {
	var known *statusError
	var field *syncjob.FieldError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, syncjob.ErrTaskNotFound):
		return &statusError{
			http.StatusNotFound,
			"The run has no such task now: it has succeeded, was cancelled, or never was.",
			err,
		}
	case errors.Is(err, syncjob.ErrJobNotFound), errors.Is(err, syncjob.ErrRunNotFound),
		errors.Is(err, syncjob.ErrWorkerNotFound):
		return &statusError{
			http.StatusNotFound,
			"It is not there: it never was, or its time of keeping is over.",
			err,
		}
	case errors.Is(err, syncjob.ErrConflict):
		return &statusError{
			http.StatusConflict,
			"Somebody else changed this meanwhile. Look at it again, and repeat.",
			err,
		}
	case errors.As(err, &field):
		return &statusError{http.StatusBadRequest, err.Error(), err}
	case errors.Is(err, syncjob.ErrRunFinished),
		errors.Is(err, syncjob.ErrRunActive),
		errors.Is(err, syncjob.ErrJobExists),
		errors.Is(
			err,
			syncjob.ErrJobDisabled,
		),
		errors.Is(err, syncjob.ErrJobStopped),
		errors.Is(err, syncjob.ErrNothingToRedrive),
		errors.Is(err, syncjob.ErrTooManyPauses), errors.Is(err, syncjob.ErrTaskNotDelayed):
		return &statusError{http.StatusConflict, err.Error(), err}
	case errors.Is(err, syncjob.ErrClosed):
		return &statusError{http.StatusServiceUnavailable, "The program that serves this page is shutting down.", err}
	case errors.Is(err, syncjob.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return &statusError{http.StatusServiceUnavailable,
			fmt.Sprintf(
				"The store did not answer within %s. Workers go on when it does. This page tries again by itself.",
				ReadTime,
			), err}
	}
	return &statusError{http.StatusInternalServerError, "This could not be read: " + err.Error(), err}
}
