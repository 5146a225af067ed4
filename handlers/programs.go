package handlers

import (
	"fmt"

	"github.com/rollcall-go/rollcall/internal/recent"
	"github.com/rollcall-go/rollcall/store"
)

// maxPrograms is how many compiled scripts a set remembers: that of all runs, and those of single
// runs.
const maxPrograms = 16

// Script returns the script that was in force when the attempt began, as [Scripting].Compile
// returned it. It is nil if there was none.
func (a *Attempt) Script() Script { return a.attrs.script }

// Script returns the script that was in force when the hook began, as [Attempt.Script] does. It is
// nil in Validate.
func (r *Run) Script() Script {
	if r.attrs == nil {
		return nil
	}
	return r.attrs.script
}

// CheckConfiguration reports, as a [*store.FieldError], that the script of a configuration does not
// compile, or that the set takes no scripts. A configuration without a script has no such error.
// For an unknown set the error is for the field "Set".
func (r *Registry) CheckConfiguration(set string, c Configuration) error {
	s, err := r.find(set)
	if err == nil {
		_, err = s.script(c.Set)
	}
	return err
}

// script returns the script of the first level that has one, compiled; nil if none has one.
func (s *boundSet) script(levels ...Attributes) (Script, error) {
	for _, a := range levels {
		if a.Script != "" {
			return s.compile(a.Script)
		}
	}
	return nil, nil
}

func (s *boundSet) compile(source string) (Script, error) {
	if s.source.cfg.Scripting == nil {
		return nil, &store.FieldError{
			Field:  "Set.Script",
			Reason: fmt.Sprintf("is not taken by the set %q", s.source.name),
		}
	}
	if known, ok := s.programs.Find(source); ok {
		return known, nil
	}
	compiled, err := s.source.cfg.Scripting.Compile(source)
	if err != nil {
		return nil, &store.FieldError{Field: "Set.Script", Reason: "does not compile: " + err.Error()}
	}
	s.programs.Put(source, compiled)
	return compiled, nil
}

// computed returns the level of a script: the functions that it has for attributes.
func computed(script Script) level {
	if script == nil {
		return level{}
	}
	a := script.Attributes()
	return level{set: Attributes{MaxRetriesFor: a.MaxRetriesFor, TimeoutFor: a.TimeoutFor, BackoffFor: a.BackoffFor}}
}

func newPrograms() *recent.Map[string, Script] { return recent.New[string, Script](maxPrograms) }
