package mirror

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The ledger
//
// A run that deletes may delete only what was put into the destination from the same source. So it
// writes down what it puts there: beside the destination, in a directory for each directory, a mark
// of 8 bytes for each file. A mark is written before the file is put in place. So wherever a worker
// dies, everything that was put there has its mark. A mark without its file does no harm: only a
// file that has the name, the size and the time of a mark is deleted. Whoever replaced it by
// something else keeps that.
//
// Marks are only added. The files of a page have the stamp of a run in their names, and a scan
// removes files of earlier runs after it copied to a new one those marks that still have a file. So
// an attempt that does not know yet that it lost its lease can neither remove nor overwrite marks
// of this run.

// mark stands for one entry of the destination, as it was put there.
type mark uint64

func markOf(format string, args ...any) mark {
	sum := sha256.Sum256(fmt.Appendf(nil, format, args...))
	return mark(binary.BigEndian.Uint64(sum[:8]))
}

// The marks of a directory: that it was synced, and that it was made for that.
func syncedMark(name string) mark { return markOf("synced %s", name) }
func madeMark(name string) mark   { return markOf("made %s", name) }

// tempMark is the mark of the temporary files of a task.
func tempMark(task string) mark { return markOf("temp %s", task) }

// grownMark is the mark of a file that is appended to in place: its size and time change.
func grownMark(name string) mark { return markOf("grown %s", name) }

// fileMark is the mark of a file or link of the destination.
func fileMark(name string, info fs.FileInfo, path string) (mark, error) {
	if info.Mode().Type() == fs.ModeSymlink {
		target, err := os.Readlink(path)
		return markOf("link %d %s %s", len(target), target, name), err
	}
	at := info.ModTime()
	return markOf("file %v %d %d %d %s", info.Mode().Type(), info.Size(), at.Unix(), at.Nanosecond(), name), nil
}

// ledger has the marks of a destination for one source.
type ledger struct{ dir string }

func newLedger(dir, src string) *ledger {
	sum := sha256.Sum256([]byte(src))
	return &ledger{filepath.Join(dir, hex.EncodeToString(sum[:8]))}
}

// of returns where the marks of a directory are.
func (l *ledger) of(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	name := hex.EncodeToString(sum[:16])
	return filepath.Join(l.dir, name[:2], name[2:])
}

// forget removes the marks of a directory that is not there any more.
func (l *ledger) forget(dir string) error { return os.RemoveAll(l.of(dir)) }

// note is a file that says that a task is about to remove a directory. It goes with the marks of
// the directory.
type note string

// note returns the note of a task of a run. Its name is like those of pages, so that a later run
// removes what is left of it.
func (l *ledger) note(dir, stamp, task string) note {
	return note(filepath.Join(l.of(dir), "leaving-"+stamp+"-"+task))
}

func (n note) exists() bool {
	_, err := os.Lstat(string(n))
	return err == nil
}

func (n note) leave() error {
	if err := os.MkdirAll(filepath.Dir(string(n)), 0o700); err != nil {
		return err
	}
	return os.WriteFile(string(n), nil, 0o600)
}

func (n note) drop() error { return ignoreMissing(os.Remove(string(n))) }

// pen adds marks to one directory. A nil pen adds none.
type pen struct {
	path  string
	known *page    // marks that need not be added again; may be nil
	file  *os.File // opened with the first mark
}

// pen returns a pen for a run. Close it.
func (l *ledger) pen(dir, stamp string) *pen {
	if l == nil {
		return nil
	}
	return &pen{path: filepath.Join(l.of(dir), "put-"+stamp)}
}

// add writes marks, and returns when they are in the file.
func (p *pen) add(marks ...mark) (err error) {
	if p == nil {
		return nil
	}
	if marks = slices.DeleteFunc(marks, p.known.has); len(marks) == 0 {
		return nil
	}
	if p.file == nil {
		if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
			return err
		}
		if p.file, err = os.OpenFile(p.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return err
		}
	}
	// The line before may be half written, if the disk was full.
	_, err = p.file.WriteString("\n" + lines(marks))
	return err
}

func lines(marks []mark) string {
	var b strings.Builder
	for _, m := range marks {
		fmt.Fprintf(&b, "%016x\n", uint64(m))
	}
	return b.String()
}

// Close closes the file of the pen.
func (p *pen) Close() error {
	if p == nil || p.file == nil {
		return nil
	}
	return p.file.Close()
}

// page has the marks of one directory, 8 bytes each. A nil page has none.
type page struct {
	path  string
	marks map[mark]struct{}
	files []string // that they were read from
	lines int
}

// read returns the marks of a directory.
func (l *ledger) read(dir string) (*page, error) {
	if l == nil {
		return nil, nil
	}
	p := &page{path: l.of(dir), marks: make(map[mark]struct{})}
	entries, err := os.ReadDir(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	for _, e := range entries {
		if err := p.readFile(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return p, err
}

func (p *page) readFile(name string) error {
	f, err := os.Open(filepath.Join(p.path, name))
	if err != nil {
		return err
	}
	defer f.Close()
	p.files = append(p.files, name)
	in := bufio.NewScanner(f)
	for in.Scan() {
		if m, err := strconv.ParseUint(in.Text(), 16, 64); err == nil && len(in.Text()) == 16 {
			p.marks[mark(m)] = struct{}{}
			p.lines++
		}
	}
	return in.Err()
}

func (p *page) has(m mark) bool {
	if p == nil {
		return false
	}
	_, ok := p.marks[m]
	return ok
}

func (p *page) empty() bool { return p == nil || len(p.marks) == 0 }

// crowded reports whether there are many files, or many marks that must be of entries that a
// directory of this size does not have any more. An entry has up to two marks.
func (p *page) crowded(size int) bool {
	return p != nil && (p.lines > 4*size+100 || len(p.files) > 8)
}

// rewrite replaces the files of earlier runs by one with these marks. If it dies, a later run does
// it again.
func (p *page) rewrite(stamp string, marks []mark) error {
	path := filepath.Join(p.path, "kept-"+stamp)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // an earlier attempt made it
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(lines(marks))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	for _, name := range p.files {
		if _, of, _ := strings.Cut(name, "-"); of < stamp {
			if err := os.Remove(filepath.Join(p.path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
