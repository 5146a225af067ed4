package handlers

import "sync/atomic"

// Live holds the attributes in force of the sets of a registry: those in code, under what is
// configured. Attempts read it, without a lock; each sees one state of all of it. A worker keeps it up to date.
type Live struct {
	reg     *Registry
	current atomic.Pointer[state]
}

// state is everything in force at one moment. It is never changed.
type state struct {
	attrs []Attributes // complete, by the index of a set or kind
}

// NewLive returns the attributes that the sets of the registry have in code.
func NewLive(r *Registry) *Live {
	l := &Live{reg: r}
	l.current.Store(&state{attrs: r.code})
	return l
}

// Attributes returns what is in force now for a kind, or an alias, of a set; with an empty kind for the set
// itself, whose MaxRunning, MaxRunningPerJob and Rate are limits for all its kinds together. Every field has a value: NoLimit or NoTimeout for
// none, and Params are a json.RawMessage or nil. An unknown set or kind is a [*store.FieldError]
// for the field "Set" or "Kind".
func (l *Live) Attributes(set, kind string) (Attributes, error) {
	i, err := l.reg.index(set, kind)
	if err != nil {
		return Attributes{}, err
	}
	return l.current.Load().attrs[i], nil
}

// Queue is the queue in force for a kind. It makes a Live an [enqueue.Router]; errors are those of Attributes.
func (l *Live) Queue(set, kind string) (string, error) {
	i, err := l.reg.index(set, kind)
	if err != nil {
		return "", err
	}
	return l.current.Load().attrs[i].Queue, nil
}

// at is what is in force now for the set or kind of an index.
func (l *Live) at(index int) *Attributes { return &l.current.Load().attrs[index] }
