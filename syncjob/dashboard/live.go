package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/syncjob"
)

const (
	// eventGap is the shortest time between two events of a stream.
	eventGap = 500 * time.Millisecond
	// streamTime is how long a stream lasts; then the browser opens another one. So a server that
	// shuts down in order waits no longer than that for an open page.
	streamTime = time.Minute
	// silence is how long a stream says nothing at most, so that proxies keep it.
	silence = 15 * time.Second
	// maxNews is how many topics one event has. One resync replaces more.
	maxNews = 100
)

// events streams topics to a page, which then reads itself again. An event is a list of topics. All
// streams share the one subscription of the manager.
func (d *server) events(w http.ResponseWriter, r *http.Request) {
	if err := d.authorize(r, Action{Name: View}); err != nil {
		d.answer(w, nil, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), streamTime)
	defer cancel()
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Now().Add(streamTime + silence)) // a server may not support it, and need it
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	n := &news{more: make(chan struct{}, 1), over: make(chan struct{})}
	g := lifecycle.New(ctx)
	defer g.Stop(nil)
	g.Go(func(ctx context.Context) {
		defer close(n.over)
		for t, err := range d.m.Watch(ctx) {
			if err != nil {
				return
			}
			n.add(t)
		}
	})
	for {
		text := ": still here\n\n"
		select {
		case <-n.over:
			return
		case <-n.more:
			topics := n.take()
			if len(topics) == 0 {
				continue // they went with the event before
			}
			body, err := json.Marshal(topics)
			if err != nil {
				return // topics can always be encoded
			}
			text = fmt.Sprintf("data: %s\n\n", body)
		case <-time.After(silence):
		}
		if _, err := fmt.Fprint(w, text); err != nil || out.Flush() != nil {
			return // the page was left
		}
		lifecycle.Pause(ctx, eventGap)
	}
}

// news are the topics that wait for the next event of a stream.
type news struct {
	more chan struct{} // readable while there are some
	over chan struct{} // closed when no more come

	mu     sync.Mutex
	topics []syncjob.Topic
}

func (n *news) add(t syncjob.Topic) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.topics) == maxNews {
		n.topics, t = nil, syncjob.Topic{Type: syncjob.TopicResync}
	}
	n.topics = append(n.topics, t)
	lifecycle.Wake(n.more)
}

func (n *news) take() []syncjob.Topic {
	n.mu.Lock()
	defer n.mu.Unlock()
	topics := n.topics
	n.topics = nil
	return topics
}
