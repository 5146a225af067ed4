package handlers

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/rollcall-go/rollcall/internal/plain"
	"github.com/rollcall-go/rollcall/store"
)

// RunRef names the run that a task belongs to.
type RunRef struct {
	Job    string
	Number int64
	Set    string

	source argsSource
}

// argsSource is where the arguments of a run come from: the record, or for a task
// the store, when it asks.
type argsSource interface {
	runArgs() ([]byte, error)
}

// knownArgs are arguments that were read already.
type knownArgs []byte

func (a knownArgs) runArgs() ([]byte, error) { return a, nil }

// ID is the run's name in the store.
func (r *RunRef) ID() store.RunID { return store.RunID{Job: r.Job, Number: r.Number} }

// DecodeArgs decodes the arguments that the run was started with into v, a
// pointer. They are stored once per run. An error of decoding is permanent, as repeating
// would not help; one of reading them is not.
func (r *RunRef) DecodeArgs(v any) error {
	args, err := r.source.runArgs()
	if err != nil {
		return fmt.Errorf("read arguments of %s/%d: %w", r.Job, r.Number, err)
	}
	if len(args) == 0 {
		args = []byte("null")
	}
	if err := plain.Unmarshal(args, v); err != nil {
		return Permanent(fmt.Errorf("decode arguments of %s/%d: %w", r.Job, r.Number, err))
	}
	return nil
}

// Run is what hooks see of their run: one atomic read, made when the hook
// started.
type Run struct {
	RunRef
	Headers map[string]string
	// Status is, for PostJob, the final one that will be recorded.
	Status store.Status
	Counts store.Counts
	// Counters are what the tasks of the run added to them, by name; see [Set.Counter].
	Counters map[string]int64
	Retried  int64 // failed attempts that were tried again
	// Due is the time that the run was fired for by a schedule; zero if it was not.
	Due     time.Time
	Created time.Time
	Started time.Time // when the first task was fetched; zero before
	Ended   time.Time // when the last task ended; zero before
	Error   string    // text of the last failure
	// Retry is how many attempts of this hook have failed before.
	Retry int

	log     *slog.Logger
	attrs   *Attributes // in force when the hook began; nil for Validate
	postJob bool        // this is it
	result  []byte      // to be recorded with the end of the hook
}

// discard is the logger of whoever configured none.
var discard = slog.New(slog.DiscardHandler)

// NewRun returns what hooks see of a record. It shares the record's arguments.
func NewRun(rec store.RunRecord) *Run {
	status := rec.Status
	if rec.Outcome != "" {
		status = rec.Outcome
	}
	return &Run{
		RunRef:   RunRef{Job: rec.ID.Job, Number: rec.ID.Number, Set: rec.Set, source: knownArgs(rec.Args)},
		Headers:  maps.Clone(rec.Headers),
		Status:   status,
		Counts:   rec.Counts,
		Counters: maps.Clone(rec.Counters),
		Retried:  rec.Retried,
		Due:      rec.Due,
		Created:  rec.Created,
		Started:  rec.Started,
		Ended:    rec.Ended,
		Error:    rec.Error,
		log:      discard,
	}
}

// Log is a logger with the attributes job, run and kind.
func (r *Run) Log() *slog.Logger { return r.log }

// SetResult has the run end with a result: v as JSON, of at most [store.MaxResultLen] bytes. Whoever waits for the
// run decodes it. It is stored in the same step as the end of PostJob, if that attempt of the hook returns
// nil; of several calls the last one counts. Only PostJob may call it. Every error is a [*store.FieldError], and
// leaves what was set before.
func (r *Run) SetResult(v any) error {
	bad := func(reason string) error { return &store.FieldError{Field: "Result", Reason: reason} }
	if !r.postJob {
		return bad("can only be set by PostJob")
	}
	result, err := json.Marshal(v)
	switch {
	case err != nil:
		return bad(fmt.Sprintf("cannot be encoded: %v", err))
	case len(result) > store.MaxResultLen:
		return bad(fmt.Sprintf("takes %d bytes, which is more than %d", len(result), store.MaxResultLen))
	}
	r.result = result
	return nil
}
