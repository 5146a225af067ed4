package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// copier replaces one file by a copy of another, as a whole: whoever opens it meanwhile
// sees the old content or the new. It is safe against another attempt at the same file that does
// not know yet that it lost its lease.
type copier struct {
	from, to string
	temp     string // in the directory of to
	// progress is told how much of a file that takes several buffers is copied.
	progress func(done int64)
}

// bufferSize is how much is copied between two looks at the context.
const bufferSize = 256 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// copy makes the copy and returns its size. It fails if src is not what it finds. The
// temporary file is left to discard.
func (c copier) copy(ctx context.Context, src fs.FileInfo) (int64, error) {
	if src.Mode().Type() == fs.ModeSymlink {
		return 0, c.link()
	}
	in, err := os.Open(c.from)
	if err != nil {
		return 0, &fileError{err}
	}
	defer in.Close()
	// The time of the copy is that of before the first byte was read: if the source
	// changes meanwhile, the next run sees it.
	opened, err := in.Stat()
	if err != nil {
		return 0, &fileError{err}
	}
	if !os.SameFile(src, opened) {
		return 0, &fileError{errChanged}
	}
	out, err := c.create()
	if err != nil {
		return 0, err
	}
	n, err := c.transfer(ctx, out, in)
	if err == nil {
		err = c.complete(out, opened)
	}
	return n, errors.Join(err, out.Close())
}

// create makes the temporary file: always a new one, so that another attempt that has
// the old one open writes into nothing.
func (c copier) create() (*os.File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
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
	if err := os.Chtimes(c.temp, time.Time{}, src.ModTime()); err != nil {
		return err
	}
	if err := os.Rename(c.temp, c.to); err != nil {
		return err
	}
	// The name may have been another attempt's by then, and the file half written.
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
func (c copier) link() error {
	target, err := os.Readlink(c.from)
	if err != nil {
		return &fileError{err}
	}
	c.discard()
	if err := os.Symlink(target, c.temp); err != nil {
		return err
	}
	return os.Rename(c.temp, c.to)
}

// discard removes the temporary file. Mostly there is none; one that cannot be removed is in
// the way of the next attempt to make it, which says so.
func (c copier) discard() { _ = os.Remove(c.temp) }

// transfer copies the content, and tells errors of the source from those of the
// destination, which io.Copy does not.
func (c copier) transfer(ctx context.Context, out io.Writer, in io.Reader) (int64, error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	for done := int64(0); ; {
		if ctx.Err() != nil {
			return done, context.Cause(ctx)
		}
		n, readErr := in.Read(buffer[:])
		if n > 0 {
			if _, err := out.Write(buffer[:n]); err != nil {
				return done, err
			}
			done += int64(n)
			if done >= bufferSize && c.progress != nil {
				c.progress(done)
			}
		}
		switch {
		case errors.Is(readErr, io.EOF):
			return done, nil
		case readErr != nil:
			return done, &fileError{readErr}
		}
	}
}
