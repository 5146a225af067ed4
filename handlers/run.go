package handlers

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/rollcall-go/rollcall/internal/plain"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/values"
)

// RunRef names the run that a task belongs to.
type RunRef struct {
	Job    string
	Number int64
	Set    string

	source runSource
}

// runSource is where what never changes of a run comes from: its record, or for a task the store,
// when it asks. Its client is nil where there is no store.
type runSource interface {
	runRecord() (store.RunRecord, error)
	client() *values.Client
}

// knownRun was read already.
type knownRun struct {
	record *store.RunRecord
	values *values.Client
}

func (r knownRun) runRecord() (store.RunRecord, error) { return *r.record, nil }

func (r knownRun) client() *values.Client { return r.values }

// ID is the run's name in the store.
func (r *RunRef) ID() store.RunID { return store.RunID{Job: r.Job, Number: r.Number} }

// Values is what values of the run, and of its job, are read and written through, as by [List.Of].
// In a test of one handler there are none: each call is a [*store.FieldError].
func (r *RunRef) Values() *values.Client {
	if r.source == nil {
		return nil
	}
	return r.source.client()
}

// DecodeArgs decodes the arguments that the run was started with into v, a
// pointer. They are stored once per run. An error of decoding is permanent, as repeating
// would not help; one of reading them is not.
func (r *RunRef) DecodeArgs(v any) error {
	rec, err := r.source.runRecord()
	if err != nil {
		return fmt.Errorf("read arguments of %s/%d: %w", r.Job, r.Number, err)
	}
	args := rec.Args
	if len(args) == 0 {
		args = []byte("null")
	}
	if err := plain.Unmarshal(args, v); err != nil {
		return Permanent(fmt.Errorf("decode arguments of %s/%d: %w", r.Job, r.Number, err))
	}
	return nil
}

// RedriveSource is the number of the run, of the same job, whose failed tasks this run runs again:
// it has those tasks only, with the arguments of that run. It is 0 if the run is no redrive. Like
// arguments it is read once per run; an error of reading passes.
func (r *RunRef) RedriveSource() (number int64, err error) {
	rec, err := r.source.runRecord()
	if err != nil {
		return 0, fmt.Errorf("read run %s/%d: %w", r.Job, r.Number, err)
	}
	return rec.RedriveOf, nil
}

// Run is what hooks see of their run: one atomic read, made when the hook
// started.
type Run struct {
	RunRef
	Headers map[string]string
	// Status is, for PostJob, the final one that will be recorded.
	Status store.Status
	Counts store.Counts
	// Counters are what the tasks of the run added to them, by name; see [NewCounter].
	Counters map[string]int64
	Retried  int64 // failed attempts that were tried again
	// Due is the time that the run was fired for by a schedule; zero if it was not.
	Due time.Time
	// RedriveOf is the number of the run, of the same job, whose failed tasks this one runs again; 0
	// if it is no redrive. Then Counts, Counters and values of the run are of those tasks alone: what
	// the others did is in the state and the values of that run, for as long as its summary is kept.
	RedriveOf int64
	Created   time.Time
	Started   time.Time // when the first task was fetched; zero before
	Ended     time.Time // when the last task ended; zero before
	// Error is the text of the newest failure that counts, see [store.RunRecord].
	Error string
	// Retry is how many attempts of this hook have failed before.
	Retry int

	log     *slog.Logger
	attrs   *Attributes // in force when the hook began; nil for Validate
	postJob bool        // this is it
	result  []byte      // to be recorded with the end of the hook
}

// discard is the logger of whoever configured none.
var discard = slog.New(slog.DiscardHandler)

// newRun returns what hooks see of a record. It shares the record's arguments.
func newRun(rec store.RunRecord, client *values.Client) *Run {
	status := rec.Status
	if rec.FinalStatus != "" {
		status = rec.FinalStatus
	}
	return &Run{
		RunRef:    RunRef{Job: rec.ID.Job, Number: rec.ID.Number, Set: rec.Set, source: knownRun{&rec, client}},
		Headers:   maps.Clone(rec.Headers),
		Status:    status,
		Counts:    rec.Counts,
		Counters:  maps.Clone(rec.Counters),
		Retried:   rec.Retried,
		Due:       rec.Due,
		RedriveOf: rec.RedriveOf,
		Created:   rec.Created,
		Started:   rec.Started,
		Ended:     rec.Ended,
		Error:     rec.Error,
		log:       discard,
	}
}

// Log is a logger with the attributes job, run and kind.
func (r *Run) Log() *slog.Logger { return r.log }

// SetResult has the run end with a result: v as JSON, of at most [bounds.MaxResultLen] bytes.
// Whoever waits for the run decodes it. It is stored in the same step as the end of PostJob, if
// that attempt of the hook returns nil; the last call counts. Only PostJob may call it. Every error
// is a [*store.FieldError], and leaves what was set before.
func (r *Run) SetResult(v any) error {
	bad := func(reason string) error { return &store.FieldError{Field: "Result", Reason: reason} }
	if !r.postJob {
		return bad("can only be set by PostJob")
	}
	result, err := json.Marshal(v)
	switch {
	case err != nil:
		return bad(fmt.Sprintf("cannot be encoded: %v", err))
	case len(result) > bounds.MaxResultLen:
		return bad(fmt.Sprintf("takes %d bytes, which is more than %d", len(result), bounds.MaxResultLen))
	}
	r.result = result
	return nil
}
