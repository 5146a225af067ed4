package dashboard_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
)

func TestEventsSayWhatHasChanged(t *testing.T) {
	p := newPlace(t, open)
	res := p.do(http.MethodGet, p.url+"events", nil, nil)
	defer res.Body.Close()
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	lines := bufio.NewScanner(res.Body)
	next := func() (topics []syncjob.Topic) {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				require.NoError(t, json.Unmarshal([]byte(data), &topics))
				require.NotEmpty(t, topics, "an event says something")
				return topics
			}
		}
		require.NoError(t, lines.Err())
		t.Fatal("the stream has ended")
		return nil
	}
	require.Equal(t, []syncjob.Topic{{Type: syncjob.TopicResync}}, next())
	// The first job may fall together with a resync, which says it as well.
	for i, seen := 0, false; !seen; i++ {
		p.Started("job/"+strconv.Itoa(i), leaf{})
		for _, topic := range next() {
			seen = seen || topic.Type == syncjob.TopicJob && strings.HasPrefix(topic.Job, "job/")
		}
	}
	require.NoError(t, p.M.Close())
	for lines.Scan() {
		continue // what was left
	}
	require.NoError(t, lines.Err(), "the stream ends with the manager")
}

// recorder takes an answer and remembers when its parts were flushed.
type recorder struct {
	*httptest.ResponseRecorder
	at []time.Time
}

func (r *recorder) FlushError() error {
	r.at = append(r.at, time.Now())
	return nil
}

func TestEventsComeAtMostTwiceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := syncjob.New(memstore.New(nil), syncjob.Config{})
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		d := dashboard.New(m, dashboard.Options{})
		ctx, leave := context.WithCancel(t.Context())
		w := &recorder{ResponseRecorder: httptest.NewRecorder()}
		done := make(chan struct{})
		go func() {
			d.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/events", http.NoBody))
			close(done)
		}()
		begin := time.Now()
		for i := range 1000 {
			_, err := m.Start(t.Context(), syncjob.Job{Name: "job/" + time.Duration(i).String(), Set: "tree", Open: true}, nil)
			require.NoError(t, err)
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		require.LessOrEqual(t, len(w.at), int(time.Since(begin)/(500*time.Millisecond))+1)
		require.Greater(t, len(w.at), 10)
		require.NotContains(t, w.Body.String(), "data: null")
		leave()
		<-done
		begin = time.Now()
		w = &recorder{ResponseRecorder: httptest.NewRecorder()}
		d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/events", http.NoBody))
		require.LessOrEqual(t, time.Since(begin), 2*time.Minute, "a stream ends by itself, so that a server can shut down")
		require.Contains(t, w.Body.String(), ": still here", "a quiet stream is kept alive")
	})
}
