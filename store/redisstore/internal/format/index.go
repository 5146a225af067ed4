package format

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// This file knows the scores of the index, as does index.lua.

// indexStep is how far the scores of two states are apart.
const indexStep = 1e13

// indexStates are the states in the order of their numbers. A run moves to a higher one, but for a
// start: so a reader that goes up misses none that moves meanwhile.
var indexStates = slices.Concat(statuses.Active, statuses.Final)

// IndexJobs is the number of the first state of jobs; without a run they have the one after the
// last.
const IndexJobs = 8

// IndexState returns the number of a state of runs.
func IndexState(s statuses.Status) int { return slices.Index(indexStates, s) }

// IndexScore is a bound of a range in a state.
func IndexScore(state int, ms int64) string {
	return strconv.FormatFloat(float64(state)*indexStep+float64(ms), 'f', 0, 64)
}

// IndexEnd is the bound behind all entries of a state.
func IndexEnd(state int) string { return "(" + IndexScore(state+1, 0) }

// IndexAllJobs are the numbers of all states of jobs.
func IndexAllJobs() (states []int) {
	for state := IndexJobs; state <= IndexJobs+len(indexStates); state++ {
		states = append(states, state)
	}
	return states
}

// IndexPlace is where an entry of the index is in a listing.
func (k *Keyspace) IndexPlace(entry string, score float64) store.Place {
	p := store.Place{Changed: int64(math.Mod(score, indexStep))}
	if job, ok := k.IndexJob(entry); ok {
		p.Name = job
	} else {
		p.Number, _ = ParseInt(entry)
	}
	return p
}

// jobMark stands before the name of a job in the index.
const jobMark = "j:"

// IndexEntry is how the index names a job.
func (k *Keyspace) IndexEntry(job string) string { return jobMark + job }

// IndexJob finds the job in an entry of the index, if it is one of a job.
func (k *Keyspace) IndexJob(entry string) (job string, ok bool) {
	return strings.CutPrefix(entry, jobMark)
}

// Indexed is the key of the record to which an entry of the index belongs.
func (k *Keyspace) Indexed(entry string) string {
	if job, ok := k.IndexJob(entry); ok {
		return k.Job(job)
	}
	return k.Run(entry)
}

// ListedFields are the fields of a run that a listing without details reads.
var ListedFields = []string{
	"job", "set", "labels", "state", "finalstatus", "total", "pending", "delayed", "running", "succeeded", "failed", "cancelled",
	"retried", "duplicates", "holds", "paused", "weight", "created", "changed", "signalled", "started", "ended", "error",
	"retryerror", "onfailure", "reason", "hookerror", "graceful", "retention", "scheduled", "redriveof", "routes",
	"hookpassed", "stopbegan", "deadline",
}

// Fields makes a hash of the fields that were read of one, which may lack some.
func Fields(names []string, values []rueidis.RedisMessage) map[string]string {
	h := make(map[string]string, len(names))
	for i, v := range values {
		if s, err := v.ToString(); err == nil {
			h[names[i]] = s
		}
	}
	return h
}

// Among the names of jobs, each periodic job stands once more, behind the sign Periodic, which no
// name has: in front of all names, up to LastPeriodic.
const (
	Periodic     = "\x01"
	LastPeriodic = "\x02"
)
