package syncjob

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/plural"
)

// PartialError is returned by calls that ask every partition of the store, if some of them did not
// answer. A listing returns, or yields, what the others answered, and this error last. It waits for
// the last of them no longer than 2 s once the first has answered, and as long as any call is
// repeated if none answers. The error matches its causes. A call that needs only one partition
// returns that one's error.
type PartialError struct {
	Partitions []int   // those that did not answer, ascending
	Causes     []error // why, in the same order
	Of         int     // how many partitions the store has
}

// Error implements error.
func (e *PartialError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d of %s did not answer", len(e.Partitions), plural.Of(e.Of, "partition"))
	for i, p := range e.Partitions {
		fmt.Fprintf(&text, "; partition %d: %v", p, e.Causes[i])
	}
	return text.String()
}

// Unwrap returns the causes.
func (e *PartialError) Unwrap() []error { return e.Causes }

// patience is how long a reading waits for the other partitions once one has answered.
const patience = 2 * time.Second

// errTooSlow ends calls for which a reading waits no longer.
var errTooSlow = errors.New("it did not answer within 2s of the others")

// poll asks partitions of the store. Those that failed are asked no more.
type poll struct {
	of       int
	patient  bool // waits for each partition as long as a call is repeated, as for the only one
	answered bool // one has answered
	failed   map[int]error
	asked    map[int]bool
}

func (m *Manager) poll() *poll {
	return &poll{of: m.store.Partitions(), failed: make(map[int]error), asked: make(map[int]bool)}
}

// open are the partitions that have not failed.
func (p *poll) open() (partitions []int) {
	for i := range p.of {
		if p.failed[i] == nil {
			partitions = append(partitions, i)
		}
	}
	return partitions
}

// ask calls do for some partitions at the same time, so that one that does not answer does not
// delay the others.
func (p *poll) ask(ctx context.Context, partitions []int, do func(ctx context.Context, partition int) error) {
	errs := make([]error, len(partitions))
	answers := make(chan bool, len(partitions))
	group := lifecycle.New(ctx)
	for i, partition := range partitions {
		p.asked[partition] = true
		group.Go(func(ctx context.Context) {
			errs[i] = do(ctx, partition)
			answers <- errs[i] == nil
		})
	}
	for i := 0; i < len(partitions) && !p.answered; i++ {
		p.answered = <-answers
	}
	if p.answered && !p.patient && p.of > 1 {
		group.StopAfter(patience, errTooSlow)
	}
	group.Wait()
	for i, err := range errs {
		if err != nil {
			p.failed[partitions[i]] = err
		}
	}
}

// partial reports whether some partitions answered and others did not.
func (p *poll) partial() bool { return p.answered && len(p.failed) > 0 }

// err names the partitions that did not answer. If only one was asked, it is that one's error.
func (p *poll) err() error {
	if len(p.failed) == 0 {
		return nil
	}
	if len(p.asked) == 1 {
		for _, err := range p.failed {
			return err
		}
	}
	e := &PartialError{Partitions: slices.Sorted(maps.Keys(p.failed)), Of: p.of}
	for _, partition := range e.Partitions {
		e.Causes = append(e.Causes, p.failed[partition])
	}
	return e
}

// inEveryPartition asks all partitions. With patient, as writes do, it waits for each of them.
func (m *Manager) inEveryPartition(
	ctx context.Context, patient bool, do func(ctx context.Context, partition int) error,
) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("ask every partition: %w", err)
	}
	p := m.poll()
	p.patient = patient
	p.ask(ctx, m.everyPartition(), do)
	return p.err()
}

// pages reads a list of one partition page by page.
type pages[T any] interface {
	// next reads the next page, and says whether it is the last. A page may be empty.
	next(ctx context.Context) (page []T, last bool, err error)
}

// merge yields what the lists of partitions have, in the order that all of them have. It reads
// pages while the caller consumes them. Behind the rest it yields a [*PartialError] if partitions
// did not answer.
func merge[T any](ctx context.Context, p *poll, lists map[int]pages[T], before func(a, b T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		heads := make(map[int][]T, len(lists))
		open := maps.Clone(lists)
		order := slices.Sorted(maps.Keys(lists))
		for {
			if !readMore(ctx, p, open, heads) {
				yield(*new(T), fmt.Errorf("ask every partition: %w", context.Cause(ctx)))
				return
			}
			first := -1
			for _, i := range order {
				if h := heads[i]; len(h) > 0 && (first < 0 || before(h[0], heads[first][0])) {
					first = i
				}
			}
			if first < 0 {
				break
			}
			item := heads[first][0]
			heads[first] = heads[first][1:]
			if !yield(item, nil) {
				return
			}
		}
		if err := p.err(); err != nil {
			yield(*new(T), err)
		}
	}
}

// readMore reads pages of the open lists that have run out, until each has an item or has ended. It
// returns false if ctx has ended.
func readMore[T any](ctx context.Context, p *poll, open map[int]pages[T], heads map[int][]T) bool {
	for {
		for i := range p.failed { // the caller may have found that
			delete(open, i)
		}
		var empty []int
		for i := range open {
			if len(heads[i]) == 0 {
				empty = append(empty, i)
			}
		}
		if len(empty) == 0 {
			return true
		}
		slices.Sort(empty)
		read, ends := make([][]T, len(empty)), make([]bool, len(empty))
		p.ask(ctx, empty, func(ctx context.Context, partition int) (err error) {
			i, _ := slices.BinarySearch(empty, partition)
			read[i], ends[i], err = open[partition].next(ctx)
			return err
		})
		if ctx.Err() != nil {
			return false
		}
		for i, partition := range empty {
			if heads[partition] = read[i]; ends[i] {
				delete(open, partition)
			}
		}
	}
}
