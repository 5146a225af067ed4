package handlers

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// Configuration has attributes of a set and of its kinds that take precedence over the code. A zero
// field does not change the attribute in code. A value takes precedence over a function in code,
// too. A Configuration can be encoded as JSON.
type Configuration struct {
	Set   Attributes             `json:"set,omitzero"`
	Kinds map[string]*Attributes `json:"kinds,omitempty"` // by name, not by alias
}

// Kind returns the attributes that are configured for a kind, to read or to change. If there are
// none, it adds an empty entry.
func (c *Configuration) Kind(name string) *Attributes {
	if c.Kinds == nil {
		c.Kinds = make(map[string]*Attributes)
	}
	if c.Kinds[name] == nil {
		c.Kinds[name] = &Attributes{}
	}
	return c.Kinds[name]
}

// kind returns the attributes that are configured for a kind.
func (c *Configuration) kind(name string) Attributes {
	if a := c.Kinds[name]; a != nil {
		return *a
	}
	return Attributes{}
}

// Clone returns a copy. Changes of the copy do not change c, but both share Params.
func (c *Configuration) Clone() Configuration {
	clone := Configuration{Set: c.Set}
	for name, a := range c.Kinds {
		if a != nil {
			*clone.Kind(name) = *a
		}
	}
	return clone
}

// Validate reports all attributes that are not valid, as [*store.FieldError]s. Functions are not
// valid in a configuration.
func (c *Configuration) Validate() error {
	problems := []error{refuseFunctions("Set.", &c.Set), c.Set.validate("Set.", ofSet)}
	for _, name := range slices.Sorted(maps.Keys(c.Kinds)) {
		field := fmt.Sprintf("Kinds[%.80q]", name)
		problems = append(problems, store.ValidateName(field, name))
		if a := c.Kinds[name]; a != nil {
			problems = append(problems, refuseFunctions(field+".", a), a.validate(field+".", ofKind))
		}
	}
	return store.JoinFields(problems...)
}

// ValidateForRun reports what cannot be configured for one run: everything that Validate reports,
// and the queue, the weight and the limits.
func (c *Configuration) ValidateForRun() error {
	problems := []error{c.Validate(), refuseOutside("Set.", &c.Set)}
	for _, name := range slices.Sorted(maps.Keys(c.Kinds)) {
		if a := c.Kinds[name]; a != nil {
			problems = append(problems, refuseOutside(fmt.Sprintf("Kinds[%.80q].", name), a))
		}
	}
	return store.JoinFields(problems...)
}

func refuseFunctions(prefix string, a *Attributes) error {
	var problems []error
	for _, name := range a.functions() {
		problems = append(
			problems, &store.FieldError{Field: prefix + name, Reason: "is a function, which cannot be configured"},
		)
	}
	return store.JoinFields(problems...)
}

func refuseOutside(prefix string, a *Attributes) error {
	var problems []error
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"Queue", a.Queue != ""}, {"MaxRunning", a.MaxRunning != 0}, {"MaxRunningPerJob", a.MaxRunningPerJob != 0},
		{"Rate", a.Rate != Rate{}}, {"Weight", a.Weight != 0},
	} {
		if f.set {
			problems = append(
				problems, &store.FieldError{Field: prefix + f.name, Reason: "cannot be configured for one run"},
			)
		}
	}
	return store.JoinFields(problems...)
}

// UnmarshalJSON implements [json.Unmarshaler]. Its errors are those of [Attributes.UnmarshalJSON].
// They name fields as Validate does.
func (c *Configuration) UnmarshalJSON(b []byte) error {
	var read struct {
		Set   json.RawMessage            `json:"set"`
		Kinds map[string]json.RawMessage `json:"kinds"`
	}
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	decode := func(prefix string, b []byte, a *Attributes) error {
		return store.RenameFields(json.Unmarshal(b, a), func(field string) string { return prefix + field })
	}
	var problems []error
	if read.Set != nil {
		problems = append(problems, decode("Set.", read.Set, &c.Set))
	}
	for _, name := range slices.Sorted(maps.Keys(read.Kinds)) {
		problems = append(problems, decode(fmt.Sprintf("Kinds[%.80q].", name), read.Kinds[name], c.Kind(name)))
	}
	return store.JoinFields(problems...)
}

// configurationVersion is the version of the stored form. Later versions of the code may add
// fields, but never change one. A reader ignores fields that it does not know; if it writes, they
// are lost.
const configurationVersion = 1

// storedConfiguration is the stored form. The version is read separately.
type storedConfiguration struct {
	Version int                    `json:"v"`
	Set     Attributes             `json:"set,omitzero"`
	Kinds   map[string]*Attributes `json:"kinds,omitempty"`
}

// Encode returns the stored form of a valid configuration. If the form is longer than
// [bounds.MaxConfigurationLen], it returns a [*store.FieldError] for the field "Configuration".
func (c *Configuration) Encode() ([]byte, error) {
	clone := c.Clone()
	stored := storedConfiguration{configurationVersion, clone.Set, clone.Kinds}
	maps.DeleteFunc(stored.Kinds, func(_ string, a *Attributes) bool { return a.empty() })
	b, err := json.Marshal(stored)
	switch {
	case err != nil:
		return nil, fmt.Errorf("encode configuration: %w", err)
	case len(b) > bounds.MaxConfigurationLen:
		return nil, &store.FieldError{
			Field:  "Configuration",
			Reason: fmt.Sprintf("takes %d bytes, which is more than %d", len(b), bounds.MaxConfigurationLen),
		}
	}
	return b, nil
}

// empty reports whether nothing is configured.
func (a *Attributes) empty() bool {
	b, err := json.Marshal(a)
	return err == nil && string(b) == "{}"
}

// DecodeConfiguration reads the stored form. For nil it returns the empty configuration. If the
// form cannot be read or is not valid, it returns [store.ErrCorrupt].
func DecodeConfiguration(b []byte) (Configuration, error) {
	if b == nil {
		return Configuration{}, nil
	}
	var (
		stored struct {
			Version int `json:"v"`
		}
		c Configuration
	)
	err := json.Unmarshal(b, &stored)
	switch {
	case err != nil:
	case stored.Version != configurationVersion:
		err = fmt.Errorf("is of version %d", stored.Version)
	default:
		if err = json.Unmarshal(b, &c); err == nil {
			err = c.Validate()
		}
	}
	if err != nil {
		return Configuration{}, fmt.Errorf("%w: configuration: %w", store.ErrCorrupt, err)
	}
	return c, nil
}
