package format

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
	"unsafe"

	"github.com/rollcall-go/rollcall/store"
)

// A task is stored as a message:
//
//	version   1 byte, 1
//	flags     1 byte, see below
//	enqueued  uvarint, ms since 1970
//	id        uvarint length, bytes
//	tries     uvarint each: retry, snoozes, crashes           if flagTries
//	keep      uvarint, ms                                     if flagKeep
//	attrs     uvarint length, bytes                           if flagAttributes
//	headers   uvarint count, (length, bytes) of key and value if flagHeaders
//	more      uvarint length, parts: a byte, length, bytes    if flagMore
//	payload   the rest
//
// Parts of "more" begin with a byte that says what they are: partReady is Task.Ready, partExpires
// is Task.Expires, partAttempt is an attempt, in order. Others are skipped, as a later version may
// add some. A message with another version byte is refused.
const (
	messageVersion = 1

	flagClaimed    = 1 << 0
	flagRecovered  = 1 << 1
	flagTries      = 1 << 2
	flagKeep       = 1 << 3
	flagAttributes = 1 << 4
	flagHeaders    = 1 << 5
	flagMore       = 1 << 6
	flagRetried    = 1 << 7 // retry is not 0; for scripts, see retrying.lua

	partReady   = 'r' // uvarint, ms since 1970
	partExpires = 'e' // uvarint, ms since 1970
	partAttempt = 'a' // uvarint ended and took, both in ms; worker and error: uvarint length, bytes
)

// flagsOf says which parts the message of a task has.
func flagsOf(t *store.Task) (flags byte) {
	if t.Claimed {
		flags |= flagClaimed
	}
	if t.Recovered {
		flags |= flagRecovered
	}
	if t.Retry != 0 || t.Snoozes != 0 || t.Crashes != 0 {
		flags |= flagTries
	}
	if t.Retry != 0 {
		flags |= flagRetried
	}
	if t.Keep > 0 {
		flags |= flagKeep
	}
	if len(t.Attributes) > 0 {
		flags |= flagAttributes
	}
	if len(t.Headers) > 0 {
		flags |= flagHeaders
	}
	if len(t.Attempts) > 0 || !t.Ready.IsZero() || !t.Expires.IsZero() {
		flags |= flagMore
	}
	return flags
}

// AppendTask appends the message of a task.
func AppendTask(b []byte, t *store.Task) []byte {
	flags := flagsOf(t)
	b = append(b, messageVersion, flags)
	b = binary.AppendUvarint(b, uint64(max(t.Enqueued.UnixMilli(), 0)))
	b = appendString(b, t.ID)
	if flags&flagTries != 0 {
		b = binary.AppendUvarint(b, uint64(t.Retry))
		b = binary.AppendUvarint(b, uint64(t.Snoozes))
		b = binary.AppendUvarint(b, uint64(t.Crashes))
	}
	if flags&flagKeep != 0 {
		b = binary.AppendUvarint(b, uint64(CeilMillis(t.Keep)))
	}
	if flags&flagAttributes != 0 {
		b = appendString(b, string(t.Attributes))
	}
	if flags&flagHeaders != 0 {
		b = binary.AppendUvarint(b, uint64(len(t.Headers)))
		for k, v := range t.Headers {
			b = appendString(b, k)
			b = appendString(b, v)
		}
	}
	if flags&flagMore != 0 {
		more := appendTime(appendTime(nil, partReady, t.Ready), partExpires, t.Expires)
		b = appendString(b, string(appendAttempts(more, t.Attempts)))
	}
	return append(b, t.Payload...)
}

// Retried reports whether a message is that of a task that was retried, as retrying.lua does.
func Retried(message string) bool { return len(message) > 1 && message[1]&flagRetried != 0 }

// appendTime appends a part for a time, unless it is zero.
func appendTime(b []byte, part byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return appendString(append(b, part), string(binary.AppendUvarint(nil, uint64(max(t.UnixMilli(), 0)))))
}

// appendAttempts appends a part for each attempt.
func appendAttempts(b []byte, all []store.Attempt) []byte {
	for i := range all {
		a := &all[i]
		part := binary.AppendUvarint(nil, uint64(max(a.Ended.UnixMilli(), 0)))
		part = binary.AppendUvarint(part, uint64(CeilMillis(a.Took)))
		part = appendString(appendString(part, a.Worker), a.Error)
		b = appendString(append(b, partAttempt), string(part))
	}
	return b
}

