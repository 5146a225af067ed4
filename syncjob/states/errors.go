package states

import (
	"errors"
)

// ErrNoResult is returned by [Run.DecodeResult] if the run's post-job hook has set no result, or
// has not completed; and by syncjob.TaskRef.Result and syncjob.TaskRef.Wait if the task is gone and
// no result of it is kept.
var ErrNoResult = errors.New("no result")
