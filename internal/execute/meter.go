package execute

import (
	"strings"
	"sync"
	"unicode"

	"github.com/rollcall-go/rollcall/store"
)

// maxProgressText is how many bytes of the message of a report of progress are kept.
const maxProgressText = 200

// Meter holds the last report of progress of one attempt.
type Meter struct {
	mu     sync.Mutex
	last   store.Progress
	unread bool // it was set after the last read
	over   bool // the handler has returned
}

// Set replaces the progress, and reports whether the runtime must be called.
func (m *Meter) Set(p store.Progress) bool {
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

// Read returns the last report. It is zero if there is none. At the next report, Progress of the
// [Runtime] is called again.
func (m *Meter) Read() store.Progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unread = false
	p := m.last
	p.Message = line(p.Message, maxProgressText)
	return p
}

// End removes the report, and ignores later ones.
func (m *Meter) End() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last, m.over = store.Progress{}, true
}

// line returns at most n bytes of s as one line of valid UTF-8 that cannot control a terminal.
func line(s string, n int) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, Cut(s, n))
}

// Cut returns at most n bytes of s, as valid UTF-8.
func Cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
