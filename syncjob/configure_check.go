package syncjob

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// checkKinds refuses added kinds that neither the registry nor a worker knows. Otherwise a typing
// error would have no effect, and nobody would notice it.
func (m *Manager) checkKinds(ctx context.Context, is SetConfiguration, next Configuration) error {
	var added []string
	for _, kind := range slices.Sorted(maps.Keys(next.Kinds)) {
		if _, ok := is.Configuration.Kinds[kind]; !ok {
			added = append(added, kind)
		}
	}
	if len(added) == 0 && is.Version > 0 {
		return nil
	}
	unknown, known, err := m.sets.Unknown(ctx, is.Set, added)
	switch {
	case err != nil:
		return err
	case !known:
		reason := fmt.Sprintf("%q is unknown: it is not in the registry, and no worker has published it", is.Set)
		return &FieldError{Field: "Set", Reason: reason}
	}
	return unknownKinds("", unknown)
}

// checkScript refuses a script that does not compile, or that this process cannot compile.
func (m *Manager) checkScript(set string, c Configuration) error {
	if c.Set.Script == "" {
		return nil
	}
	if reg := m.cfg.Registry; reg != nil {
		if _, ok := reg.Set(set); ok {
			return reg.CheckConfiguration(set, c)
		}
	}
	return &FieldError{
		Field:  "Set.Script",
		Reason: fmt.Sprintf("can only be configured by a process that has the set %q in its registry", set),
	}
}

func unknownKinds(prefix string, kinds []string) error {
	problems := make([]error, len(kinds))
	for i, kind := range kinds {
		problems[i] = &FieldError{Field: fmt.Sprintf("%sKinds[%.80q]", prefix, kind), Reason: "is not a kind of the set"}
	}
	return store.JoinFields(problems...)
}
