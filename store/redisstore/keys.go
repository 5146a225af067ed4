package redisstore

import (
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/store"
)

// keyspace names every key of one partition. All of them begin with the hash
// tag "{namespace:partition}", so that they share a slot and a script may
// touch any of them; since the tag is the first pair of braces in a key, names that
// users chose may follow it as they are.
//
//	meta             hash: format, partitions, run and fence (last numbers), sweep (last time), mode
//	jobs             zset, all scores 0: names of jobs
//	job:J            hash: kind, definition, revision, disabled, run (last), created, changes, schedule, due, acts (due and its delay), skipped, lastskip
//	starts:J         hash: token → run, of every run kept
//	names:job:J      set: names of the job's values; names:run:R likewise
//	value:job:NAME:J hash or list: one value; see values.lua; value:run:NAME:R and value:all:NAME likewise
//	sets             hash: handler set → description
//	configuration:S  hash: configuration of the set S; see configure.lua
//	run:R            hash: one run; see record.go
//	configured:R     hash: configuration of its own
//	lanes:R          set: routes that the run ever used
//	holds:R          hash: name → since
//	stage:R          hash: staged lists whose parents have not settled
//	dead:R           zset: failures by their places
//	ids:R:B          zset: digest of a claimed ID → until when, in 64 buckets
//	W: U: D: M:LANE  waiting, recovered tasks, delayed (zset), markers of staged lists
//	S:R/DELIVERY/QUEUE/SET/KIND  staged children of one delivery
//	ring:ROUTE       zset: runs with work, by virtual time; those that stand aside at infinity
//	clock            hash: queue → virtual time; under / where those of other queues begin
//	routes           zset: routes with work, in order of their names
//	due              zset: lane → earliest delayed task; j:J → when a periodic job is looked at
//	idle             zset: run → when it is sealed
//	kept             zset: bucket of claimed IDs → until when the last is kept
//	leases, terms    zset: session → expiry; hash: session → length of its lease in ms
//	L:SESSION        hash: fetch, settle, info, busy, and a field per delivery held
//	P:STREAM         string: last number and reply of a producer
//	trash, hist      zsets: runs to purge; summaries by expiry
//	sem:facts:K      hash: leases, slots and waiters of the semaphore K; see semaphore.lua
//	sem:held:K       zset: token → when its lease ends
//	sem:line:K       zset: token of a waiter → its number
//	sem:live:K       zset: token of a waiter → until when it keeps its place
//	limit:NAME       hash: the account of a limit; see limit.lua
//
// A lane is "R/QUEUE/SET/KIND", a route "QUEUE/SET/KIND".
type keyspace struct {
	prefix    string
	partition int

	channel, meta, jobs, sets, clock, routes, due, idle, kept, leases, terms, trash, hist string
}

func newKeyspace(namespace string, partition int) *keyspace {
	p := "{" + namespace + ":" + strconv.Itoa(partition) + "}:"
	return &keyspace{
		prefix: p, partition: partition,
		channel: p + "signals",
		meta:    p + "meta",
		jobs:    p + "jobs",
		sets:    p + "sets",
		clock:   p + "clock",
		routes:  p + "routes",
		due:     p + "due",
		idle:    p + "idle",
		kept:    p + "kept",
		leases:  p + "leases",
		terms:   p + "terms",
		trash:   p + "trash",
		hist:    p + "hist",
	}
}

func (k *keyspace) job(name string) string            { return k.prefix + "job:" + name }
func (k *keyspace) starts(name string) string         { return k.prefix + "starts:" + name }
func (k *keyspace) configuration(set string) string   { return k.prefix + "configuration:" + set }
func (k *keyspace) runConfiguration(id string) string { return k.prefix + "configured:" + id }
func (k *keyspace) run(id string) string              { return k.prefix + "run:" + id }
func (k *keyspace) lanes(id string) string            { return k.prefix + "lanes:" + id }
func (k *keyspace) holds(id string) string            { return k.prefix + "holds:" + id }
func (k *keyspace) stage(id string) string            { return k.prefix + "stage:" + id }
func (k *keyspace) dead(id string) string             { return k.prefix + "dead:" + id }
func (k *keyspace) ring(route string) string          { return k.prefix + "ring:" + route }
func (k *keyspace) session(id string) string          { return k.prefix + "L:" + id }
func (k *keyspace) producer(id string) string         { return k.prefix + "P:" + id }
func (k *keyspace) waiting(lane string) string        { return k.prefix + "W:" + lane }
func (k *keyspace) recovered(lane string) string      { return k.prefix + "U:" + lane }
func (k *keyspace) delayed(lane string) string        { return k.prefix + "D:" + lane }
func (k *keyspace) markers(lane string) string        { return k.prefix + "M:" + lane }
func (k *keyspace) semaphoreFacts(key string) string  { return k.prefix + "sem:facts:" + key }
func (k *keyspace) semaphoreHeld(key string) string   { return k.prefix + "sem:held:" + key }
func (k *keyspace) semaphoreLine(key string) string   { return k.prefix + "sem:line:" + key }
func (k *keyspace) semaphoreLive(key string) string   { return k.prefix + "sem:live:" + key }
func (k *keyspace) limit(name string) string          { return k.prefix + "limit:" + name }

