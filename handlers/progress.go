package handlers

import (
	"context"
	"strings"
	"sync"
	"unicode"

	"github.com/rollcall-go/rollcall/store"
)

// maxProgressText is how many bytes of a message of [Attempt.Progress] are kept.
const maxProgressText = 200

// Progress reports how far the task is: done of total, in whatever unit suits it, and a line of text, of which the first 200
// bytes are kept. A total of 0 is unknown. Watching the run and explaining it show the last report while the attempt runs;
// Progress(ctx, 0, 0, "") takes it back.
//
// It makes no call of the store and may be called in every turn of a tight loop: reports travel with the worker's
// heartbeat, which comes about once a second while they change. It never fails, and nothing depends
// on it: what is reported after ctx has ended or the handler has returned is dropped, and a retry begins without.
func (a *Attempt) Progress(ctx context.Context, done, total int64, message string) {
	if ctx.Err() != nil {
		return
	}
	m := a.meter.Load()
	if m == nil {
		m = new(Meter)
		if !a.meter.CompareAndSwap(nil, m) {
			m = a.meter.Load()
		}
	}
	if m.set(store.Progress{Done: max(0, done), Total: max(0, total), Message: message}) {
		a.x.Runtime.Progress(*a.lease, m)
	}
}

// Meter holds what one attempt reported last of its progress.
type Meter struct {
	mu     sync.Mutex
	last   store.Progress
	unread bool // it was set since it was read
	over   bool // the handler has returned
}

// overMeter is the meter of every attempt that has ended.
var overMeter = &Meter{over: true}

// set replaces the progress and reports whether the runtime has to be told.
func (m *Meter) set(p store.Progress) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over || m.last == p {
		return false
	}
	m.last = p
	tell := !m.unread
	m.unread = true
	return tell
}

// Read returns the last report, which is zero if there is none any more. [Runtime].Progress is called again when another
// one follows.
func (m *Meter) Read() store.Progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unread = false
	p := m.last
	p.Message = line(p.Message, maxProgressText)
	return p
}

// end takes the report back, and lets none follow.
func (m *Meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last, m.over = store.Progress{}, true
}

// line returns at most n bytes of s as one line of valid UTF-8, in which nothing controls a terminal.
func line(s string, n int) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, cut(s, n))
}
