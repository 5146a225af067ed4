package redistest

import (
	"sync"
	"time"
)

// FaultKind is what a [Proxy] does to a command.
type FaultKind uint8

// The kinds of fault. Replies to earlier commands of the connection are always delivered
// first; later commands are not forwarded, except after a delay.
const (
	// Swallow forwards the command, drops its reply and closes the connection: it was
	// executed, and the client cannot know.
	Swallow FaultKind = iota + 1
	// Cut closes the connection instead of forwarding the command.
	Cut
	// BlackHole forwards the command and then keeps the connection open in
	// silence, both ways, until the client closes it.
	BlackHole
	// Delay forwards the command and holds its reply, and those behind it, back.
	Delay
	// Hold forwards the command, and those behind it, only when Until is closed.
	Hold
)

// Fault says what to do to which commands.
type Fault struct {
	Kind FaultKind
	// Match selects the commands that count. Defaults to [Work].
	Match func(Command) bool
	// Every strikes each nth of them. Defaults to all.
	Every int
	// Nth strikes the nth of them only, from 1. Defaults to what Every says.
	Nth int
	// For is the time of a Delay.
	For time.Duration
	// Until ends a Hold.
	Until <-chan struct{}
}

// faults decides which commands are struck, over all connections of a proxy.
type faults struct {
	mu       sync.Mutex
	active   []*countedFault
	injected int
	more     chan struct{} // closed when injected grows; nil while nobody waits
}

type countedFault struct {
	Fault
	seen int
}

func (f *faults) add(fault Fault) {
	if fault.Match == nil {
		fault.Match = Work
	}
	fault.Every = max(fault.Every, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = append(f.active, &countedFault{Fault: fault})
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = nil
}

// strike counts the command and returns the first fault that hits it, or a
// zero one.
func (f *faults) strike(c Command) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var hit Fault
	for _, fault := range f.active {
		if !fault.Match(c) {
			continue
		}
		fault.seen++
		strikes := fault.seen%fault.Every == 0
		if fault.Nth > 0 {
			strikes = fault.seen == fault.Nth
		}
		if strikes && hit.Kind == 0 {
			hit = fault.Fault
		}
	}
	return hit
}

func (f *faults) record() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.injected++
	if f.more != nil {
		close(f.more)
		f.more = nil
	}
}

// reached returns nil if that many commands were struck, or else what is closed when
// there is another.
func (f *faults) reached(n int) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.injected >= n {
		return nil
	}
	if f.more == nil {
		f.more = make(chan struct{})
	}
	return f.more
}

func (f *faults) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.injected
}
