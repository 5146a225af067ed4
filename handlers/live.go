package handlers

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Live holds the attributes in force of the sets of a registry: those in code under what is
// configured, of all runs or, if it was made by [Live.ForRun], of one. Attempts read it without a
// lock. Each attempt reads one consistent snapshot. Its methods may be called concurrently.
type Live struct {
	reg  *Registry
	base *Live   // of one run: what is in force for all
	run  runOver // of one run: what differs

	mu      sync.Mutex // serialises Configure
	current atomic.Pointer[state]
}

// runOver is what one run has of its own.
type runOver struct {
	set        string
	configured Configuration
}

// state is everything in force at one moment. It is never changed.
type state struct {
	base       *state                   // of one run: what it was made from
	configured map[string]Configuration // by set
	attrs      []Attributes             // by index of a set or kind; all effective
}

// NewLive returns the attributes that the sets of the registry have in code.
func NewLive(r *Registry) *Live {
	l := &Live{reg: r}
	st := &state{attrs: make([]Attributes, r.count)}
	for _, s := range r.sets {
		s.resolve(st.attrs)
	}
	l.current.Store(st)
	return l
}

// resolve sets the attributes of the set and its kinds over those in code.
func (s *boundSet) resolve(attrs []Attributes, configured ...Configuration) {
	code := s.source.cfg.Attributes
	attrs[s.index] = effectiveOfSet(append(levels("", configured), level{set: code})...)
	for _, k := range s.kinds {
		attrs[k.index] = effective(
			append(levels(k.kind.name, configured), level{set: code, kind: k.kind.opts.Attributes})...)
	}
}

// Configure puts a configuration, which must be valid, in force for a set, in place of the one
// before; the empty one leaves what is in code. Attempts that begin from now on obey it. An unknown
// set is a [*store.FieldError] for the field "Set".
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

// ForRun returns what is in force for one run of a set, which has a configuration of its own. It
// follows later changes of l.
func (l *Live) ForRun(set string, c Configuration) *Live {
	return &Live{reg: l.reg, base: l, run: runOver{set: set, configured: c.Clone()}}
}

// state is what is in force now.
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

// at is what is in force now for the set or kind of an index.
func (l *Live) at(index int) *Attributes { return &l.state().attrs[index] }

// Attributes returns what is in force now for a kind, or an alias, of a set; with an empty kind for
// the set itself, whose MaxRunning, MaxRunningPerJob and Rate are limits for all its kinds
// together. Every field has a value: NoLimit or NoTimeout for none, and Params are a
// json.RawMessage or nil. An unknown set or kind is a [*store.FieldError] for the field "Set" or
// "Kind".
func (l *Live) Attributes(set, kind string) (Attributes, error) {
	i, err := l.reg.index(set, kind)
	if err != nil {
		return Attributes{}, err
	}
	return *l.at(i), nil
}

// Queue is the queue in force for a kind. It makes a Live an [enqueue.Router]; errors are those of
// Attributes.
func (l *Live) Queue(set, kind string) (string, error) {
	i, err := l.reg.index(set, kind)
	if err != nil {
		return "", err
	}
	return l.at(i).Queue, nil
}
