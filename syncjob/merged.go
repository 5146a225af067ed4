package syncjob

import (
	"context"
	"fmt"
	"iter"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// sortedList reads a page of the sorted list of one partition. next is the after of the next page;
// "" at the end.
type sortedList[T any] func(ctx context.Context, partition int, after string) (page []T, next string, err error)

// merged yields the sorted lists of some partitions as one, by the keys of their items. The first
// pages are read together. If a partition does not answer, the sequence goes on without it, and
// ends with an error that names each such partition.
func merged[T any](
	ctx context.Context, partitions []int, after string, read sortedList[T], key func(T) string,
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		lists := make([]*listPart[T], len(partitions))
		group := lifecycle.New(ctx)
		for i, p := range partitions {
			lists[i] = &listPart[T]{partition: p, next: after, more: true}
			group.Go(func(ctx context.Context) { lists[i].fill(ctx, read) })
		}
		group.Wait()
		for {
			var first *listPart[T]
			for _, l := range lists {
				l.fill(ctx, read)
				if len(l.page) > 0 && (first == nil || key(l.page[0]) < key(first.page[0])) {
					first = l
				}
			}
			if first == nil {
				break
			}
			if !yield(first.page[0], nil) {
				return
			}
			first.page = first.page[1:]
		}
		var errs []error
		for _, l := range lists {
			errs = append(errs, l.err)
		}
		if err := store.JoinFields(errs...); err != nil {
			var none T
			yield(none, err)
		}
	}
}

// listPart is what was read of the list of one partition and not yielded.
type listPart[T any] struct {
	partition int
	page      []T
	next      string
	more      bool
	err       error // ends it
}

// fill reads the next page if the last one is used up.
func (l *listPart[T]) fill(ctx context.Context, read sortedList[T]) {
	for len(l.page) == 0 && l.more {
		if l.page, l.next, l.err = read(ctx, l.partition, l.next); l.err != nil {
			l.page, l.err = nil, fmt.Errorf("partition %d: %w", l.partition, l.err)
		}
		l.more = l.err == nil && l.next != ""
	}
}

// everyPartition returns the indexes of all partitions.
func (m *Manager) everyPartition() []int {
	all := make([]int, m.store.Partitions())
	for i := range all {
		all[i] = i
	}
	return all
}
