package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// copier replaces one file by a copy of another in one step: a reader sees the old content or the
// new one. It is safe even if another attempt copies the same file because it does not know yet
// that it lost its lease.
type copier struct {
	source Source
	path   string // in the source
	to     string
	temp   string // in the directory of to
	// placing is called with the description of the temporary file before it is put in place. It may
	// be nil.
	placing func(placed fs.FileInfo) error
	// exclusive says that what is there is not replaced: the error is errExists.
	exclusive bool
	// progress is called with the copied size of a file that is larger than a buffer.
	progress func(done int64)
}

// bufferSize is how much is copied between two checks of the context.
const bufferSize = 256 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// changeTries is how often a file is copied if it changes meanwhile. changePause is the wait before
// the second try.
const (
	changeTries = 3
	changePause = 50 * time.Millisecond
)

// fresh is how long after its last change a file is read twice. A write changes the time of the
// file only when it begins, so the time does not show that the write still goes on.
const fresh = 10 * time.Second

// replace makes the copy and returns its size. If the source changes meanwhile, it is copied again,
// a few times. After that, replace returns errChanged, and the copy is as before. The caller
// removes the temporary file with discard.
func (c copier) replace(ctx context.Context, src fs.FileInfo) (n int64, err error) {
	for try := range changeTries {
		if try > 0 {
			c.discard()
			if err := sleep(ctx, changePause<<(try-1)); err != nil {
				return 0, context.Cause(ctx)
			}
			if src, err = c.source.Stat(ctx, c.path); err != nil {
				return 0, &fileError{err}
			}
		}
		if n, err = c.copy(ctx, src); !errors.Is(err, errChanged) {
			return n, err
		}
	}
	return 0, err
}

// copy tries once. It compares the source before the first byte and after the last byte. If size,
// time or place differ, the copy may be a mix of two versions of the file.
func (c copier) copy(ctx context.Context, src fs.FileInfo) (int64, error) {
	switch src.Mode().Type() {
	case 0:
	case fs.ModeSymlink:
		return 0, c.link(ctx)
	default:
		return 0, &fileError{errSpecial}
	}
	in, err := c.source.Open(ctx, c.path)
	if err != nil {
		return 0, &fileError{err}
	}
	defer in.Close()
	opened, err := in.Stat()
	if err != nil {
		return 0, &fileError{err}
	}
	if !c.source.Same(src, opened) {
		return 0, &fileError{errChanged}
	}
	out, err := c.create()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	n, err := c.read(ctx, in, opened.Size(), c.into(out))
	if err == nil {
		err = out.Truncate(n) // also the hole at its end
	}
	if err == nil && begun.Sub(opened.ModTime()) < fresh {
		_, err = c.read(ctx, in, opened.Size(), sameAs(out))
	}
	if err == nil {
		err = c.compare(ctx, in, opened)
	}
	if err == nil {
		err = c.complete(out, opened)
	}
	return n, errors.Join(err, out.Close())
}

// compare checks that the source has not changed since it was opened.
func (c copier) compare(ctx context.Context, in File, opened fs.FileInfo) error {
	now, err := in.Stat()
	if err != nil {
		return &fileError{err}
	}
	named, err := c.source.Stat(ctx, c.path)
	if err != nil {
		return &fileError{err}
	}
	if now.Size() != opened.Size() || !now.ModTime().Equal(opened.ModTime()) || !c.source.Same(named, opened) {
		return &fileError{errChanged}
	}
	return nil
}

// create makes a new temporary file. So another attempt that has the old one open cannot write into
// it.
func (c copier) create() (*os.File, error) {
	const flags = os.O_RDWR | os.O_CREATE | os.O_EXCL
	out, err := os.OpenFile(c.temp, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		c.discard()
		out, err = os.OpenFile(c.temp, flags, 0o600)
	}
	return out, err
}

