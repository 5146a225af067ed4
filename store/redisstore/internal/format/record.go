package format

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// This file converts between stored hashes and records. No other Go file knows a field of run:R or
// job:J. Scripts own state, outcome, the counters, started, ended, paused, error, retryerror,
// reason, hookerror, result, hookpassed, stopbegan, graceful, deadline, overdue (it has passed),
// signalled (when the counts changed last, but not more often than four times a second), changed,
// configured, root, rootwhen, reporting (progress.go), reported, v:QUEUE (virtual times), c:NAME
// (counters), n:SET/KIND (leased tasks of kinds with a limit) and short (queues that wait for such
// a limit), redone (failures that were retried or discarded), onfailure (of a run that holds for
// its failures), and litter: more is left at its end than the list of its lanes, like
// buckets of claimed IDs.

// RunFields returns the first fields of a run, without those that the script adds itself. What is
// read often comes first: Redis searches a small hash from the front.
func RunFields(p *store.StartParams, maxLen int) []string {
	headers := ""
	if len(p.Headers) > 0 {
		b, _ := json.Marshal(p.Headers) // a map of strings always marshals
		headers = string(b)
	}
	fields := []string{
		"maxlen", strconv.Itoa(maxLen),
		"routes", MetaRoutes(p),
		"retention", Millis(p.Retention),
		"set", p.Set,
		"args", string(p.Args),
		"headers", headers,
		"weight", strconv.FormatFloat(p.Weight, 'f', -1, 64), "failcap", strconv.Itoa(p.FailureCap),
	}
	if len(p.Labels) > 0 {
		fields = append(fields, "labels", labels(p.Labels))
	}
	if p.StopAfter > 0 {
		fields = append(fields, "stopidle", "1")
	}
	if p.OnFailure != store.OnFailureEnd {
		fields = append(fields, "onfailure", string(p.OnFailure))
	}
	if p.RedriveOf != 0 {
		fields = append(fields, "redriveof", strconv.FormatInt(p.RedriveOf, 10))
	}
	if !p.Due.IsZero() {
		fields = append(fields, "scheduled", strconv.FormatInt(p.Due.UnixMilli(), 10))
	}
	if p.PostJob != nil {
		fields = append(fields, "post", string(AppendTask(nil, &p.PostJob.Task)),
			"postroute", RouteName(p.PostJob.Route), "postqueue", p.PostJob.Route.Queue)
	}
	return fields
}

// MetaRoutes encodes the routes and the weight of a run, which never change, in the form that
// ParseMeta reads.
func MetaRoutes(p *store.StartParams) string {
	var root, post string
	if p.Root != nil {
		root = RouteName(p.Root.Route)
	}
	if p.PostJob != nil {
		post = RouteName(p.PostJob.Route)
	}
	return post + " " + root + " " + strconv.FormatFloat(p.Weight, 'f', -1, 64)
}

// RunMeta is the data of a run that never changes and is needed to name its keys.
type RunMeta struct {
	Job  string
	Post string // route of the post-job lane; empty if the set has no such hook
	Root string // route of the root task; empty if there is none
	// weight is in the stored form, for the script fetch.
	Weight string
}

// ParseMeta reads the fields job and routes of a run.
func ParseMeta(job, routes string) RunMeta {
	post, rest, _ := strings.Cut(routes, " ")
	root, weight, _ := strings.Cut(rest, " ")
	if w, err := strconv.ParseFloat(weight, 64); err != nil || !(w > 0) || math.IsInf(w, 0) {
		weight = "1" // it is damaged
	}
	return RunMeta{Job: job, Post: post, Root: root, Weight: weight}
}

