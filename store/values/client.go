package values

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/stream"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// maxWritesLen limits the size of the writes in one call of the store. [bounds.MaxBatch] limits
// their number.
const maxWritesLen = 1 << 20

// Client reads and writes values for the typed references. One for each store, or namespace, is
// enough for a process. Make it with [NewClient], or use that of a syncjob.Manager. Its methods may
// be called concurrently.
//
// A write is applied exactly once, even if replies are lost. Writes that arrive during one call of
// the store are sent together in the next, under the next number of a stream. If a call is repeated
// with the same number, the store returns the same reply and writes nothing. A reference costs
// nothing, and the store keeps only its value. If ctx ends first, its error is returned. If the
// store does not answer, the error is a [*store.RetryError]. Then the write may be applied or not.
type Client struct {
	store   store.Store // repeats calls
	group   *lifecycle.Group
	streams []*stream.Stream[*valueWrite] // by partition
}

// NewClient returns a client of a store. The caller still has to close the store. NewClient makes
// no call: the first write to a partition opens a stream there. Calls are repeated as with
// [store.WithRetry], which may also have made s.
func NewClient(s store.Store) *Client {
	s = store.WithRetry(s, nil)
	h := &Client{store: s, group: lifecycle.New(context.Background())}
	h.streams = make([]*stream.Stream[*valueWrite], max(1, s.Partitions()))
	for i := range h.streams {
		h.streams[i] = stream.New(&valueLine{store: h.store, partition: i}, h.group, store.ErrClosed)
	}
	return h
}

// Close waits until writes in progress have finished, for at most [store.CloseTime]. Writes not
// answered by then fail with [store.ErrClosed]; they may be applied or not. Later writes return
// [store.ErrClosed]. Close does not close the store. It may be called twice.
func (h *Client) Close() error {
	h.CloseBy(time.Now().Add(store.CloseTime))
	return nil
}

// CloseBy is [Client.Close] that waits until a deadline. Several things that close together can
// share one.
func (h *Client) CloseBy(deadline time.Time) {
	for _, s := range h.streams {
		s.Close()
	}
	h.group.StopAfter(time.Until(deadline), store.ErrClosed)
}

// valueWrite is one write that waits for its result.
type valueWrite struct {
	stream.Call
	write  store.Write
	result store.WriteResult
}

// valueLine sends writes to the producer stream of one partition.
type valueLine struct {
	store     store.Store
	partition int
}

// Open implements [stream.Line].
func (l *valueLine) Open(ctx context.Context, stream string) error {
	return l.store.OpenProducer(ctx, l.partition, stream)
}

// Close implements [stream.Line].
func (l *valueLine) Close(ctx context.Context, stream string) error {
	return l.store.CloseProducer(ctx, l.partition, stream)
}

// Take implements [stream.Line]. Removals have their own calls, so that they succeed when the store
// is short of memory.
func (l *valueLine) Take(waiting []*valueWrite) int {
	grows := waiting[0].write.Grows()
	size := waiting[0].write.Size()
	for n := 1; n < len(waiting); n++ {
		size += waiting[n].write.Size()
		if n == bounds.MaxBatch || size > maxWritesLen || waiting[n].write.Grows() != grows {
			return n
		}
	}
	return len(waiting)
}

// Send implements [stream.Line].
func (l *valueLine) Send(ctx context.Context, stream string, number int64, batch []*valueWrite) error {
	p := store.WriteParams{
		Partition: l.partition,
		Stream:    stream,
		Number:    number,
		Writes:    make([]store.Write, len(batch)),
	}
	for i, w := range batch {
		p.Writes[i] = w.write
	}
	reply, err := l.store.WriteValues(ctx, p)
	if err != nil {
		return err
	}
	if len(reply.Results) != len(batch) {
		return fmt.Errorf("%w: the store answered %d of %d writes", store.ErrCorrupt, len(reply.Results), len(batch))
	}
	for i, w := range batch {
		w.result = reply.Results[i]
	}
	return nil
}

// Forgot implements [stream.Line]. If the call was a repeat, it returns false: the first try may
// have been applied before the store forgot the stream.
func (l *valueLine) Forgot(err error) bool {
	var repeated *store.RetryError
	return errors.Is(err, store.ErrResultUnknown) && !errors.As(err, &repeated)
}