// absent is a key that never exists.
func (k *keyspace) absent() string { return k.prefix + "absent" }

func (k *keyspace) staged(id, name string) string {
	return k.prefix + "S:" + id + "/" + name
}

// value is the key of a value. Its name comes first: unlike the name of a job it holds no ':'.
func (k *keyspace) value(scope store.ValueScope, name string) string {
	switch scope.Of {
	case store.ScopeRun:
		return k.prefix + "value:run:" + name + ":" + runID(scope.Run)
	case store.ScopeJob:
		return k.prefix + "value:job:" + name + ":" + scope.Job
	}
	return k.prefix + "value:all:" + name
}

// valueNames is the key of the names of all values of a run or job.
func (k *keyspace) valueNames(scope store.ValueScope) string {
	if scope.Of == store.ScopeRun {
		return k.prefix + "names:run:" + runID(scope.Run)
	}
	return k.prefix + "names:job:" + scope.Job
}

// idBuckets spreads the claimed IDs of a run over keys small enough for
// Redis's compact encoding while there are few.
const idBuckets = 64

func (k *keyspace) ids(id string, bucket int) string { return k.prefix + "ids:" + idsName(id, bucket) }

// idsName is how kept names a bucket.
func idsName(id string, bucket int) string { return id + ":" + strconv.Itoa(bucket) }

// runID formats a run's number as keys and scripts carry it.
func runID(number int64) string { return strconv.FormatInt(number, 10) }

// routeName is the stored form of a route. Names hold no '/', so that it can be
// taken apart again.
func routeName(r store.Route) string { return r.Queue + "/" + r.Set + "/" + r.Kind }

func parseRoute(s string) (store.Route, bool) {
	queue, rest, ok := strings.Cut(s, "/")
	set, kind, ok2 := strings.Cut(rest, "/")
	return store.Route{Queue: queue, Set: set, Kind: kind}, ok && ok2 && !strings.Contains(kind, "/")
}

// laneName is the stored form of a lane.
func laneName(id, route string) string { return id + "/" + route }

func parseLane(s string) (id string, route store.Route, ok bool) {
	id, rest, found := strings.Cut(s, "/")
	route, ok = parseRoute(rest)
	return id, route, ok && found
}

// tallyMark stands before the lane of a lease that its run counts by kind.
const tallyMark = "!"

// leaseField is the field of a delivery in its session's hash: fetch number,
// position and lane, marked if it is tallied. It is never used again, which makes its removal the fence.
func leaseField(l store.Lease) string { return string(appendLeaseField(nil, &l)) }

func appendLeaseField(b []byte, l *store.Lease) []byte {
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

func parseLeaseField(session, s string) (store.Lease, bool) {
	fetch, rest, ok := strings.Cut(s, ".")
	index, lane, ok2 := strings.Cut(rest, ".")
	lane, tallied := strings.CutPrefix(lane, tallyMark)
	f, err := strconv.ParseInt(fetch, 10, 64)
	i, err2 := strconv.Atoi(index)
	id, route, ok3 := parseLane(lane)
	n, err3 := strconv.ParseInt(id, 10, 64)
	if !ok || !ok2 || !ok3 || err != nil || err2 != nil || err3 != nil {
		return store.Lease{}, false
	}
	return store.Lease{Session: session, Lane: store.Lane{Run: store.RunID{Number: n}, Route: route}, Fetch: f, Index: i, Tallied: tallied}, true
}

// deliveryName names the delivery of a lease among all of a partition; staged lists carry it.
func deliveryName(l store.Lease) string {
	return l.Session + "." + strconv.FormatInt(l.Fetch, 10) + "." + strconv.Itoa(l.Index)
}

// neededState is the state in which a run's tasks of the route may run.
func neededState(r store.Route) store.Status {
	switch r.Kind {
	case store.KindPreJob:
		return store.StatusStarting
	case store.KindPostJob:
		return store.StatusFinishing
	}
	return store.StatusRunning
}
