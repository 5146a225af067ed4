package faults

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
)

// What an event is about.
const (
	ready     = "ready"     // a worker process has connected; Text is its name
	started   = "started"   // an attempt of a task began
	ended     = "ended"     // a handler is about to return success
	cancelled = "cancelled" // the handler's context ended; Text is the cause
	staged    = "staged"    // an attempt staged children; Text is the error, if any
	hookBegan = "hook"      // an attempt of the post-job hook began
	hookDone  = "hook done" // the post-job hook is about to return success
	halted    = "halted"    // a producer stands still amid its sequence
	entered   = "entered"   // a process passed the gate; Run is its fencing number
	left      = "left"      // its worker has returned
	produced  = "produced"  // a producer has enqueued all of it
)

// event is one line of the ledger.
type event struct {
	What  string
	Run   int64
	Path  string // of the task in the tree
	Task  string // its ID
	Retry int
	Text  string

	Worker string    // which process wrote it
	At     time.Time // by the ledger's clock
}

// witness reads the ledger. Its methods are for the test's goroutine.
type witness struct {
	t         *testing.T
	server    *redistest.Server
	namespace string
	last      string // ID of the last entry read
	events    []event
}

func newWitness(t *testing.T) *witness {
	server, namespace := redistest.Shared(t)
	return &witness{t: t, server: server, namespace: namespace, last: "0"}
}

// patience bounds every wait for the ledger: it decides nothing but when to give up.
const patience = 50 * time.Second

// await reads on until the events so far satisfy the test, and returns them all.
func (w *witness) await(what string, enough func([]event) bool) []event {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for !enough(w.events) {
		if !w.read(ctx, time.Second) && ctx.Err() != nil {
			w.t.Fatalf("the ledger never showed: %s; its last entries: %v", what, w.events[max(0, len(w.events)-20):])
		}
	}
	return w.events
}

// all reads whatever there is.
func (w *witness) all() []event {
	w.t.Helper()
	for w.read(w.t.Context(), 0) {
	}
	return w.events
}

// read takes in the next page, waiting up to the given time for one. It reports
// whether there was any.
func (w *witness) read(ctx context.Context, wait time.Duration) bool {
	w.t.Helper()
	key := w.namespace + ":events"
	words := []string{"COUNT", "5000", "STREAMS", key, w.last}
	if wait > 0 {
		words = append([]string{"BLOCK", strconv.FormatInt(wait.Milliseconds(), 10)}, words...)
	}
	client := w.server.Client
	reply := client.Do(ctx, client.B().Arbitrary("XREAD").Args(words...).Blocking())
	message, err := reply.ToMessage()
	if message.IsNil() || ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	require.NoError(w.t, err)
	page, err := reply.AsXRead()
	require.NoError(w.t, err)
	for _, entry := range page[key] {
		w.last = entry.ID
		w.events = append(w.events, parseEvent(entry.ID, entry.FieldValues))
	}
	return true
}

func parseEvent(id string, fields map[string]string) event {
	run, _ := strconv.ParseInt(fields["run"], 10, 64)
	retry, _ := strconv.Atoi(fields["retry"])
	var millis int64
	for i := range len(id) {
		if id[i] == '-' {
			millis, _ = strconv.ParseInt(id[:i], 10, 64)
		}
	}
	return event{
		What: fields["what"], Run: run, Path: fields["path"], Task: fields["task"], Retry: retry,
		Text: fields["text"], Worker: fields["worker"], At: time.UnixMilli(millis),
	}
}

// open lets every leaf pass that waits, or will wait, at the gate.
func (w *witness) open() {
	w.t.Helper()
	require.NoError(w.t, w.server.Do(w.t.Context(), "XADD", w.namespace+":gate:leaf", "*", "open", "1"))
}

// times counts events of a kind.
func times(events []event, what string) int {
	return len(about(events, what, ""))
}

// about selects events of a kind about a path; every path if that is empty.
func about(events []event, what, path string) []event {
	return slices.DeleteFunc(slices.Clone(events), func(e event) bool {
		return e.What != what || path != "" && e.Path != path
	})
}

// seen is a condition for await: so many events of a kind.
func seen(what string, n int) func([]event) bool {
	return func(events []event) bool { return times(events, what) >= n }
}