// ref is the common part of all references: the name of a value, and the client.
type ref struct {
	all   *Client
	scope store.ValueScope
	name  string
	typ   store.ValueType
}

// String returns the name of the value for errors.
func (h *ref) String() string { return fmt.Sprintf("%s %.80q of %s", h.typ, h.name, h.scope) }

// write applies one write, once.
func (h *ref) write(ctx context.Context, w store.Write) (store.WriteResult, error) {
	w.Scope, w.Name, w.Type = h.scope, h.name, h.typ
	err := store.RenameFields(w.Validate(), func(field string) string { return argument(&w, field) })
	if err == nil {
		err = h.usable()
	}
	req := &valueWrite{write: w}
	if err == nil {
		err = h.all.streams[store.PartitionOfValue(h.scope, h.name, len(h.all.streams))].Do(ctx, req)
	}
	if err == nil {
		err = req.result.Err
	}
	if err != nil {
		return store.WriteResult{}, fmt.Errorf("write %s: %w", h, err)
	}
	return req.result, nil
}

// argument translates a field of the write to the name of a parameter that callers know.
func argument(w *store.Write, field string) string {
	if field == "Data" {
		switch w.Op {
		case store.WriteAppend:
			return "Items"
		case store.WriteRemove:
			return "Fields"
		}
		if w.Type == store.ValueMap && w.Op == store.WriteSet {
			return "Fields"
		}
		return "Value"
	}
	var i int
	if _, err := fmt.Sscanf(field, "Data[%d]", &i); err != nil {
		return field
	}
	switch w.Type {
	case store.ValueList:
		return fmt.Sprintf("Items[%d]", i)
	case store.ValueMap:
		return fieldArgument(w.Data[i].Field)
	}
	return "Value"
}

// fieldArgument returns the name of a map's field for errors, cut to a readable length.
func fieldArgument(name string) string {
	const most = 64
	if len(name) > most {
		return fmt.Sprintf("Fields[%.80q...]", name[:most])
	}
	return fmt.Sprintf("Fields[%.80q]", name)
}

// usable returns an error if the reference has no client.
func (h *ref) usable() error {
	if h.all == nil {
		return &store.FieldError{Field: "Client", Reason: "is nil"}
	}
	return nil
}

// set writes a value that has no parts.
func (h *ref) set(ctx context.Context, b []byte) error {
	_, err := h.write(ctx, store.Write{Op: store.WriteSet, Data: []store.Datum{{Bytes: b}}})
	return err
}

// add adds a number and returns the sum.
func (h *ref) add(ctx context.Context, n []byte) (string, error) {
	result, err := h.write(ctx, store.Write{Op: store.WriteAdd, Data: []store.Datum{{Bytes: n}}})
	return result.Sum, err
}

// drop removes the value.
func (h *ref) drop(ctx context.Context) error {
	_, err := h.write(ctx, store.Write{Op: store.WriteDelete})
	return err
}

// read reads the value, or the part of it that p selects.
func (h *ref) read(ctx context.Context, p store.ReadParams) (store.ReadReply, error) {
	p.Scope, p.Name, p.Type = h.scope, h.name, h.typ
	err := store.RenameFields(p.Validate(), func(field string) string {
		if field == "Offset" {
			return "From" // of Range
		}
		return field
	})
	if err == nil {
		err = h.usable()
	}
	var reply store.ReadReply
	if err == nil {
		reply, err = h.all.store.ReadValue(ctx, p)
	}
	if err != nil {
		return store.ReadReply{}, fmt.Errorf("read %s: %w", h, err)
	}
	return reply, nil
}

// one reads a value that has no parts. ok is false if there is none.
func (h *ref) one(ctx context.Context) (b []byte, ok bool, err error) {
	reply, err := h.read(ctx, store.ReadParams{})
	if err != nil || len(reply.Data) == 0 {
		return nil, false, err
	}
	return reply.Data[0].Bytes, true, nil
}

// corrupt returns the error for stored bytes that do not fit the reference. what names the part of
// the value, if it has parts.
func (h *ref) corrupt(what string, err error) error {
	if what != "" {
		what += " of "
	}
	return fmt.Errorf("%w: %s%s: %v", store.ErrCorrupt, what, h, err)
}
