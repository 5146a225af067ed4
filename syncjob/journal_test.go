package syncjob_test

import (
	"context"
	"log/slog"
	"sync"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
)

// journal remembers the messages that were logged.
type journal struct {
	mu       sync.Mutex
	messages []string
}

func (j *journal) logger() *slog.Logger { return slog.New(journalHandler{j}) }

func (j *journal) count(message string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, m := range j.messages {
		if m == message {
			n++
		}
	}
	return n
}

type journalHandler struct{ *journal }

func (h journalHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h journalHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h journalHandler) WithGroup(string) slog.Handler            { return h }
func (h journalHandler) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(h.messages, r.Message)
	return nil
}

// runID names a run in the store.
func runID(r *syncjob.Run) store.RunID { return store.RunID{Job: r.Job(), Number: r.Number()} }
