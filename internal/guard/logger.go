package guard

import (
	"context"
	"log/slog"
	"time"
)

// Logger returns a logger with the same handler that cannot harm its callers. If the handler panics
// or ends its goroutine, that record is lost. While it blocks, later records are lost; when it
// returns, it gets a record with their number. It is for the goroutines of the library. A logger
// that is guarded already is returned unchanged.
func Logger(l *slog.Logger) *slog.Logger {
	switch l.Handler().(type) {
	case *handler:
		return l
	default:
		if l.Handler() == slog.DiscardHandler {
			return l
		}
		h := &handler{inner: l.Handler(), patient: &Patient{}}
		h.patient.Late = h.missed
		return slog.New(h)
	}
}

// Enabled is a fast version of Enabled for callers that survive the end of the goroutine. A handler
// that panics or blocks is not enabled.
func Enabled(ctx context.Context, l *slog.Logger, level slog.Level) (enabled bool) {
	inner := l.Handler()
	if h, ok := inner.(*handler); ok {
		if h.patient.Blocked() {
			return false
		}
		inner = h.inner
	}
	_ = Call(func() error {
		enabled = inner.Enabled(ctx, level)
		return nil
	}, func() {})
	return enabled
}

// handler guards a handler of a user.
type handler struct {
	inner   slog.Handler
	patient *Patient // shared by all handlers that are derived from one
}

// missed makes a handler that blocked log how many records it missed.
func (h *handler) missed(err error) {
	r := slog.NewRecord(time.Now(), slog.LevelError, "the log handler blocked", 0)
	r.AddAttrs(slog.Any("error", err))
	_ = h.Handle(context.Background(), r)
}

// Enabled implements [slog.Handler].
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	var enabled bool
	called, err := h.patient.Apart(func() error {
		enabled = h.inner.Enabled(ctx, level)
		return nil
	})
	return called && err == nil && enabled // it may still be written to after an error
}

// Handle implements [slog.Handler].
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	_, err := h.patient.Apart(func() error { return h.inner.Handle(ctx, r) })
	return err
}

// WithAttrs implements [slog.Handler].
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.derive(func() slog.Handler { return h.inner.WithAttrs(attrs) })
}

// WithGroup implements [slog.Handler].
func (h *handler) WithGroup(name string) slog.Handler {
	return h.derive(func() slog.Handler { return h.inner.WithGroup(name) })
}

// derive returns the handler unchanged if deriving another one fails.
func (h *handler) derive(with func() slog.Handler) slog.Handler {
	var derived slog.Handler
	called, err := h.patient.Apart(func() error {
		derived = with()
		return nil
	})
	if !called || err != nil || derived == nil {
		return h
	}
	return &handler{derived, h.patient}
}
