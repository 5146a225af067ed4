package mirror

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
)

// remover deletes entries of the destination, for one attempt of a task.
type remover struct {
	tree   *tree
	task   *handlers.Attempt
	record *record
	stays  bool // an entry was not deleted
}

// Reasons why an entry of the destination is not deleted.
var (
	errOther = errors.New("is not what was put there any more")
	errBack  = errors.New("is in the source again")
)

// file deletes one file or link, unless it or the source has changed since the scan. If an earlier
// attempt deleted it, it is counted as deleted, too.
func (r *remover) file(ctx context.Context, dir string, d deletion) error {
	at := join(r.tree.place(dir), string(d.Name))
	path := filepath.Join(r.tree.dst, at)
	info, err := os.Lstat(path)
	if !isMissing(err) {
		_, problem := r.tree.stat(ctx, join(dir, string(d.Name)))
		if !d.Moved && !errors.Is(problem, fs.ErrNotExist) {
			r.keep(path, cmp.Or(problem, errBack))
			return nil
		}
	}
	if err == nil {
		var m mark
		m, err = fileMark(string(d.Name), info, path)
		if err == nil && m != d.Mark && d.Mark != grownMark(string(d.Name)) {
			r.keep(path, errOther)
			return nil
		}
	}
	switch {
	case err != nil && !isMissing(err):
		return r.refused(path, ofEntry(err))
	case r.tree.DryRun:
		r.record.list(path, ToDelete, errVanished)
	default:
		err = r.tree.event(ctx, FileDelete, path, func() error {
			return ignoreMissing(r.tree.discard(ctx, at))
		})
		if err != nil {
			return r.refused(path, err)
		}
	}
	r.record.Deleted++
	return nil
}

// keep lists an entry that is not deleted.
func (r *remover) keep(path string, err error) {
	r.stays = true
	r.record.list(path, NotDeleted, err)
}

// settle removes a directory that is gone from the source, if nothing is left in it, and then those
// above it that are gone, too. Each task that deletes in such a directory calls it at its end. So
// the one that deletes the last entry removes the directory.
func (r *remover) settle(ctx context.Context, dir string) error {
	for ; dir != "" && !r.tree.DryRun; dir, _ = split(dir) {
		src, err := r.tree.stat(ctx, dir)
		isBack := err == nil && src.IsDir()
		switch {
		case r.removed(dir):
		case isBack:
			return r.tree.keepTime(ctx, dir)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil // who knows
		}
		removed, problem := r.directory(ctx, dir)
		switch {
		case problem != nil:
			return problem
		case r.stays:
			return r.blocked(ctx, dir)
		case !removed:
			return nil // whoever deletes the last entry goes on
		case isBack:
			return nil // the next run makes it
		case err == nil:
			return r.instead(ctx, dir)
		}
	}
	return r.tree.keepTime(ctx, dir)
}

// removed reports whether an earlier attempt removed a directory, and may not have called the hooks
// after that.
func (r *remover) removed(dir string) bool {
	at := r.tree.place(dir)
	if !r.tree.ledger.note(at, r.tree.stamp, r.task.ID).exists() {
		return false
	}
	info, err := os.Lstat(filepath.Join(r.tree.dst, at))
	return isMissing(err) || err == nil && !info.IsDir()
}

// directory removes an empty directory that was made for the copy. It reports whether there is none
// any more. It leaves a note before it does so, until the hooks were called: an attempt that finds
// the note of an earlier one calls them again.
func (r *remover) directory(ctx context.Context, rel string) (removed bool, err error) {
	at := r.tree.place(rel)
	path := filepath.Join(r.tree.dst, at)
	note := r.tree.ledger.note(at, r.tree.stamp, r.task.ID)
	again := r.removed(rel)
	if !again {
		info, err := os.Lstat(path)
		switch {
		case isMissing(err):
			return true, nil
		case err != nil:
			return false, r.refused(path, ofEntry(err))
		case !info.IsDir():
			return false, nil
		}
		if ready, err := r.ready(at); err != nil || !ready {
			return false, err
		}
		if err := note.leave(); err != nil {
			return false, err
		}
	}
	var problem error // of the removal, not of a hook
	err = r.tree.event(ctx, DirectoryDelete, path, func() error {
		if !again {
			problem = r.tree.discardDirectory(at)
		}
		return problem
	})
	switch {
	case err == nil:
		return true, r.tree.ledger.forget(at)
	case isMissing(problem):
		return true, note.drop() // another task has just removed it, and calls the hooks
	case errors.Is(problem, syscall.ENOTEMPTY), errors.Is(problem, syscall.EEXIST):
		return false, nil // somebody has just put something there
	}
	return false, r.refused(path, err)
}