// DecodeRun converts a hash. It checks that the hash has this name and number. now is the store's
// clock, as far as known.
func DecodeRun(id store.RunID, h map[string]string, now time.Time) (store.RunRecord, error) {
	if len(h) == 0 {
		return store.RunRecord{}, store.ErrRunNotFound
	}
	if h["job"] != id.Job {
		return store.RunRecord{}, store.ErrRunNotFound // the number belongs to a run of another job
	}
	d := hashDecoder{h: h}
	r := store.RunRecord{
		ID:          id,
		Set:         h["set"],
		Args:        []byte(h["args"]),
		Status:      statuses.Status(h["state"]),
		FinalStatus: statuses.Status(h["finalstatus"]),
		Counts: store.Counts{
			Total: d.int("total"), Pending: d.int("pending"), Delayed: d.int("delayed"), Running: d.int("running"),
			Succeeded: d.int("succeeded"), Failed: d.int("failed"), Cancelled: d.int("cancelled"),
		},
		Counters:   d.counters(),
		Retried:    d.int("retried"),
		Duplicate:  d.int("duplicates"),
		Holds:      d.int("holds"),
		Paused:     h["paused"] != "",
		Weight:     d.float("weight"),
		Created:    d.time("created"),
		Changed:    d.time("changed"),
		HookPassed: d.time("hookpassed"),
		StopBegan:  d.time("stopbegan"),
		Moved:      d.time("signalled"),
		Started:    d.time("started"),
		Ended:      d.time("ended"),
		Error:      h["error"],
		OnFailure:  store.OnFailure(h["onfailure"]),
		Reason:     h["reason"],
		HookError:  h["hookerror"],
		Graceful:   h["graceful"] == "1",
		Retention:  Duration(d.int("retention")),
		Due:        d.time("scheduled"),
		Deadline:   d.time("deadline"),
		RedriveOf:  d.int("redriveof"),
	}
	if !r.Status.Final() {
		r.RetryError = h["retryerror"] // it stays stored, because removing it would cost each run a command
	}
	if meta := ParseMeta(h["job"], h["routes"]); meta.Root != "" {
		route, ok := ParseRoute(meta.Root)
		d.check(ok, "routes")
		r.Root = route
	}
	if result, ok := h["result"]; ok {
		r.Result = []byte(result)
	}
	if field, ok := h["reporting"]; ok {
		r.Reporting = DecodeReporting(id, field, now)
	}
	if r.Moved.Before(r.Changed) {
		r.Moved = r.Changed
	}
	r.Labels = d.labels()
	if h["headers"] != "" {
		d.check(json.Unmarshal([]byte(h["headers"]), &r.Headers) == nil, "headers")
	}
	d.check(known(r.Status), "state")
	d.check(r.OnFailure.Known(), "onfailure")
	if d.bad != "" {
		return store.RunRecord{}, fmt.Errorf(
			"%w: run %d of job %q: field %q", store.ErrCorrupt, id.Number, id.Job, d.bad,
		)
	}
	return r, nil
}

// known reports whether a run can have this state.
func known(s statuses.Status) bool {
	switch s {
	case statuses.Starting, statuses.Running, statuses.Finishing, statuses.Stopping:
		return true
	}
	return s.Final()
}

// DecodeJob converts a hash.
func DecodeJob(name string, h map[string]string) (store.JobRecord, error) {
	if len(h) == 0 {
		return store.JobRecord{}, store.ErrJobNotFound
	}
	d := hashDecoder{h: h}
	j := store.JobRecord{
		Name:     name,
		Type:     statuses.JobType(h["type"]),
		Revision: d.int("revision"),
		Disabled: h["disabled"] != "",
		LastRun:  d.int("run"),
		Created:  d.time("created"),
		Changes:  d.int("changes"),
		Changed:  d.time("changed"),
		Due:      d.time("due"),
		Skipped:  d.int("skipped"),
		LastSkip: d.time("lastskip"),
		Problem:  h["problem"],
	}
	if j.Changed.IsZero() {
		j.Changed = j.Created
	}
	if j.Problem != "" {
		j.ProblemSince = d.time("problemsince")
	}
	if def, ok := h["definition"]; ok {
		j.Definition = []byte(def)
	}
	if d.bad != "" {
		return store.JobRecord{}, fmt.Errorf("%w: job %q: field %q", store.ErrCorrupt, name, d.bad)
	}
	return j, nil
}

// hashDecoder reads typed fields and remembers the first damaged one. A missing field is zero.
type hashDecoder struct {
	h   map[string]string
	bad string
}

func (d *hashDecoder) check(ok bool, field string) {
	if !ok && d.bad == "" {
		d.bad = field
	}
}

func (d *hashDecoder) int(field string) int64 {
	s, ok := d.h[field]
	if !ok {
		return 0
	}
	n, err := ParseInt(s)
	d.check(err == nil, field)
	return n
}

// labels encodes labels, of which there are some.
func labels(labels map[string]string) string {
	b, _ := json.Marshal(labels) // a map of strings always marshals
	return string(b)
}

