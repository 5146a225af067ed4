package mirror

import (
	"context"
	"fmt"
)

// Rules decide about entries of the source, beside the options. They may be others in each task: a
// scan decides with those that hold when it begins, and the tasks that it enqueues keep to the
// names that it chose.
type Rules struct {
	// Include reports whether an entry is synced. The path is relative to the source, and that of a
	// directory ends with a slash. What is not included has not vanished, as with Excludes. It is
	// asked again before a file is copied. Nil includes everything.
	Include func(ctx context.Context, path string) (bool, error)
	// Rename returns the name of an entry in the destination; the path is as for Include. at is where
	// its directory is, relative to the destination. CharacterMap then replaces characters of the
	// name. An entry that gets no valid name, or that of another one, is listed as failed. Nil keeps
	// names.
	Rename func(ctx context.Context, path, at string) (string, error)
}

func (r *Rules) include(ctx context.Context, path string) (bool, error) {
	if r.Include == nil {
		return true, nil
	}
	included, err := r.Include(ctx, path)
	if err != nil {
		return false, fmt.Errorf("include %q: %w", path, err)
	}
	return included, nil
}
