package handlers

import (
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/rollcall-go/rollcall/internal/plain"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/values"
)

// RunRef identifies the run of a task.
type RunRef struct {
	Job    string
	Number int64
	Set    string

	source runSource
}

// runSource gives the data of a run that never change. A hook has them in its record. A task reads
// them from the store when it needs them. The client is nil if there is no store.
type runSource interface {
	runRecord() (store.RunRecord, error)
	client() *values.Client
}

// knownRun is a record that was already read.
type knownRun struct {
	record *store.RunRecord
	values *values.Client
}

func (r knownRun) runRecord() (store.RunRecord, error) { return *r.record, nil }

func (r knownRun) client() *values.Client { return r.values }

// ID identifies the run in the store.
func (r *RunRef) ID() store.RunID { return store.RunID{Job: r.Job, Number: r.Number} }

// Values returns a client that reads and writes the values of the run and of its job, as [List.Of]
// does. In a test of one handler there are no values: each call returns a [*store.FieldError].
func (r *RunRef) Values() *values.Client {
	if r.source == nil {
		return nil
	}
	return r.source.client()
}

// DecodeArgs decodes the arguments of the run into v, a pointer. They are stored once per run. If
// they cannot be decoded, the error is permanent, because a retry would not help. If they cannot be
// read, the error is not permanent.
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

// RedriveSource returns the number of the earlier run if this run is a redrive; otherwise 0. A
// redrive runs only the failed tasks of that earlier run of the same job, with its arguments. The
// number is read once per run; if that fails, a later call tries again.
func (r *RunRef) RedriveSource() (number int64, err error) {
	rec, err := r.source.runRecord()
	if err != nil {
		return 0, fmt.Errorf("read run %s/%d: %w", r.Job, r.Number, err)
	}
	return rec.RedriveOf, nil
}

// Run is the state of the run that a hook belongs to. It was read in one atomic step when the hook
// started.
type Run struct {
	RunRef
	Headers map[string]string
	// Status of the run. For PostJob it is the final status that the run will have.
	Status statuses.Status
	Counts store.Counts
	// Counters are the sums that the tasks of the run added, by name; see [NewCounter].
	Counters map[string]int64
	Retried  int64 // failed attempts that were tried again
	// Due is the due time of the schedule that started the run; zero if no schedule did.
	Due time.Time
	// RedriveOf is the number of the earlier run if this run is a redrive; otherwise 0. A redrive runs
	// only the failed tasks of that earlier run. Its Counts, Counters and values are of those tasks
	// alone. What the other tasks did is in the state and the values of the earlier run, as long as
	// its summary is kept.
	RedriveOf int64
	Created   time.Time
	Started   time.Time // when the first task was fetched; zero before
	Ended     time.Time // when the last task ended; zero before
	// Error is the text of the newest failure, see LastError of [store.RunRecord].
	Error string
	// Retry is how many attempts of this hook failed before.
	Retry int

	log     *slog.Logger
	attrs   *Attributes // in force when the hook began; nil for Validate
	postJob bool        // this hook is PostJob
	result  []byte      // stored with the end of the hook
}

// discard is the logger if none is configured.
var discard = slog.New(slog.DiscardHandler)

// newRun makes a Run from a record. It shares the record's arguments.
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

// Log returns a logger with the attributes job, run and kind.
func (r *Run) Log() *slog.Logger { return r.log }

// SetResult sets the result of the run: v as JSON, at most [bounds.MaxResultLen] bytes. Callers
// that wait for the run can decode it. It is stored in the same step as the end of PostJob, if this
// attempt of the hook returns nil. If it is called more than once, the last call counts. Only
// PostJob may call it. Every error is a [*store.FieldError]; then the result does not change.
func (r *Run) SetResult(v any) error {
	if !r.postJob {
		return badResult("can only be set by PostJob")
	}
	data, err := encodeResult(v)
	if err == nil {
		r.result = data
	}
	return err
}
