// Package format defines the names of keys in Redis, the fields of hashes and the form of messages.
// No other Go code knows them.
package format

import (
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// Keyspace makes the names of all keys of one partition. They begin with the hash tag
// "{namespace:partition}". So they share a slot, and a script may use any of them. The tag is the
// first pair of braces in a key, so names that users chose may follow unchanged.
//
//	meta             hash: format, partitions; last run, fence, version of pauses, sweep
//	pauses           hash: scope → since and note; version; see set_pause.lua
//	audit            zset: "NUMBER RUN LINE" by number, the time in µs; see audit.lua
//	jobs             zset, all scores 0: names of jobs
//	job:J            hash: kind, definition, revision, disabled, run (last), created, changes, schedule, due, acts (due and its delay), skipped, lastskip
//	starts:J         hash: token → run, of every run kept
//	names:job:J      set: names of the job's values; names:run:R likewise
//	value:job:NAME:J hash or list: one value; see values.lua; value:run:NAME:R and value:all:NAME likewise
//	sets             hash: handler set → description
//	configuration:S  hash: configuration of the set S; see configure.lua
//	run:R            hash: one run; see record.go
//	configured:R     hash: configuration of its own
//	results:R        hash: results of its tasks; see results.lua
//	lanes:R          set: routes that the run ever used
//	holds:R          hash: name → since
//	stage:R          hash: staged lists whose parents have not settled
//	dead:R           zset: failures by their places
//	ids:R:B          zset: digest of a claimed ID → until when, in 64 buckets
//	C:R/DIGEST       string: what became of a cancelled task, by the digest of its ID; expires
//	W: U: D: M:LANE  waiting, recovered tasks, delayed (zset), markers of staged lists
//	S:R/DELIVERY/QUEUE/SET/KIND  staged children of one delivery
//	ring:ROUTE       zset: runs with work, by virtual time; those that stand aside at infinity
//	clock            hash: queue → virtual time; under / where those of other queues begin
//	routes           zset: routes with work, in order of their names
//	ledger, gone     hash: figures of routes; see ledger.lua; zset: routes without a ring whose
//	                 figures are kept → since when
//	series           hash: what the history has noted; see history.go
//	minutes, hours   zsets: points of the history
//	times, taken     hashes: histograms since the last points; those that a sweep is noting; see
//	                 times.go
//	due              zset: lane → earliest delayed task; j:J → when a periodic job is looked at;
//	                 i:R → when an open run is sealed, or stopped, unless somebody enqueues before;
//	                 d:R → when an active run is stopped at its deadline
//	kept             zset: bucket of claimed IDs → until when the last is kept
//	leases, terms    zset: session → expiry; hash: session → length of its lease in ms; see terms.lua
//	lost             zset: record of a lost session → when it ended; see lost.go
//	L:SESSION        hash: fetch, settle, info, busy, cancel, and a field per delivery held
//	P:STREAM         string: last number and reply of a producer
//	trash, hist      zsets: runs to purge; summaries by expiry
//	failing          zset: runs that keep failures, by when a task of each failed last
//	index            zset: R and j:J → state and time of the last change; see index.lua
//	sem:facts:K      hash: leases, slots and waiters of the semaphore K; see semaphore.lua
//	sem:held:K       zset: token → when its lease ends
//	sem:line:K       zset: token of a waiter → its number
//	sem:live:K       zset: token of a waiter → until when it keeps its place
//	limit:NAME       hash: the account of a limit; see limit.lua
//	listed           zset, all scores 0: s/K of each semaphore that is in use, v/NAME of each value of the namespace
//
// A lane is "R/QUEUE/SET/KIND", a route "QUEUE/SET/KIND".
type Keyspace struct {
	Prefix    string
	Partition int

	Channel, Meta, Pauses, Audit, Jobs, Sets, Clock, Routes, Ledger, Gone, Due, Kept, Leases string
	Series, Minutes, Hours, Times, Taken                                                     string
	Terms, Lost, Trash, Hist, Failing, Listed, Index                                         string
}

// NewKeyspace returns the keyspace of a partition.
func NewKeyspace(namespace string, partition int) *Keyspace {
	p := "{" + namespace + ":" + strconv.Itoa(partition) + "}:"
	return &Keyspace{
		Prefix: p, Partition: partition,
		Channel: p + "signals",
		Meta:    p + "meta",
		Pauses:  p + "pauses",
		Audit:   p + "audit",
		Jobs:    p + "jobs",
		Sets:    p + "sets",
		Clock:   p + "clock",
		Routes:  p + "routes",
		Ledger:  p + "ledger",
		Gone:    p + "gone",
		Series:  p + "series",
		Minutes: p + "minutes",
		Hours:   p + "hours",
		Times:   p + "times",
		Taken:   p + "taken",
		Due:     p + "due",
		Kept:    p + "kept",
		Leases:  p + "leases",
		Terms:   p + "terms",
		Lost:    p + "lost",
		Trash:   p + "trash",
		Hist:    p + "hist",
		Failing: p + "failing",
		Listed:  p + "listed",
		Index:   p + "index",
	}
}

func (k *Keyspace) Job(name string) string            { return k.Prefix + "job:" + name }
func (k *Keyspace) Starts(name string) string         { return k.Prefix + "starts:" + name }
func (k *Keyspace) Configuration(set string) string   { return k.Prefix + "configuration:" + set }
func (k *Keyspace) Results(id string) string          { return k.Prefix + "results:" + id }
func (k *Keyspace) RunConfiguration(id string) string { return k.Prefix + "configured:" + id }
func (k *Keyspace) Run(id string) string              { return k.Prefix + "run:" + id }
func (k *Keyspace) Lanes(id string) string            { return k.Prefix + "lanes:" + id }
func (k *Keyspace) Holds(id string) string            { return k.Prefix + "holds:" + id }
func (k *Keyspace) Stage(id string) string            { return k.Prefix + "stage:" + id }
func (k *Keyspace) Dead(id string) string             { return k.Prefix + "dead:" + id }
func (k *Keyspace) Ring(route string) string          { return k.Prefix + "ring:" + route }
func (k *Keyspace) Session(id string) string          { return k.Prefix + "L:" + id }
func (k *Keyspace) Producer(id string) string         { return k.Prefix + "P:" + id }
func (k *Keyspace) Cancelled(id, digest string) string {
	return k.Prefix + "C:" + id + "/" + digest
}
func (k *Keyspace) Waiting(lane string) string       { return k.Prefix + "W:" + lane }
func (k *Keyspace) Recovered(lane string) string     { return k.Prefix + "U:" + lane }
func (k *Keyspace) Delayed(lane string) string       { return k.Prefix + "D:" + lane }
func (k *Keyspace) Markers(lane string) string       { return k.Prefix + "M:" + lane }
func (k *Keyspace) SemaphoreFacts(key string) string { return k.Prefix + "sem:facts:" + key }
func (k *Keyspace) SemaphoreHeld(key string) string  { return k.Prefix + "sem:held:" + key }
func (k *Keyspace) SemaphoreLine(key string) string  { return k.Prefix + "sem:line:" + key }
func (k *Keyspace) SemaphoreLive(key string) string  { return k.Prefix + "sem:live:" + key }
func (k *Keyspace) Limit(name string) string         { return k.Prefix + "limit:" + name }

// absent is a key that never exists.
func (k *Keyspace) Absent() string { return k.Prefix + "absent" }

func (k *Keyspace) Staged(id, name string) string {
	return k.Prefix + "S:" + id + "/" + name
}

// Marks of the names in the list of a partition.
const (
	ListedSemaphore = "s/"
	ListedValue     = "v/"
)

// ListedKey returns the key that there is as long as a name is listed.
func (k *Keyspace) ListedKey(name string) string {
	if key, ok := strings.CutPrefix(name, ListedSemaphore); ok {
		return k.SemaphoreFacts(key)
	}
	if name, ok := strings.CutPrefix(name, ListedValue); ok {
		return k.Value(store.NamespaceScope(0), name)
	}
	return k.Absent()
}

// value returns the key of a value. The name of the value comes first because it has no ':'; the
// name of a job may have one.
func (k *Keyspace) Value(scope store.ValueScope, name string) string {
	switch scope.Of {
	case store.ScopeRun:
		return k.Prefix + "value:run:" + name + ":" + RunID(scope.Run)
	case store.ScopeJob:
		return k.Prefix + "value:job:" + name + ":" + scope.Job
	}
	return k.Prefix + "value:all:" + name
}

// valueNames returns the key of the names of all values of a run or job.
func (k *Keyspace) ValueNames(scope store.ValueScope) string {
	if scope.Of == store.ScopeRun {
		return k.Prefix + "names:run:" + RunID(scope.Run)
	}
	return k.Prefix + "names:job:" + scope.Job
}

// IDBuckets is the number of keys for the claimed IDs of a run. With few IDs, each key is small
// enough for the compact encoding of Redis.
const IDBuckets = 64

// Far is FAR of the scripts: the score of a claim is at least so much until its task has ended, and
// with it the time in ms at which the task was added, if that is known.
const Far = 9e15

func (k *Keyspace) IDs(id string, bucket int) string { return k.Prefix + "ids:" + IDsName(id, bucket) }

// IDsName returns the name of a bucket in kept.
func IDsName(id string, bucket int) string { return id + ":" + strconv.Itoa(bucket) }

// RunID formats the number of a run for keys and scripts.
func RunID(number int64) string { return strconv.FormatInt(number, 10) }

// RouteName returns the stored form of a route. Names have no '/', so it can be parsed again.
func RouteName(r store.Route) string { return r.Queue + "/" + r.Set + "/" + r.Kind }

// ParseRoute parses the stored form of a route.
func ParseRoute(s string) (store.Route, bool) {
	queue, rest, ok := strings.Cut(s, "/")
	set, kind, ok2 := strings.Cut(rest, "/")
	return store.Route{Queue: queue, Set: set, Kind: kind}, ok && ok2 && !strings.Contains(kind, "/")
}

// LaneName returns the stored form of a lane.
func LaneName(id, route string) string { return id + "/" + route }

// ParseLane parses the stored form of a lane.
func ParseLane(s string) (id string, route store.Route, ok bool) {
	id, rest, found := strings.Cut(s, "/")
	route, ok = ParseRoute(rest)
	return id, route, ok && found
}

// idleMark stands before the run in the name of its end for being idle.
const idleMark = "i:"

// IdleEnd is how due names the end of an open run that is left idle.
func (k *Keyspace) IdleEnd(id string) string { return idleMark + id }

// IdleRun finds the run in the name of its end, if it is such a name.
func (k *Keyspace) IdleRun(s string) (number int64, ok bool) { return markedRun(s, idleMark) }

// deadlineMark stands before the run in the name of its deadline.
const deadlineMark = "d:"

// Deadline is how due names the deadline of a run.
func (k *Keyspace) Deadline(id string) string { return deadlineMark + id }

// OverdueRun finds the run in the name of its deadline, if it is such a name.
func (k *Keyspace) OverdueRun(s string) (number int64, ok bool) { return markedRun(s, deadlineMark) }

// markedRun finds the run in a name with this mark.
func markedRun(s, mark string) (number int64, ok bool) {
	id, ok := strings.CutPrefix(s, mark)
	number, err := strconv.ParseInt(id, 10, 64)
	return number, ok && err == nil && RunID(number) == id
}

// tallyMark is the prefix of the lane in a lease field if the run counts the lease by kind.
const tallyMark = "!"

// LeaseField returns the field of a delivery in its session's hash: fetch number, position and
// lane, with a mark if it is counted by kind. A field is never used twice. So its removal is the
// fence.
func LeaseField(l store.Lease) string { return string(AppendLeaseField(nil, &l)) }

// AppendLeaseField appends the field of a delivery.
func AppendLeaseField(b []byte, l *store.Lease) []byte {
	b = append(strconv.AppendInt(b, l.Fetch, 10), '.')
	b = append(strconv.AppendInt(b, int64(l.Index), 10), '.')
	if l.Tallied {
		b = append(b, tallyMark...)
	}
	b = append(strconv.AppendInt(b, l.Lane.Run.Number, 10), '/')
	r := &l.Lane.Route
	b = append(append(b, r.Queue...), '/')
	b = append(append(b, r.Set...), '/')
	return append(b, r.Kind...)
}

// ParseLeaseField parses the field of a delivery.
func ParseLeaseField(session, s string) (store.Lease, bool) {
	fetch, rest, ok := strings.Cut(s, ".")
	index, lane, ok2 := strings.Cut(rest, ".")
	lane, tallied := strings.CutPrefix(lane, tallyMark)
	f, err := strconv.ParseInt(fetch, 10, 64)
	i, err2 := strconv.Atoi(index)
	id, route, ok3 := ParseLane(lane)
	n, err3 := strconv.ParseInt(id, 10, 64)
	if !ok || !ok2 || !ok3 || err != nil || err2 != nil || err3 != nil {
		return store.Lease{}, false
	}
	return store.Lease{
		Session: session,
		Lane:    store.Lane{Run: store.RunID{Number: n}, Route: route},
		Fetch:   f,
		Index:   i,
		Tallied: tallied,
	}, true
}

// DeliveryName returns a name of a lease's delivery that is unique in the partition. Staged lists
// have it in their names.
func DeliveryName(l store.Lease) string {
	return l.Session + "." + strconv.FormatInt(l.Fetch, 10) + "." + strconv.Itoa(l.Index)
}

// NeededState returns the state in which tasks of the route may run.
func NeededState(r store.Route) statuses.Status {
	switch r.Kind {
	case store.KindPreJob:
		return statuses.Starting
	case store.KindPostJob:
		return statuses.Finishing
	}
	return statuses.Running
}

// StagedName returns the name of a marker's staged list.
func StagedName(marker string, r store.Route) string {
	return marker + "/" + RouteName(r)
}
