package guard

import (
	"context"
	"log/slog"
)

// Logger returns a logger with the same handler, whose panics and ends of goroutines reach nobody who logs: that
// record is lost. It is for the goroutines of the library. A logger that is guarded already is returned as it is.
func Logger(l *slog.Logger) *slog.Logger {
	switch l.Handler().(type) {
	case *handler:
		return l
	default:
		if l.Handler() == slog.DiscardHandler {
			return l
		}
		return slog.New(&handler{l.Handler()})
	}
}

// Enabled is the Enabled of a guarded logger for who survives the end of the goroutine: it costs next to
// nothing. A handler that panics is not enabled.
func Enabled(ctx context.Context, l *slog.Logger, level slog.Level) (enabled bool) {
	inner := l.Handler()
	if h, ok := inner.(*handler); ok {
		inner = h.inner
	}
	_ = Call(func() error {
		enabled = inner.Enabled(ctx, level)
		return nil
	}, func() {})
	return enabled
}

// handler guards a handler of a user.
type handler struct{ inner slog.Handler }

// Enabled implements [slog.Handler].
func (h *handler) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	_ = Apart(func() error {
		enabled = h.inner.Enabled(ctx, level)
		return nil
	})
	return enabled
}

// Handle implements [slog.Handler].
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	return Apart(func() error { return h.inner.Handle(ctx, r) })
}

// WithAttrs implements [slog.Handler].
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.derive(func() slog.Handler { return h.inner.WithAttrs(attrs) })
}

// WithGroup implements [slog.Handler].
func (h *handler) WithGroup(name string) slog.Handler {
	return h.derive(func() slog.Handler { return h.inner.WithGroup(name) })
}

// derive returns the handler as it is where one cannot be derived of it.
func (h *handler) derive(with func() slog.Handler) slog.Handler {
	derived := h.inner
	_ = Apart(func() error {
		if d := with(); d != nil {
			derived = d
		}
		return nil
	})
	return &handler{derived}
}
