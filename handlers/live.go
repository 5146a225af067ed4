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
		_ = s.resolve(st.attrs) // NewRegistry compiled the scripts in code
	}
	l.current.Store(st)
	return l
}

// resolve computes the attributes of the set and its kinds from the configuration, the script and
// the code. If the script does not compile, it changes nothing and returns a [*store.FieldError].
func (s *boundSet) resolve(attrs []Attributes, configured ...Configuration) error {
	code := s.source.cfg.Attributes
	var sources []Attributes
	for i := range configured {
		sources = append(sources, configured[i].Set)
	}
	script, err := s.script(append(sources, code)...)
	if err != nil {
		return err
	}
	attrs[s.index] = effectiveOfSet(append(levels("", configured), computed(script), level{set: code})...)
	attrs[s.index].script = script
	for _, k := range s.kinds {
		attrs[k.index] = effective(append(levels(k.kind.name, configured),
			computed(script), level{set: code, kind: k.kind.opts.Attributes})...)
		attrs[k.index].script = script
	}
	return nil
}

// Configure replaces the configuration of a set. It must be valid. With the empty one, the
// attributes in code apply. Attempts that begin later use it. For an unknown set it returns a
// [*store.FieldError] for the field "Set", and for a script that does not compile one for the field
// "Set.Script"; then nothing changes.
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
	if err := s.resolve(st.attrs, c); err != nil {
		return err
	}
	l.current.Store(st)
	return nil
}

// ForRun returns a Live for one run of a set that has its own configuration c. Later changes of l
// change it, too. The errors are those of Configure.
func (l *Live) ForRun(set string, c Configuration) (*Live, error) {
	if err := l.reg.CheckConfiguration(set, c); err != nil {
		return nil, err
	}
	return &Live{reg: l.reg, base: l, run: runOver{set: set, configured: c.Clone()}}, nil
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
			_ = s.resolve(st.attrs, l.run.configured, base.configured[l.run.set]) // ForRun compiled the script
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