// complete gives the temporary file its mode and time, and puts it in place.
func (c copier) complete(out *os.File, src fs.FileInfo) error {
	if err := out.Chmod(src.Mode() & keptMode); err != nil {
		return err
	}
	if err := setModified(c.temp, src.ModTime()); err != nil {
		return err
	}
	if err := c.place(); err != nil {
		return err
	}
	if err := c.rename(); err != nil {
		return err
	}
	// The name may belong to another attempt now, with a file that is not complete.
	mine, err := out.Stat()
	if err != nil {
		return err
	}
	placed, err := os.Lstat(c.to)
	if err != nil {
		return err
	}
	if !os.SameFile(mine, placed) {
		return fmt.Errorf("%s: another attempt is at work", c.to)
	}
	return nil
}

// link makes a copy of a symbolic link.
func (c copier) link(ctx context.Context) error {
	target, err := c.source.Readlink(ctx, c.path)
	if err != nil {
		return &fileError{err}
	}
	c.discard()
	if err := os.Symlink(target, c.temp); err != nil {
		return err
	}
	if err := c.place(); err != nil {
		return err
	}
	return c.rename()
}

// errExists says that something was put there meanwhile.
var errExists = errors.New("is there already")

// rename puts the temporary file in place.
func (c copier) rename() error {
	if !c.exclusive {
		err := os.Rename(c.temp, c.to)
		if errors.Is(err, fs.ErrExist) {
			return &fileError{errInTheWay}
		}
		return err
	}
	// A second name of the file fails if the name is taken.
	err := os.Link(c.temp, c.to)
	switch {
	case errors.Is(err, fs.ErrExist):
		return errExists
	case err == nil:
		return os.Remove(c.temp)
	}
	// The file system has no hard links, at least not of this file.
	if _, err := os.Lstat(c.to); err == nil {
		return errExists
	}
	return os.Rename(c.temp, c.to)
}

// place calls placing.
func (c copier) place() error {
	if c.placing == nil {
		return nil
	}
	placed, err := os.Lstat(c.temp)
	if err != nil {
		return err
	}
	return c.placing(placed)
}

// discard removes the temporary file. Usually there is none. If it cannot be removed, the next
// attempt cannot make it, and reports that.
func (c copier) discard() { _ = os.Remove(c.temp) }

// into returns a function that writes pieces of the source to the copy.
func (c copier) into(out *os.File) func(piece []byte, at int64) error {
	return func(piece []byte, at int64) error {
		if _, err := out.WriteAt(piece, at); err != nil {
			return err
		}
		if done := at + int64(len(piece)); done >= bufferSize && c.progress != nil {
			c.progress(done)
		}
		return nil
	}
}

// sameAs returns a function that compares pieces of the source with the copy.
func sameAs(out *os.File) func(piece []byte, at int64) error {
	return func(piece []byte, at int64) error {
		buffer := buffers.Get().(*[bufferSize]byte)
		defer buffers.Put(buffer)
		n, err := out.ReadAt(buffer[:len(piece)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if !bytes.Equal(buffer[:n], piece) {
			return &fileError{errChanged}
		}
		return nil
	}
}

// read passes the content of a file on, piece by piece, without its holes, and returns its length.
// Unlike io.Copy, it distinguishes errors of the source from errors of the destination.
func (c copier) read(
	ctx context.Context, in File, size int64, use func(piece []byte, at int64) error,
) (int64, error) {
	for done := int64(0); ; {
		from, to, more := extent(in, done)
		if !more {
			return max(done, size), nil
		}
		end, err := readExtent(ctx, in, from, to, use)
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		if err != nil {
			return end, err
		}
		done = end
	}
}

// readExtent reads from one position to another, and returns the position that it reached. The
// error is [io.EOF] at the end of the file.
func readExtent(ctx context.Context, in File, at, to int64, use func(piece []byte, at int64) error) (int64, error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	for at < to {
		if ctx.Err() != nil {
			return at, context.Cause(ctx)
		}
		n, readErr := in.ReadAt(buffer[:min(bufferSize, to-at)], at)
		if n > 0 {
			if err := use(buffer[:n], at); err != nil {
				return at, err
			}
			at += int64(n)
		}
		switch {
		case errors.Is(readErr, io.EOF):
			return at, io.EOF
		case readErr != nil:
			return at, &fileError{readErr}
		}
	}
	return at, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
