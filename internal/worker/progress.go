package worker

import (
	"maps"
	"time"

	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// progressGap is how long after the last heartbeat progress brings the next one forward: about one a second, and fewer
// where many handlers make heartbeats large.
func progressGap(concurrency int) time.Duration {
	return time.Second + time.Duration(concurrency)*time.Millisecond
}

// reported notes that a handler reported progress, for the first time or after the last was read.
func (s *session) reported(lease store.Lease, m *execute.Meter) {
	s.mu.Lock()
	if s.meters == nil {
		s.meters = make(map[store.Lease]*execute.Meter)
	}
	s.meters[lease] = m
	s.mu.Unlock()
	lifecycle.Wake(s.progress)
}

// forgetMeterLocked has what a task reported disappear from its run.
func (s *session) forgetMeterLocked(lease store.Lease) {
	if _, ok := s.meters[lease]; ok {
		delete(s.meters, lease)
		lifecycle.Wake(s.progress)
	}
}

// readMeters returns the meters of the tasks that reported progress; nil if none did.
func (s *session) readMeters() map[store.Lease]*execute.Meter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.meters) == 0 {
		return nil
	}
	return maps.Clone(s.meters)
}