func (d *hashDecoder) labels() (labels map[string]string) {
	if s := d.h["labels"]; s != "" {
		d.check(json.Unmarshal([]byte(s), &labels) == nil, "labels")
	}
	return labels
}

// counters reads the fields c:NAME. It returns nil if there are none.
func (d *hashDecoder) counters() (all map[string]int64) {
	for field := range d.h {
		if name, ok := strings.CutPrefix(field, "c:"); ok {
			if all == nil {
				all = make(map[string]int64)
			}
			all[name] = d.int(field)
		}
	}
	return all
}

func (d *hashDecoder) float(field string) float64 {
	s, ok := d.h[field]
	if !ok {
		return 0
	}
	n, err := strconv.ParseFloat(s, 64)
	d.check(err == nil, field)
	return n
}

func (d *hashDecoder) time(field string) time.Time {
	if ms := d.int(field); ms > 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// ParseInt reads a whole number.
func ParseInt(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

// Duration is the reverse of [CeilMillis]. The longest duration, rounded up, becomes the longest
// duration again.
func Duration(ms int64) time.Duration {
	if ms > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}

// Instant returns a time in ms since 1970, for scripts to compare with their clock; 0 for the zero
// time. Times before 1970 become 1.
func Instant(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixMilli(), 1)
}

// Millis rounds up, as [CeilMillis] does.
func Millis(d time.Duration) string { return strconv.FormatInt(CeilMillis(d), 10) }

// CutByte is [strings.Cut] with a byte as the separator.
func CutByte(s string, sep byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// ParseMillis reads a time in ms from the reply of a script; empty means zero. Scores may have an
// exponent or a fraction.
func ParseMillis(s string) time.Time {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(f))
}

// DocumentFields are the fields to read of the hash of a configuration; see configure.lua.
var DocumentFields = []string{"version", "document"}

// DecodeDocument converts a read of DocumentFields.
func DecodeDocument(id store.ConfigurationID, v []rueidis.RedisMessage) (store.ConfigurationRecord, error) {
	var r store.ConfigurationRecord
	if len(v) != len(DocumentFields) || v[0].IsNil() {
		return r, nil
	}
	var err error
	if r.Version, err = ParseInt(script.Text(v[0])); err != nil {
		return r, fmt.Errorf("%w: version of the %s", store.ErrCorrupt, id)
	}
	if !v[1].IsNil() {
		r.Document = []byte(script.Text(v[1]))
	}
	return r, nil
}

// DecodeChanges converts the hash of a configuration to its history, newest first.
func DecodeChanges(id store.ConfigurationID, h map[string]string) ([]store.ConfigurationChange, error) {
	d := hashDecoder{h: h}
	changes := []store.ConfigurationChange{}
	for v := d.int("version"); v > 0; v-- {
		n := strconv.FormatInt(v, 10)
		if _, kept := h["token:"+n]; !kept {
			break
		}
		c := store.ConfigurationChange{Version: v, By: h["by:"+n], Reason: h["reason:"+n], At: d.time("at:" + n)}
		if before, ok := h["before:"+n]; ok {
			c.Before = []byte(before)
		}
		changes = append(changes, c)
	}
	if d.bad != "" {
		return nil, fmt.Errorf("%w: %s of the %s", store.ErrCorrupt, d.bad, id)
	}
	return changes, nil
}

// CeilMillis rounds up, so that a short delay does not become 0. It works for every duration: an
// overflow would give a script a number that it cannot read, and the script would end in the
// middle.
func CeilMillis(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64((d-1)/time.Millisecond) + 1
}

// DecodeReporting reads the field, without reports that have expired. Reports are only information,
// so those that cannot be read are left out.
func DecodeReporting(run store.RunID, field string, now time.Time) (all []store.RunningTask) {
	for line := range strings.SplitSeq(field, "\n") {
		until, rest, _ := strings.Cut(line, " ")
		_, text, _ := strings.Cut(rest, " ")
		ms, err := strconv.ParseInt(until, 10, 64)
		var t store.RunningTask
		if err != nil || now.UnixMilli() >= ms || json.Unmarshal([]byte(text), &t) != nil {
			continue
		}
		t.Run = run
		all = append(all, t)
	}
	rules.SortRunning(all)
	return all
}
