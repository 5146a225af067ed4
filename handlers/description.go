package handlers

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// SetDescription tells what a set is, as data: for those who have no registry.
type SetDescription struct {
	Name           string             `json:"name"`
	Attributes     Attributes         `json:"attributes,omitzero"` // in code, of the set: zero inherits
	Functions      []string           `json:"functions,omitempty"` // attributes of the set that code decides, such as "TimeoutFor"
	Kinds          []KindDescription  `json:"kinds,omitempty"`     // by name
	PreJob         bool               `json:"pre_job,omitempty"`   // there is such a hook
	PostJob        bool               `json:"post_job,omitempty"`
	Validate       bool               `json:"validate,omitempty"`
	Events         []string           `json:"events,omitempty"`   // that have hooks
	Counters       []string           `json:"counters,omitempty"` // declared
	Values         []ValueDescription `json:"values,omitempty"`   // lists and maps declared, by name
	RunsInReadOnly bool               `json:"runs_in_read_only,omitempty"`
}

// KindDescription tells what a kind of a set is.
type KindDescription struct {
	Name       string     `json:"name"`
	Aliases    []string   `json:"aliases,omitempty"`
	Attributes Attributes `json:"attributes,omitzero"` // in code, of the kind: zero inherits
	Functions  []string   `json:"functions,omitempty"` // attributes of the kind that code decides
}

// Describe tells what a set of the registry is. An unknown one is a [*store.FieldError] for the
// field "Set".
func (r *Registry) Describe(set string) (SetDescription, error) {
	b, err := r.find(set)
	if err != nil {
		return SetDescription{}, err
	}
	s := b.source
	d := SetDescription{
		Name:           s.name,
		Attributes:     s.cfg.Attributes.values(),
		Functions:      s.cfg.Attributes.functions(),
		PreJob:         s.cfg.Hooks.PreJob != nil,
		PostJob:        s.cfg.Hooks.PostJob != nil,
		Validate:       s.cfg.Hooks.Validate != nil,
		Events:         slices.Sorted(maps.Keys(s.cfg.Hooks.Events)),
		Counters:       slices.Sorted(maps.Keys(s.counters)),
		Values:         s.describeValues(),
		RunsInReadOnly: s.cfg.RunsInReadOnly,
	}
	for _, name := range s.Kinds() {
		if k := s.kinds[name]; k.name == name {
			d.Kinds = append(d.Kinds, KindDescription{
				Name:       name,
				Aliases:    slices.Clone(k.opts.Aliases),
				Attributes: k.opts.Attributes.values(),
				Functions:  k.opts.Attributes.functions(),
			})
		}
	}
	return d, nil
}

// Effective resolves the attributes of a kind, or with an empty name of the set itself, as workers
// do: from what is configured, the strongest first (of a run, then of the set), and what the
// description says of the code. Attributes that code decides by a function show the value that the
// function may decline to. An unknown kind is a [*store.FieldError] for the field "Kind".
func (d *SetDescription) Effective(kind string, configured ...Configuration) (Attributes, error) {
	code := level{set: d.Attributes}
	if kind == "" {
		return effectiveOfSet(append(levels("", configured), code)...), nil
	}
	i := slices.IndexFunc(
		d.Kinds, func(k KindDescription) bool { return k.Name == kind || slices.Contains(k.Aliases, kind) },
	)
	if i < 0 {
		return Attributes{}, &store.FieldError{
			Field:  "Kind",
			Reason: fmt.Sprintf("%q is none of the set %q", kind, d.Name),
		}
	}
	code.kind = d.Kinds[i].Attributes
	return effective(append(levels(d.Kinds[i].Name, configured), code)...), nil
}
