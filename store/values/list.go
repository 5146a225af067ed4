package values

import (
	"context"
	"fmt"
	"iter"

	"github.com/rollcall-go/rollcall/store"
)

// pageLen is how many items of a list, or fields of a map, one call reads.
const pageLen = 256

// List is a reference to a list of Ts. Each item is stored as JSON. It may be used concurrently.
type List[T any] struct{ ref }

// NewList returns a reference to the list with this name, as [NewCounter] does.
func NewList[T any](c *Client, scope store.ValueScope, name string) *List[T] {
	return &List[T]{ref{c, scope, name, store.ValueList}}
}

// Append adds items to the end of the list, all in one step and exactly once. They may be at most
// [bounds.MaxData]. The errors are those of [Value.Set].
func (l *List[T]) Append(ctx context.Context, items ...T) error {
	data := make([]store.Datum, len(items))
	for i, item := range items {
		b, err := encode(fmt.Sprintf("Items[%d]", i), item)
		if err != nil {
			return err
		}
		data[i].Bytes = b
	}
	if len(data) == 0 {
		return nil
	}
	_, err := l.write(ctx, store.Write{Op: store.WriteAppend, Data: data})
	return err
}

// Range yields the items in order, from an index on. It reads them page by page: items that are
// appended meanwhile are included, unless the end was reached. An error ends the sequence:
// [store.ErrCorrupt] names an item that is not a T; [store.ErrWrongType].
func (l *List[T]) Range(ctx context.Context, from int64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for at := from; ; {
			page, err := l.read(ctx, store.ReadParams{Offset: at, Limit: pageLen})
			for _, d := range page.Data {
				item, derr := decode[T](d.Bytes)
				if derr != nil {
					err = l.corrupt(fmt.Sprintf("item %d", at), derr)
					break
				}
				if !yield(item, nil) {
					return
				}
				at++
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			if len(page.Data) == 0 || at >= page.Len {
				return
			}
		}
	}
}

// Len reads the number of items.
func (l *List[T]) Len(ctx context.Context) (int64, error) {
	reply, err := l.read(ctx, store.ReadParams{})
	return reply.Len, err
}

// Delete removes the list. If there is none, nothing changes.
func (l *List[T]) Delete(ctx context.Context) error { return l.drop(ctx) }
