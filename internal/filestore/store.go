// Package filestore keeps the state of Rollcall in one file, for one process. It is the shortest
// complete [store.Store]: read it to learn what a Store must do, or to begin one of your own. It
// imports nothing but package store. It has no indexes: most calls loop over everything that is
// stored, and each call that changes something writes all of it. So it is for some thousand tasks
// at a time; for more, use package redisstore.
//
// # How it is made
//
// [state] is plain data: maps and slices that encode to JSON. What a method of the contract does is
// a function of the state and its parameters, in a file that is named as in package store; fetch.go
// and settle.go have the two large ones of sessions. Such a function reads and changes the data,
// and knows nothing of what surrounds it:
//
//   - call (this file) makes each of them atomic, with one mutex. It copies the parameters and the
//     reply, since both belong to the caller.
//   - save (disk.go) adds the new state to the file before the call returns.
//   - news (signals.go) compares the state before and after a call, and sends what differs to
//     subscribers. So no method can forget a signal.
//
// A run is a list of tasks, each with the place where it is; see [task]. Whatever can be counted or
// searched there is not stored anywhere else, so nothing can disagree.
//
// # What it promises
//
// What a call was told is in the file before the call returns. So a process that ends at any
// moment, also by kill -9, loses nothing that anybody knows of: whoever opens the file goes on
// where it ended. If the machine loses power the last calls may be lost, unless [Options].Sync is
// set.
//
// Nothing keeps two processes from opening one file. Each would overwrite what the other wrote.
package filestore

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Options tune a store. The zero value is usable.
type Options struct {
	// Sync flushes the file to the disk with each change, which may take milliseconds. Defaults to
	// leaving that to the operating system.
	Sync bool
}

// backend is the [store.Store], behind the checks. It has one partition.
type backend struct {
	path    string
	options Options
	hub     hub
	closed  chan struct{}

	mu      sync.Mutex
	state   *state
	unsaved bool // the file does not have the last change
	file    *os.File
	size    int // of the file, up to the end of the last state
}

// Open opens the store that is kept in the file, which it makes if there is none. The error
// matches [store.ErrCorrupt] if the file is not one of a store. A nil opts means the defaults.
func Open(path string, opts *Options) (store.Store, error) {
	b, err := open(path, opts)
	if err != nil {
		return nil, err
	}
	return store.Checked(b), nil
}

func open(path string, opts *Options) (*backend, error) {
	b := &backend{path: path, closed: make(chan struct{}), state: newState()}
	if opts != nil {
		b.options = *opts
	}
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

// call makes one call: apply sees one state, which nobody else sees or changes meanwhile. Nothing
// is answered that the file does not have: if the file cannot be written the result is unknown, and
// the next call tries to write it again.
func call[P, R any](
	ctx context.Context, b *backend, changes bool, p P, apply func(*state, P) (R, error),
) (R, error) {
	var none R
	if err := ctx.Err(); err != nil {
		return none, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return none, store.ErrClosed
	}
	b.state.now = clone(time.Now())
	reply, err := apply(b.state, clone(p))
	if changes {
		b.state.note()
	}
	if b.unsaved = b.unsaved || changes; b.unsaved {
		if err := b.save(); err != nil {
			return none, store.Transient(err)
		}
		b.unsaved = false
		b.hub.tell(b.state)
	}
	return clone(reply), err
}

// note records which runs the call has changed.
func (s *state) note() {
	for _, r := range s.Runs {
		now := noted{r.Status, r.Paused, r.HookError, r.counts()}
		if now.Status != r.Noted.Status || now.Paused != r.Noted.Paused {
			r.Changed = s.now.Truncate(time.Millisecond)
		}
		if now != r.Noted {
			r.Moved = s.now
		}
		r.Noted = now
	}
}

// read makes a call that changes nothing.
func read[P, R any](ctx context.Context, b *backend, p P, apply func(*state, P) (R, error)) (R, error) {
	return call(ctx, b, false, p, apply)
}

// change makes a call that may change something.
func change[P, R any](ctx context.Context, b *backend, p P, apply func(*state, P) (R, error)) (R, error) {
	return call(ctx, b, true, p, apply)
}

// do makes a change that answers with nothing but an error.
func do[P any](ctx context.Context, b *backend, p P, apply func(*state, P) error) error {
	_, err := change(ctx, b, p, func(s *state, p P) (struct{}, error) { return struct{}{}, apply(s, p) })
	return err
}

// Partitions is 1.
func (b *backend) Partitions() int { return 1 }

// Ping fails if the store is closed, or its file cannot be written.
func (b *backend) Ping(ctx context.Context) error {
	return do(ctx, b, 0, func(*state, int) error { return nil })
}

// Close ends the subscriptions, and lets later calls fail. The file has everything already.
func (b *backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.isClosed() {
		close(b.closed)
		return b.file.Close()
	}
	return nil
}

func (b *backend) isClosed() bool {
	select {
	case <-b.closed:
		return true
	default:
		return false
	}
}

// Repair finds nothing: what is counted is not stored, so nothing can disagree.
func (b *backend) Repair(ctx context.Context, p store.RepairParams) (store.RepairReport, error) {
	return read(ctx, b, p, func(s *state, p store.RepairParams) (report store.RepairReport, err error) {
		if p.Run != 0 {
			_, err = s.run(store.RunID{Job: p.Job, Number: p.Run})
		} else if s.Jobs[p.Job] == nil {
			err = store.ErrJobNotFound
		}
		return report, err
	})
}
