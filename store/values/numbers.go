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

// NewCounter returns a reference to the counter with this name. It makes no call. If the name or
// the scope is not valid, the first use returns the error; see [store.ValidateName].
func NewCounter(c *Client, scope store.ValueScope, name string) *Counter {
	return &Counter{ref{c, scope, name, store.ValueCounter}}
}

// Get reads the counter. It is 0 if it was never written. Errors: [store.ErrCorrupt] if the stored
// data are not a number; [store.ErrWrongType].
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

// Set writes the counter. Errors: [store.ErrRunNotFound], [store.ErrJobNotFound],
// [store.ErrTooManyValues], [store.ErrWrongType].
func (c *Counter) Set(ctx context.Context, n int64) error {
	return c.set(ctx, strconv.AppendInt(nil, n, 10))
}

// Add adds a number, which may be negative, exactly once. It returns the sum. The errors are those
// of Set, and [store.ErrOutOfRange].
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

// Delete removes the counter. If there is none, nothing changes.
func (c *Counter) Delete(ctx context.Context) error { return c.drop(ctx) }

// Float is a reference to a float64. It cannot be infinite or NaN. It may be used concurrently.
type Float struct{ ref }

// NewFloat returns a reference to the float with this name, as [NewCounter] does.
func NewFloat(c *Client, scope store.ValueScope, name string) *Float {
	return &Float{ref{c, scope, name, store.ValueFloat}}
}

// Get reads the float. It is 0 if it was never written. The errors are those of [Counter.Get].
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

// Set writes the float. The errors are those of [Counter.Set].
func (f *Float) Set(ctx context.Context, n float64) error {
	return f.set(ctx, strconv.AppendFloat(nil, n, 'g', -1, 64))
}

// Add adds a number exactly once. It returns the sum, rounded as Go rounds it. The errors are those
// of [Counter.Add].
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

// Delete removes the float. If there is none, nothing changes.
func (f *Float) Delete(ctx context.Context) error { return f.drop(ctx) }

// Time is a reference to a point in time, to the nanosecond and in UTC. It may be used
// concurrently.
type Time struct{ ref }

// NewTime returns a reference to the time with this name, as [NewCounter] does.
func NewTime(c *Client, scope store.ValueScope, name string) *Time {
	return &Time{ref{c, scope, name, store.ValueTime}}
}

// Get reads the time. It is the zero Time if there is none. The errors are those of [Counter.Get].
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

// Set writes the time. The errors are those of [Counter.Set], and a [*store.FieldError] if the year
// does not have four digits.
func (t *Time) Set(ctx context.Context, at time.Time) error {
	b, err := at.UTC().MarshalText()
	if err != nil {
		return &store.FieldError{Field: "Value", Reason: "cannot be stored: " + err.Error()}
	}
	return t.set(ctx, b)
}

// Delete removes the time. If there is none, nothing changes.
func (t *Time) Delete(ctx context.Context) error { return t.drop(ctx) }
