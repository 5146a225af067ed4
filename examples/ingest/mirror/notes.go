package mirror

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
)

// Directories that are closed in the end
//
// If a mode does not let the owner write, read or enter a directory, nothing could be added to its
// copy. So such a directory gets its mode when the run is over. A scan records it in a map of the
// run. The names of the fields have the ID of the task, so a later attempt replaces the record of
// an earlier one. The post-job hook reads the map.

// closedName is the name of the run's map.
const closedName = "closed"

// closedAtOnce is the largest number of directories in one field.
const closedAtOnce = 1000

// closedDir is a directory and the mode that it will have.
type closedDir struct {
	Dir  []byte      `json:"dir"` // relative to the destination
	Mode fs.FileMode `json:"mode"`
}

func closedOf(m *syncjob.Manager, run store.RunID) *values.Map[[]closedDir] {
	return values.NewMap[[]closedDir](m.Values(), store.RunScope(run), closedName)
}

// noteClosed records directories for the end of the run.
func noteClosed(ctx context.Context, a *handlers.Attempt, dirs []closedDir) error {
	m, ok := syncjob.FromContext(ctx)
	if len(dirs) == 0 || !ok { // there is none in tests of one handler
		return nil
	}
	closed := closedOf(m, a.Run.ID())
	for i := 0; len(dirs) > 0; i++ {
		n := min(len(dirs), closedAtOnce)
		if err := closed.Set(ctx, fmt.Sprintf("%s/%d", a.ID, i), dirs[:n]); err != nil {
			return err
		}
		dirs = dirs[n:]
	}
	return nil
}

// closedIn returns the records of all tasks of a run.
func closedIn(ctx context.Context, m *syncjob.Manager, run store.RunID) (all []closedDir, err error) {
	for note, err := range closedOf(m, run).Range(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, note.Value...)
	}
	return all, nil
}
