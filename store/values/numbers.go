package values

import (
	"context"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Counter is a reference to an int64. It may be used concurrently.
//
// The counters of a run are those that the state of the run shows, and that tasks add to with their
// success (handlers.NewCounter): two references to one number. Their names are apart from those of
// the run's other values.
type Counter struct{ ref }

// NewCounter returns a reference to the counter of that name; see [store.ValidateName]. It makes no
// call: what is wrong with the name or the scope is told by the first use.
func NewCounter(c *Client, scope store.ValueScope, name string) *Counter {
	return &Counter{ref{c, scope, name, store.ValueCounter}}
}

// Get reads the counter, which is 0 if it was never written to. [store.ErrCorrupt] if what is
// stored is no number, [store.ErrWrongType].
func (c *Counter) Get(ctx context.Context) (int64, error) {
	b, ok, err := c.one(ctx)
	if err != nil || !ok {
		return 0, err
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0, c.corrupt("", err)
	}
	return n, nil
}

// Set writes the counter. [store.ErrRunNotFound], [store.ErrJobNotFound], [store.ErrTooManyValues],
// [store.ErrWrongType].
func (c *Counter) Set(ctx context.Context, n int64) error {
	return c.set(ctx, strconv.AppendInt(nil, n, 10))
}

// Add adds a number, which may be negative, exactly once, and returns the sum. Errors as for Set,
// and [store.ErrOutOfRange].
func (c *Counter) Add(ctx context.Context, n int64) (int64, error) {
	sum, err := c.add(ctx, strconv.AppendInt(nil, n, 10))
	if err != nil {
		return 0, err
	}
	total, err := strconv.ParseInt(sum, 10, 64)
	if err != nil {
		return 0, c.corrupt("", err)
	}
	return total, nil
}

// Delete removes the counter. Deleting one that is not there changes nothing.
func (c *Counter) Delete(ctx context.Context) error { return c.drop(ctx) }

// Float is a reference to a float64 that is neither infinite nor no number. It may be used
// concurrently.
type Float struct{ ref }

// NewFloat returns a reference to the float of that name, as [NewCounter] does.
func NewFloat(c *Client, scope store.ValueScope, name string) *Float {
	return &Float{ref{c, scope, name, store.ValueFloat}}
}

// Get reads the float, which is 0 if it was never written to. Errors as for [Counter.Get].
func (f *Float) Get(ctx context.Context) (float64, error) {
	b, ok, err := f.one(ctx)
	if err != nil || !ok {
		return 0, err
	}
	n, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return 0, f.corrupt("", err)
	}
	return n, nil
}

// Set writes the float. Errors as for [Counter.Set].
func (f *Float) Set(ctx context.Context, n float64) error {
	return f.set(ctx, strconv.AppendFloat(nil, n, 'g', -1, 64))
}

// Add adds a number exactly once, and returns the sum, rounded as Go rounds it. Errors as for
// [Counter.Add].
func (f *Float) Add(ctx context.Context, n float64) (float64, error) {
	sum, err := f.add(ctx, strconv.AppendFloat(nil, n, 'g', -1, 64))
	if err != nil {
		return 0, err
	}
	total, err := strconv.ParseFloat(sum, 64)
	if err != nil {
		return 0, f.corrupt("", err)
	}
	return total, nil
}

// Delete removes the float. Deleting one that is not there changes nothing.
func (f *Float) Delete(ctx context.Context) error { return f.drop(ctx) }

// Time is a reference to a point in time, to the nanosecond and in UTC. It may be used
// concurrently.
type Time struct{ ref }

// NewTime returns a reference to the time of that name, as [NewCounter] does.
func NewTime(c *Client, scope store.ValueScope, name string) *Time {
	return &Time{ref{c, scope, name, store.ValueTime}}
}

// Get reads the time, which is the zero Time if none is there. Errors as for [Counter.Get].
func (t *Time) Get(ctx context.Context) (at time.Time, err error) {
	b, ok, err := t.one(ctx)
	if err != nil || !ok {
		return at, err
	}
	if err := at.UnmarshalText(b); err != nil {
		return time.Time{}, t.corrupt("", err)
	}
	return at, nil
}

// Set writes the time. Errors as for [Counter.Set]; a [*store.FieldError] for a year that has not
// four digits.
func (t *Time) Set(ctx context.Context, at time.Time) error {
	b, err := at.UTC().MarshalText()
	if err != nil {
		return &store.FieldError{Field: "Value", Reason: "cannot be stored: " + err.Error()}
	}
	return t.set(ctx, b)
}

// Delete removes the time. Deleting one that is not there changes nothing.
func (t *Time) Delete(ctx context.Context) error { return t.drop(ctx) }
