package syncjob

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// ValuesOptions select values to list. The zero value selects all.
type ValuesOptions struct {
	Prefix string // of the name. Defaults to all.
	// After is the [states.Value.Cursor] of the last value of the page before. Defaults to the
	// beginning.
	After string
	Limit int // the largest number to yield. Defaults to all.
}

// valuesPage is how many values of a partition are read at a time.
const valuesPage = 200

// ListValues yields the values of a scope without their data, sorted by name: of a run
// ([store.RunScope]) with its counters, of a job ([store.JobScope]), or of the namespace
// ([store.NamespaceScope]). A counter of a run may have the name of another value of the run; then
// it is next to it. Nil options mean all.
//
// It reads pages while the caller consumes them, each at another moment. What is there from the
// first page to the last comes once; what is made or removed meanwhile may be missing. An error
// ends the sequence. If partitions with values of the namespace do not answer, a [*PartialError]
// comes behind what the others have. Errors: [ErrRunNotFound], [ErrJobNotFound]; a [*FieldError].
// It needs no registry.
func (m *Manager) ListValues(
	ctx context.Context, scope store.ValueScope, opts *ValuesOptions,
) iter.Seq2[states.Value, error] {
	var o ValuesOptions
	if opts != nil {
		o = *opts
	}
	return func(yield func(states.Value, error) bool) {
		fail := func(err error) { yield(states.Value{}, fmt.Errorf("list values of %s: %w", scope, err)) }
		if o.Limit < 0 {
			fail(&FieldError{Field: "Limit", Reason: "is negative"})
			return
		}
		yielded := 0
		for v, err := range m.valueRecords(ctx, scope, &o) {
			if err != nil {
				fail(err)
				return
			}
			s := states.Value{Name: v.Name, Type: v.Type, Size: v.Size, Expires: v.Expires, Cursor: v.Cursor()}
			if yielded++; !yield(s, nil) || yielded == o.Limit {
				return
			}
		}
	}
}

// valueRecords yields what the options select, in order.
func (m *Manager) valueRecords(
	ctx context.Context, scope store.ValueScope, o *ValuesOptions,
) iter.Seq2[store.ValueRecord, error] {
	limit := valuesPage
	if o.Limit > 0 {
		limit = min(limit, o.Limit)
	}
	read := func(ctx context.Context, partition int, after string) ([]store.ValueRecord, string, error) {
		page, err := m.store.ListValues(ctx, store.ValuesParams{
			Scope: scope, Partition: partition, After: after, Limit: limit,
		})
		for i := range page.Values {
			if name := page.Values[i].Name; !strings.HasPrefix(name, o.Prefix) && name > o.Prefix {
				return page.Values[:i], "", err
			}
		}
		return page.Values, page.Next, err
	}
	partitions := m.everyPartition()
	if scope.Of != store.ScopeNamespace {
		partitions = []int{store.PartitionOf(scope.Job, len(partitions))}
	}
	return func(yield func(store.ValueRecord, error) bool) {
		first := max(o.After, below(o.Prefix))
		// Of one name there are two values only in a run, which lies in one partition.
		name := func(v store.ValueRecord) string { return v.Name }
		for v, err := range merged(ctx, m.poll(), partitions, first, read, name) {
			if (err != nil || strings.HasPrefix(v.Name, o.Prefix)) && !yield(v, err) {
				return
			}
		}
	}
}
