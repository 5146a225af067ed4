package scene

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// Huge is a number that a float of 64 bits cannot hold.
const Huge = 1<<53 + 1

// Hostile is a store in which every text that users choose attacks whoever shows it.
type Hostile struct {
	*Place
	Texts  map[string]string // what stands at each place; each begins with the name of the place
	Failed *syncjob.Run
	Busy   *syncjob.Run
	Task   string // runs in Busy
}

// markup is what names may have, too.
const markup = `</td><script>alert(1)</script>"'><img src=x onerror=alert(1)> javascript:alert(1) {{.}} ${x}`

// text is markup, a sequence that clears a terminal, marks of direction and what is not seen.
func (h *Hostile) text(place string) string {
	h.Texts[place] = place + markup + "\x1b[2J\r\u202e\u2066\u200b"
	return h.Texts[place]
}

// visible is markup alone, where other signs are refused.
func (h *Hostile) visible(place string) string {
	h.Texts[place] = place + markup
	return h.Texts[place]
}

// message is of progress, in which control characters become spaces.
func (h *Hostile) message() string {
	h.Texts["message"] = "message" + markup + "\u202e\u2066\u200b"
	return h.Texts["message"]
}

// NewHostile fills a store in memory.
func NewHostile(t *testing.T) *Hostile {
	t.Helper()
	h := &Hostile{Place: New(t, nil), Texts: make(map[string]string)}
	h.work(h.visible("worker"), h.visible("version"))
	start := func(name string) *syncjob.Run {
		r, err := h.M.Start(t.Context(), syncjob.Job{
			Name: name, Set: Set, Open: true,
			Labels:  map[string]string{"tenant": h.visible("label")},
			Headers: map[string]string{h.text("header"): h.text("value of a header")},
		}, nil)
		require.NoError(t, err)
		return r
	}
	h.Failed = start(h.visible("job"))
	half := strings.Repeat("<b>\x1b[31m\u202e", 1<<20/(2*16)) // JSON needs twice as much
	h.Enqueued(h.Failed, Leaf{Fail: h.text("error") + half, Note: h.text("note"), Bytes: Huge}, nil)
	h.Enqueued(h.Failed, Leaf{Bytes: Huge}, nil)
	h.Ended(h.Failed)
	h.Busy = start("busy")
	h.Task = h.Enqueued(h.Busy, Leaf{Block: true, Note: h.message()}, &enqueue.Options{ID: h.visible("task")})
	h.Reporting(h.Busy)
	ctx := syncjob.WithActor(t.Context(), h.visible("actor"))
	stopped := start("stopped")
	require.NoError(t, stopped.Stop(ctx, &syncjob.StopOptions{Reason: h.text("reason of a stop")}))
	require.NoError(t, h.M.Pause(ctx, syncjob.Scope{Queue: "gpu"}, h.text("reason of a pause")))
	_, err := h.M.Configure(ctx, Set, &syncjob.ConfigureOptions{Reason: h.text("reason of a change")},
		func(c *handlers.Configuration) error {
			c.Set.MaxRunning = 4
			c.Set.Params = map[string]any{h.text("parameter"): Huge}
			return nil
		})
	require.NoError(t, err)
	_, err = semaphore.New(h.M.Store()).
		TryAcquire(ctx, h.visible("semaphore"), &semaphore.Options{Holder: h.visible("holder")})
	require.NoError(t, err)
	return h
}
