package filestore

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Backend is what is behind the checks of a store.
type Backend = backend

// OpenBackend opens one.
var OpenBackend = open

// Leftovers lists everything that is stored because of jobs, runs and tasks.
func (b *backend) Leftovers() (left []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.state
	for name, j := range s.Jobs {
		left = append(left, fmt.Sprintf("job %s values=%d", name, len(j.Values)))
	}
	for _, r := range s.Runs {
		left = append(left, fmt.Sprintf("run %d tasks=%d holds=%d kept=%d results=%d",
			r.ID.Number, len(r.Tasks), len(r.OpenHolds), len(r.Kept), len(r.Results.All)))
	}
	for queue := range s.Clocks {
		left = append(left, "clock "+queue)
	}
	for name := range s.Values {
		left = append(left, "value "+name)
	}
	for key := range s.Semaphores {
		left = append(left, "semaphore "+key)
	}
	for name := range s.Limits {
		left = append(left, "limit "+name)
	}
	return left
}

// Reread goes on with what the file has, as after the end of the process, and reports whether that
// is all.
func (b *backend) Reread() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return nil
	}
	before, err := json.Marshal(b.state)
	if err != nil {
		return err
	}
	again := &backend{path: b.path, state: newState()}
	if err := again.open(); err != nil {
		return err
	}
	defer again.file.Close()
	after, err := json.Marshal(again.state)
	switch {
	case err != nil:
		return err
	case b.size == 0: // nothing was changed yet
	case string(before) != string(after):
		return fmt.Errorf("the file has\n%s\nand not\n%s", after, before)
	}
	b.state = again.state
	return nil
}

// Size is that of the file, as the store knows it.
func (b *backend) Size() int { return b.size }

// Break makes writes fail from now on, until Mend.
func (b *backend) Break() error {
	f, err := os.Open(b.path)
	b.mu.Lock()
	defer b.mu.Unlock()
	err = errors.Join(err, b.file.Close())
	b.file = f // for reading only
	return err
}

// Mend lets writes succeed again.
func (b *backend) Mend() error {
	f, err := os.OpenFile(b.path, os.O_RDWR, 0o600)
	b.mu.Lock()
	defer b.mu.Unlock()
	err = errors.Join(err, b.file.Close())
	b.file = f
	return err
}
