// Package bounds has the bounds that every store checks. Data outside of them is refused with a
// *store.FieldError, and nothing is written.
package bounds

import "time"

// Tasks and calls.
const (
	// DefaultMaxPayload is the largest payload of a task or of a run's
	// arguments, in bytes, unless configured lower.
	DefaultMaxPayload = 1 << 20
	// MaxBatch is the largest number of entries in one Enqueue, of
	// deliveries in one Fetch, of outcomes in one Settle and of inline
	// children in one outcome.
	MaxBatch = 256
	// PageBytes is about how many bytes one call moves or returns, if there may be many large items:
	// the next call continues. A single item may be larger.
	PageBytes = 1 << 20
	// MaxPage is the highest number of jobs, tasks or failures that one call may ask for.
	MaxPage = 1000
	// MaxNumber is the highest number of a call in a stream.
	MaxNumber = 1<<53 - 1
	// MaxCounters is the largest number of counters in one outcome.
	MaxCounters = 64
	// MaxResultLen bounds the result of a run, and of a task, in bytes.
	MaxResultLen = 64 << 10
	// MaxResults bounds the results of the tasks of one run together, in bytes. Each takes the length
	// of its data and of the ID of its task, and ResultCost for the rest. The oldest go first.
	MaxResults = 16 << 20
	ResultCost = 128
	// MaxAttempts is how many of its attempts a task carries, and MaxAttemptBytes how many bytes these
	// take.
	MaxAttempts     = 5
	MaxAttemptBytes = 512
	// MaxIdleRoutes is of how many routes without waiting tasks a partition keeps the figures.
	MaxIdleRoutes = 10_000
	// MaxSeries is how many routes of a partition have a history of their own.
	MaxSeries = 200
	// MaxHistorySpan is how many minutes, or hours, of the history one call reads.
	MaxHistorySpan = 64
	// MaxRouteTimes is of how many routes one settlement brings histograms.
	MaxRouteTimes = 64
	// MinutesKept and HoursKept are how long points of the history are kept.
	MinutesKept = 8 * time.Hour
	HoursKept   = 90 * 24 * time.Hour
	// MaxDueTimes is the largest number of due times in one FireRun.
	MaxDueTimes = 64
	// MaxReporting bounds RunRecord.Reporting.
	MaxReporting = 64
)

// Names and texts, in bytes unless they say otherwise.
const (
	// MaxNameLen bounds namespaces, queues, sets and kinds, in bytes.
	MaxNameLen = 64
	// MaxJobNameLen bounds job names, in bytes.
	MaxJobNameLen = 200
	// MaxTaskIDLen bounds caller-chosen task IDs, in bytes.
	MaxTaskIDLen = 512
	// MaxSemaphoreKeyLen bounds the key of a semaphore, in bytes.
	MaxSemaphoreKeyLen = 200
	// MaxLimitLen bounds the name of a limit, in bytes.
	MaxLimitLen = 200
	// MaxHolderLen bounds the description of a holder, in characters (runes).
	MaxHolderLen = 256
	// MaxDefinitionLen bounds a definition, and a schedule, in bytes.
	MaxDefinitionLen = 4 << 20
	// MaxConfigurationLen bounds a document, and a description, in bytes.
	MaxConfigurationLen = 256 << 10
	// MaxNoteLen bounds who made a change, and why, and why a run was stopped, in bytes.
	MaxNoteLen = 1 << 10
	// MaxVersionLen bounds the version of a program, in bytes.
	MaxVersionLen = 128
	// MaxProblemLen is the longest reason why a job cannot be fired, in bytes.
	MaxProblemLen = 1 << 10
)

// StreamKept is how long a Store remembers the stream of a producer that is not used: its last
// number and the reply to it. Each call of the stream, and each repeat of one, begins that time
// again. So it is much longer than a call is repeated, 30 s by default. A repeat that comes even
// later gets store.ErrResultUnknown.
const StreamKept = 15 * time.Minute

// Labels.
const (
	// MaxLabels is the largest number of labels of a job, and MaxLabelLen bounds the value of one, in
	// bytes.
	MaxLabels   = 16
	MaxLabelLen = 256
)

// Weights, limits and semaphores.
const (
	// MinWeight and MaxWeight bound the weight of a run, and of a queue.
	MinWeight = 1e-6
	MaxWeight = 1e6
	// MinPer and MaxPer bound the time for which a rate allows its events.
	MinPer = time.Millisecond
	MaxPer = 31 * 24 * time.Hour
	// MaxRateEvents bounds the events of a rate, and its burst.
	MaxRateEvents = 1 << 30
	// MaxFill limits the time in which a bucket fills, so that no Store exceeds the range of its
	// clock. It is longer than any program runs.
	MaxFill = 100 * 365 * 24 * time.Hour
	// TokenTTL is how long tokens of a rate may be used after they were lent.
	TokenTTL = time.Second
	// MaxPermits is the largest number of permits or tokens. Higher numbers count as this one.
	MaxPermits = 1 << 40
	// MaxSlots is the largest number of places of a semaphore.
	MaxSlots = 10_000
	// MaxPauses is the largest number of scopes that are paused at a time, beside read-only mode.
	MaxPauses = 256
	// MaxShownHolders is how many holders the answer to a refused claim lists.
	MaxShownHolders = 64
)

// The audit of a partition.
const (
	// MaxAudit is how many lines are kept, and AuditKept for how long.
	MaxAudit  = 1000
	AuditKept = 90 * 24 * time.Hour
	// MaxAuditPage is the largest number of lines that one call may ask for.
	MaxAuditPage = 256
)

// SignalEvery is how often the counts of a run may change without a signal: see store.Signal.
const SignalEvery = 250 * time.Millisecond

// Lost sessions.
const (
	// MaxLost is how many records of lost sessions a partition keeps, and LostKept for how long.
	MaxLost  = 100
	LostKept = 24 * time.Hour
)

// Values.
const (
	// MaxValues is the largest number of values of one run or job, and also of counters of a run.
	MaxValues = 1000
	// MaxValueLen bounds one value, one item of a list, or one field of a map, in bytes.
	MaxValueLen = 1 << 20
	// MaxFieldLen bounds the name of a field of a map, in bytes.
	MaxFieldLen = 8 << 10
	// MaxData bounds the items and fields of one write, and of all writes of one outcome together.
	MaxData = 1000
	// MaxWriteLen bounds the names and values of one write, in bytes.
	MaxWriteLen = 4 << 20
	// MaxOutcomeWriteLen bounds the names and values of all writes of one outcome, in bytes.
	MaxOutcomeWriteLen = 1 << 20
)

// Periodic jobs that cannot be fired.
const (
	// PostponeFirst and PostponeLast bound for how long such a job is postponed at a time.
	PostponeFirst = time.Second
	PostponeLast  = time.Minute
)
