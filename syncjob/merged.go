package syncjob

import (
	"context"
	"iter"
)

// sortedList reads a page of the sorted list of one partition. next is the after of the next page;
// "" at the end.
type sortedList[T any] func(ctx context.Context, partition int, after string) (page []T, next string, err error)

// merged yields the sorted lists of some partitions as one, by the keys of their items; see merge.
func merged[T any](
	ctx context.Context, p *poll, partitions []int, after string, read sortedList[T], key func(T) string,
) iter.Seq2[T, error] {
	lists := make(map[int]pages[T])
	for _, partition := range partitions {
		lists[partition] = &sortedPart[T]{read, partition, after}
	}
	return merge(ctx, p, lists, func(a, b T) bool { return key(a) < key(b) })
}

// sortedPart is the sorted list of one partition.
type sortedPart[T any] struct {
	read      sortedList[T]
	partition int
	after     string
}

func (l *sortedPart[T]) next(ctx context.Context) (page []T, last bool, err error) {
	page, l.after, err = l.read(ctx, l.partition, l.after)
	return page, l.after == "", err
}

// everyPartition returns the indexes of all partitions.
func (m *Manager) everyPartition() []int {
	all := make([]int, m.store.Partitions())
	for i := range all {
		all[i] = i
	}
	return all
}