// ready reports whether a directory is empty and was made for the copy. If it was there before, it
// stays.
func (r *remover) ready(at string) (bool, error) {
	parent, name := split(at)
	put, err := r.tree.ledger.read(parent)
	if err != nil {
		return false, err
	}
	if !put.has(madeMark(name)) {
		r.stays = true
		return false, nil
	}
	return isEmpty(filepath.Join(r.tree.dst, at)), nil
}

// isEmpty reports whether a directory was read, and has no entries.
func isEmpty(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	return errors.Is(err, io.EOF)
}

// refused lists an entry that cannot be deleted. It returns an error that a retry may change.
func (r *remover) refused(path string, err error) error {
	if failed := (*fileError)(nil); errors.As(err, &failed) {
		r.keep(path, failed.cause)
		return nil
	}
	return err
}

// blocked sees to it that a file is counted as failed if a directory that stays is in its place.
func (r *remover) blocked(ctx context.Context, dir string) error {
	for ; dir != ""; dir, _ = split(dir) {
		src, err := r.tree.stat(ctx, dir)
		switch {
		case err == nil && !src.IsDir():
			return r.instead(ctx, dir)
		case !errors.Is(err, fs.ErrNotExist):
			return nil
		}
	}
	return nil
}

// instead enqueues the copy of a file in whose place a directory is, or was. Several tasks may do
// so.
func (r *remover) instead(ctx context.Context, rel string) error {
	dir, name := split(rel)
	sum := sha256.Sum256([]byte(rel))
	at, to := split(r.tree.place(rel))
	args := filesArgs{scanArgs: r.tree.scanOf(dir, at), Create: [][]byte{[]byte(name)}}
	if to != r.tree.characters.name(name) {
		args.Renamed = []renaming{{[]byte(name), []byte(to)}}
	}
	_, err := r.task.Enqueue(ctx, args, &enqueue.Options{
		Queue: r.tree.FileQueue, ID: "instead-" + hex.EncodeToString(sum[:16]), IDFor: 24 * time.Hour,
	})
	return err
}

// discardDirectory removes one empty directory of the destination, and makes one in the trash. What
// was in it is there already. A file that another task has put in its place since stays.
func (t *tree) discardDirectory(at string) error {
	if t.Delete == DeleteTrash {
		if err := os.MkdirAll(filepath.Join(string(t.Trash), t.stamp, at), 0o700); err != nil {
			return err
		}
	}
	return removeDirectory(filepath.Join(t.dst, at))
}

// discard removes one file or link of the destination, or moves it to the trash.
func (t *tree) discard(ctx context.Context, at string) error {
	path := filepath.Join(t.dst, at)
	if t.Delete != DeleteTrash {
		return removeFile(path)
	}
	info, err := os.Lstat(path)
	if err != nil || info.IsDir() { // a directory has taken its place
		return err
	}
	trash := filepath.Join(string(t.Trash), t.stamp, at)
	if err := os.MkdirAll(filepath.Dir(trash), 0o700); err != nil {
		return err
	}
	// The run may have deleted an entry of this name before.
	for n := 1; ; n++ {
		if _, err := os.Lstat(trash); isMissing(err) {
			break
		}
		trash = filepath.Join(string(t.Trash), t.stamp, fmt.Sprintf("%s~%d", at, n))
	}
	if err = os.Rename(path, trash); !errors.Is(err, syscall.EXDEV) {
		return err
	}
	c := copier{source: DirectorySource(t.dst), path: at, to: trash, temp: trash + ".part"}
	defer c.discard()
	if _, err := c.replace(ctx, info); err != nil {
		return err
	}
	return removeFile(path)
}
