package filestore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

const (
	// format is the version of the file. It rises when an older program would misread a newer file.
	format = 1
	// head is how each line begins.
	head = `{"Format":1,`
)

// The file is a list of states, one a line. The last whole line is the state: a process that ended
// while it wrote leaves a part of a line, of a call that did not return.

// open opens the file and reads the state. It is empty if the file is new.
func (b *backend) open() error {
	f, err := os.OpenFile(b.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(f)
	if err == nil {
		b.size = bytes.LastIndexByte(text, '\n') + 1
		err = b.decode(text)
	}
	if err == nil {
		err = b.syncName()
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	b.file = f
	return nil
}

// syncName makes the name of a new file survive a loss of power.
func (b *backend) syncName() error {
	if !b.options.Sync {
		return nil
	}
	dir, err := os.Open(filepath.Dir(b.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// decode reads the last whole line.
func (b *backend) decode(text []byte) error {
	begun := text[:min(len(text), len(head))]
	if b.size == 0 && strings.HasPrefix(head, string(begun)) {
		return nil // no call of the first process returned
	}
	lines := bytes.Split(text[:b.size], []byte("\n"))
	if len(lines) < 2 {
		return fmt.Errorf("%w: %s has no state", store.ErrCorrupt, b.path)
	}
	if err := json.Unmarshal(lines[len(lines)-2], b.state); err != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrCorrupt, b.path, err)
	}
	if b.state.Format != format {
		return fmt.Errorf("%w: %s has the format %d, not %d", store.ErrCorrupt, b.path, b.state.Format, format)
	}
	return nil
}

// Old states are dropped when the file is longer than both of these.
const (
	keepBytes  = 1 << 20
	keepStates = 16
)

// save adds the state of now to the file.
func (b *backend) save() error {
	b.state.Format = format
	line, err := json.Marshal(b.state)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if b.size > keepBytes && b.size > keepStates*len(line) {
		return b.renew(line)
	}
	_, err = b.file.WriteAt(line, int64(b.size))
	if err == nil && b.options.Sync {
		err = b.file.Sync()
	}
	if err != nil {
		return errors.Join(err, b.file.Truncate(int64(b.size))) // of whatever was written
	}
	b.size += len(line)
	return nil
}

// renew replaces the file by one that has only this state. Whoever opens it finds the one or the
// other, also if the machine loses power.
func (b *backend) renew(line []byte) error {
	f, err := os.OpenFile(b.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), b.path)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	_ = b.file.Close()
	b.file, b.size = f, len(line)
	return b.syncName()
}

// clone copies a value with all that it points to, apart from errors, which nobody changes. Times
// are in UTC then, and have no monotonic part, as they would be read back from the file; JSON
// cannot keep every zone.
func clone[T any](v T) T {
	out := reflect.ValueOf(&v).Elem()
	out.Set(copied(out))
	return v
}

func copied(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		if reflect.Copy(out, v); v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				out.Index(i).Set(copied(v.Index(i)))
			}
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for key, value := range v.Seq2() {
			out.SetMapIndex(key, copied(value))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(copied(v.Elem()))
		return out
	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok {
			return reflect.ValueOf(at.UTC().Round(0))
		}
		out := reflect.New(v.Type()).Elem()
		for i := range v.NumField() {
			out.Field(i).Set(copied(v.Field(i)))
		}
		return out
	}
	return v
}

// errors are the places of all errors in the reply.
func (r *lastReply) errors() (all []*error) {
	for i := range r.Enqueued.Entries {
		all = append(all, &r.Enqueued.Entries[i].Err)
	}
	for i := range r.Enqueued.Holds {
		all = append(all, &r.Enqueued.Holds[i])
	}
	for i := range r.Written.Results {
		all = append(all, &r.Written.Results[i].Err)
	}
	for i := range r.Settled.Refused {
		all = append(all, &r.Settled.Refused[i].Err)
	}
	return all
}

// plainReply is a reply as it is stored: its errors are apart, since an interface cannot be read
// back from JSON.
type plainReply struct {
	Reply  replyFields
	Errors []storedError
}

type replyFields lastReply // without the methods

// storedError is nothing, one of replyErrors by its text, or a TypeError.
type storedError struct {
	Text string           `json:",omitempty"`
	Type *store.TypeError `json:",omitempty"`
}

// replyErrors are all the errors that the contract has in replies, but TypeError.
var replyErrors = []error{
	store.ErrRunNotFound, store.ErrJobNotFound, store.ErrJobStopped, store.ErrRunFinished, store.ErrHoldLost,
	store.ErrTooManyValues, store.ErrOutOfRange, store.ErrChildrenLost,
}

// MarshalJSON implements [json.Marshaler].
func (r lastReply) MarshalJSON() ([]byte, error) {
	var p plainReply
	r = clone(r)
	for _, at := range r.errors() {
		var e storedError
		if !errors.As(*at, &e.Type) && *at != nil {
			e.Text = (*at).Error()
		}
		p.Errors = append(p.Errors, e)
		*at = nil
	}
	p.Reply = replyFields(r)
	return json.Marshal(p)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *lastReply) UnmarshalJSON(text []byte) error {
	var p plainReply
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	*r = lastReply(p.Reply)
	for i, at := range r.errors() {
		if e := p.Errors[i]; e.Type != nil {
			*at = e.Type
			continue
		}
		for _, known := range replyErrors {
			if known.Error() == p.Errors[i].Text {
				*at = known
			}
		}
	}
	return nil
}