// decodeMore reads the parts of more that it knows.
func decodeMore(t *store.Task, more string) (bad bool) {
	r := reader{rest: more}
	for len(r.rest) > 0 && !r.bad {
		kind, part := r.byte(), reader{rest: r.string()}
		switch kind {
		case partReady:
			t.Ready = time.UnixMilli(int64(part.int()))
		case partExpires:
			t.Expires = time.UnixMilli(int64(part.int()))
		case partAttempt:
			t.Attempts = append(t.Attempts, store.Attempt{
				Ended: time.UnixMilli(
					int64(part.int()),
				), Took: Duration(int64(part.int())), Worker: part.string(), Error: part.string(),
			})
		}
		r.bad = r.bad || part.bad
	}
	return r.bad
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// DecodeTask decodes a message. The payload shares its memory, so the caller must own the message.
func DecodeTask(message string) (store.Task, error) {
	r := reader{rest: message}
	version := r.byte()
	if version != messageVersion {
		return store.Task{}, fmt.Errorf("%w: task message of version %d", store.ErrCorrupt, version)
	}
	flags := r.byte()
	t := store.Task{Claimed: flags&flagClaimed != 0, Recovered: flags&flagRecovered != 0}
	t.Enqueued = time.UnixMilli(int64(r.uvarint()))
	t.ID = r.string()
	if flags&flagTries != 0 {
		t.Retry, t.Snoozes, t.Crashes = r.int(), r.int(), r.int()
	}
	if flags&flagKeep != 0 {
		t.Keep = Duration(int64(r.int()))
	}
	if flags&flagAttributes != 0 {
		t.Attributes = []byte(r.string())
	}
	if flags&flagHeaders != 0 {
		n := r.int()
		if n > len(r.rest) {
			r.bad = true
		} else {
			t.Headers = make(map[string]string, n)
			for range n {
				k := r.string()
				t.Headers[k] = r.string()
			}
		}
	}
	if flags&flagMore != 0 {
		bad := decodeMore(&t, r.string())
		r.bad = r.bad || bad
	}
	if r.bad {
		return store.Task{}, fmt.Errorf("%w: task message is cut short", store.ErrCorrupt)
	}
	if len(r.rest) > 0 {
		t.Payload = unsafe.Slice(unsafe.StringData(r.rest), len(r.rest))
	}
	return t, nil
}

// reader reads the parts of a message. bad is true if the message ended too early.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

// int reads a number. It must not exceed half of the largest int, so that sums do not overflow.
func (r *reader) int() int {
	v := r.uvarint()
	if v > 1<<53 {
		r.bad = true
		return 0
	}
	return int(v)
}

func (r *reader) string() string {
	n := r.int()
	if n > len(r.rest) {
		r.bad = true
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// failure is the stored form of a dead letter: place, time in ms, and then this as JSON.
type failure struct {
	Version int    `json:"v"`
	Route   string `json:"route"`
	Task    []byte `json:"task"`
	Error   string `json:"error"`
	Stack   string `json:"stack,omitempty"`
	Worker  string `json:"worker,omitempty"`
}

// EncodeFailure encodes the dead letter of a task that failed, without its place and time.
func EncodeFailure(o *store.Outcome, worker string) string {
	b, _ := json.Marshal(failure{ // a struct of strings always marshals
		Version: 1, Route: RouteName(o.Lease.Lane.Route), Task: AppendTask(nil, &o.Task),
		Error: o.Error, Stack: o.Stack, Worker: worker,
	})
	return string(b)
}

// DecodeFailure decodes a dead letter, with its place and time.
func DecodeFailure(run store.RunID, stored string) (store.Failure, error) {
	var f failure
	first, rest, _ := CutByte(stored, ' ')
	ms, text, ok := CutByte(rest, ' ')
	place, err := ParseInt(first)
	at, err2 := ParseInt(ms)
	if !ok || err != nil || err2 != nil {
		return store.Failure{}, fmt.Errorf("%w: dead letter without place or time", store.ErrCorrupt)
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return store.Failure{}, fmt.Errorf("%w: dead letter: %v", store.ErrCorrupt, err)
	}
	route, ok := ParseRoute(f.Route)
	if f.Version != 1 || !ok {
		return store.Failure{}, fmt.Errorf(
			"%w: dead letter of version %d, route %q", store.ErrCorrupt, f.Version, f.Route,
		)
	}
	task, err := DecodeTask(string(f.Task))
	if err != nil {
		return store.Failure{}, err
	}
	return store.Failure{
		Place: place, Lane: store.Lane{Run: run, Route: route}, Task: task,
		Error: f.Error, Stack: f.Stack, Worker: f.Worker, At: time.UnixMilli(at),
	}, nil
}

// Digest returns the stored form of a claimed ID, and its bucket.
func Digest(id string) (string, int) {
	sum := sha256.Sum256([]byte(id))
	return string(sum[:16]), int(sum[16]) % IDBuckets
}
