package states

// BulkOutcome says what a call did, or would do, to one job.
type BulkOutcome string

// The outcomes.
const (
	BulkChanged BulkOutcome = "changed"
	BulkAlready BulkOutcome = "already"     // it was so before
	BulkPassed  BulkOutcome = "passed over" // there is nothing to do: for example, its run has ended
	BulkFailed  BulkOutcome = "failed"      // see BulkJob.Error; whether it was changed may be unknown
)

// BulkJob is a job that was selected.
type BulkJob struct {
	Job string      `json:"job"`
	Run int64       `json:"run,omitempty"` // number of its newest run; 0 for none
	Did BulkOutcome `json:"did,omitempty"` // empty while more of its failed tasks are to be moved
	// Tasks is how many tasks are concerned: those that waited or ran when the run was read, or the
	// failed ones that were moved.
	Tasks int64 `json:"tasks"`
	// Left is how many failed tasks could not be moved: see InUse, Unreadable and Gone of syncjob.RetryResult.
	Left  int64  `json:"left,omitempty"`
	Error string `json:"error,omitempty"`
}

// BulkResult says what a call did, or would do. [BulkResult.With] adds a job.
type BulkResult struct {
	DryRun bool `json:"dry_run,omitempty"`
	// Matched is how many jobs were selected: the sum of the four below.
	Matched int `json:"matched"`
	Changed int `json:"changed"`
	Already int `json:"already"`
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	// Tasks and Left are the sums of those of all jobs.
	Tasks int64 `json:"tasks"`
	Left  int64 `json:"left"`
	// Failures are the first 100 jobs that failed.
	Failures []BulkJob `json:"failures,omitempty"`
	// Operation is [states.AuditEntry.Operation] of the entries that the call left; empty for a dry run.
	Operation string `json:"operation,omitempty"`
}

// With returns the result with one more job, which is not added to Failures.
func (r BulkResult) With(j BulkJob) BulkResult {
	r.Matched++
	switch j.Did {
	case BulkChanged:
		r.Changed++
	case BulkAlready:
		r.Already++
	case BulkPassed:
		r.Passed++
	case BulkFailed:
		r.Failed++
	}
	r.Tasks, r.Left = r.Tasks+j.Tasks, r.Left+j.Left
	return r
}
