package mirror

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
)

// appender appends to a file what is new in its source. It writes in place: a reader may see a part
// of what is new. If it dies, the next attempt goes on. Two attempts at once write the same bytes
// to the same places.
type appender struct {
	source   Source
	path     string // in the source
	to       string
	progress func(done int64)
}

// append checks that the source begins with what its copy has, appends the rest, and returns the
// size. What is written to the source meanwhile is for the next run.
func (a appender) append(ctx context.Context, src fs.FileInfo) (size int64, err error) {
	in, err := a.source.Open(ctx, a.path)
	if err != nil {
		return 0, &fileError{err}
	}
	defer in.Close()
	opened, err := in.Stat()
	if err != nil {
		return 0, &fileError{err}
	}
	if !a.source.Same(src, opened) {
		return 0, &fileError{errChanged}
	}
	out, err := os.OpenFile(a.to, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	have, err := out.Stat()
	if err != nil {
		return 0, err
	}
	size = opened.Size()
	if have.Size() > size {
		return 0, &fileError{errShrank}
	}
	compare, write := sameAs(out), copier{progress: a.progress}.into(out)
	err = readAll(ctx, in, 0, have.Size(), compare)
	if errors.Is(err, errChanged) {
		return 0, &fileError{errOtherBegin}
	}
	if err == nil {
		err = readAll(ctx, in, have.Size(), size, write)
	}
	if err != nil {
		return 0, err
	}
	if err := out.Chmod(opened.Mode() & keptMode); err != nil {
		return 0, err
	}
	return size, setModified(a.to, opened.ModTime())
}

// readAll passes on all that is between two positions, holes too.
func readAll(ctx context.Context, in File, from, to int64, use func(piece []byte, at int64) error) error {
	end, err := readExtent(ctx, in, from, to, use)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if end < to {
		return &fileError{errChanged} // it was cut off
	}
	return nil
}
