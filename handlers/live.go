package handlers

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Live holds the attributes in force for the sets of a registry: those in code, and the
// configurations that take precedence over them. They are for all runs or, if [Live.ForRun] made
// it, for one. Attempts read them without a lock. Each attempt reads one consistent snapshot. The
// methods may be called concurrently.
type Live struct {
	reg  *Registry
	base *Live   // if it is of one run: what is in force for all runs
	run  runOver // if it is of one run: what is configured for that run

	mu      sync.Mutex // serialises Configure
	current atomic.Pointer[state]
}

// runOver is what is configured for one run.
type runOver struct {
	set        string
	configured Configuration
}

// state holds everything that is in force at one moment. It is never changed.
type state struct {
	base       *state                   // if it is of one run: the state that it was made from
	configured map[string]Configuration // by set
	attrs      []Attributes             // by index of a set or kind; all effective
}

// NewLive returns a Live with the attributes that the sets of the registry have in code.
func NewLive(r *Registry) *Live {
	l := &Live{reg: r}
	st := &state{attrs: make([]Attributes, r.count)}
	for _, s := range r.sets {
		s.resolve(st.attrs)
	}
	l.current.Store(st)
	return l
}

// resolve computes the attributes of the set and its kinds from the configuration and the code.
func (s *boundSet) resolve(attrs []Attributes, configured ...Configuration) {
	code := s.source.cfg.Attributes
	attrs[s.index] = effectiveOfSet(append(levels("", configured), level{set: code})...)
	for _, k := range s.kinds {
		attrs[k.index] = effective(
			append(levels(k.kind.name, configured), level{set: code, kind: k.kind.opts.Attributes})...)
	}
}

// Configure replaces the configuration of a set. It must be valid. With the empty one, the
// attributes in code apply. Attempts that begin later use it. For an unknown set it returns a
// [*store.FieldError] for the field "Set".
func (l *Live) Configure(set string, c Configuration) error {
	s, err := l.reg.find(set)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.current.Load()
	st := &state{configured: maps.Clone(was.configured), attrs: slices.Clone(was.attrs)}
	if st.configured == nil {
		st.configured = make(map[string]Configuration)
	}
	st.configured[set] = c.Clone()
	s.resolve(st.attrs, c)
	l.current.Store(st)
	return nil
}

// ForRun returns a Live for one run of a set that has its own configuration c. Later changes of l
// change it, too.
func (l *Live) ForRun(set string, c Configuration) *Live {
	return &Live{reg: l.reg, base: l, run: runOver{set: set, configured: c.Clone()}}
}

// state returns what is in force now.
func (l *Live) state() *state {
	st := l.current.Load()
	if l.base == nil {
		return st
	}
	if base := l.base.state(); st == nil || st.base != base {
		st = &state{base: base, configured: base.configured, attrs: slices.Clone(base.attrs)}
		if s, ok := l.reg.sets[l.run.set]; ok {
			s.resolve(st.attrs, l.run.configured, base.configured[l.run.set])
		}
		l.current.Store(st)
	}
	return st
}

// at returns what is in force now for the set or kind with this index.
func (l *Live) at(index int) *Attributes { return &l.state().attrs[index] }

// Attributes returns what is in force now for a kind of a set, or for an alias. With an empty kind
// it returns what is in force for the set itself; then MaxRunning, MaxRunningPerJob and Rate are
// limits for all its kinds together. Every field has a value, for example NoLimit or NoTimeout.
// Params is a json.RawMessage or nil. For an unknown set or kind it returns a [*store.FieldError]
// for the field "Set" or "Kind".
func (l *Live) Attributes(set, kind string) (Attributes, error) {
	i, err := l.reg.index(set, kind)
	if err != nil {
		return Attributes{}, err
	}
	return *l.at(i), nil
}

// Queue returns the queue in force for a kind. It makes a Live an [enqueue.Router]. The errors are
// those of Attributes.
func (l *Live) Queue(set, kind string) (string, error) {
	i, err := l.reg.index(set, kind)
	if err != nil {
		return "", err
	}
	return l.at(i).Queue, nil
}
