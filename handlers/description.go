package handlers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/store"
)

// SetDescription describes a set as data, for processes that have no registry.
type SetDescription struct {
	Name           string             `json:"name"`
	Attributes     Attributes         `json:"attributes,omitzero"` // of the set in code; zero inherits
	Functions      []string           `json:"functions,omitempty"` // attributes of the set that are functions, such as "TimeoutFor"
	Kinds          []KindDescription  `json:"kinds,omitempty"`     // sorted by name
	PreJob         bool               `json:"pre_job,omitempty"`   // the set has this hook
	PostJob        bool               `json:"post_job,omitempty"`
	Validate       bool               `json:"validate,omitempty"`
	Scripting      bool               `json:"scripting,omitempty"` // the set takes scripts
	Events         []string           `json:"events,omitempty"`    // events with hooks
	Counters       []string           `json:"counters,omitempty"`  // declared ones
	Values         []ValueDescription `json:"values,omitempty"`    // declared lists and maps, sorted by name
	RunsInReadOnly bool               `json:"runs_in_read_only,omitempty"`
}

// KindDescription describes a kind of a set.
type KindDescription struct {
	Name       string     `json:"name"`
	Aliases    []string   `json:"aliases,omitempty"`
	Attributes Attributes `json:"attributes,omitzero"` // of the kind in code; zero inherits
	Functions  []string   `json:"functions,omitempty"` // attributes of the kind that are functions
}

// Describe describes a set of the registry. For an unknown set it returns a [*store.FieldError] for
// the field "Set".
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
		Scripting:      s.cfg.Scripting != nil,
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

// Effective computes the attributes of a kind as workers do; with an empty name, those of the set
// itself. Pass the configurations in the order of precedence: that of a run, then that of the set.
// The attributes in code come after them. Functions cannot be called here: Effective shows the
// value that holds if the function returns 0. For an unknown kind it returns a [*store.FieldError]
// for the field "Kind".
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
			Reason: fmt.Sprintf("%q is not a kind of the set %q", kind, d.Name),
		}
	}
	code.kind = d.Kinds[i].Attributes
	return effective(append(levels(d.Kinds[i].Name, configured), code)...), nil
}

// ValueDescription describes a declared list or map.
type ValueDescription struct {
	Name  string          `json:"name"`
	Type  store.ValueType `json:"type"`             // [store.ValueList] or [store.ValueMap]
	OfJob bool            `json:"of_job,omitempty"` // it belongs to the job, not to one run
	Cap   int64           `json:"cap,omitempty"`    // of a list: see [ValueOptions]
}

// describeValues describes each list and map once, even if it was declared several times.
func (s *Set) describeValues() (all []ValueDescription) {
	for _, d := range s.values {
		all = append(all, ValueDescription{Name: d.name, Type: d.typ, OfJob: d.ofJob, Cap: d.cap})
	}
	slices.SortFunc(all, func(a, b ValueDescription) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(all)
}
