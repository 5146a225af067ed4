package redisstore

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/rueidis"
	"github.com/sethvargo/go-retry"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/prompt"
	"github.com/rollcall-go/rollcall/store/signals"
)

// Subscribe implements [store.Signals] with one pub/sub connection for all calls. Messages that are
// published while it is down are lost, so every subscription begins with SignalSync.
func (s *Store) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	if err := s.server.Begin(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	sub := &subscriber{fn: fn, failed: make(chan error, 1)}
	sub.patient.Late = func(error) { s.hub.caughtUp(sub) }
	s.hub.join(s.life, sub, s.receive)
	defer s.hub.leave(sub)
	select {
	case <-ctx.Done():
		return nil
	case <-s.life.Done():
		return store.ErrClosed
	case err := <-sub.failed:
		return err
	}
}

// receive passes signals to the hub until ctx ends. When a connection breaks, it makes a new one.
func (s *Store) receive(ctx context.Context) {
	for wait := resubscribeBackoff(); ctx.Err() == nil; {
		started, connection := time.Now(), s.hub.listening()
		err, _ := prompt.Await(ctx, s.client, func() error { return s.receiveOnce(ctx, connection) })
		s.hub.down()
		if ctx.Err() != nil {
			return
		}
		if time.Since(started) > 10*time.Second {
			wait = resubscribeBackoff() // the connection had worked for a while
		}
		d, _ := wait.Next()
		s.config.Logger.LogAttrs(
			ctx, slog.LevelDebug, "subscription lost", slog.Any("error", err), slog.Duration("again_in", d),
		)
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
}

// receiveOnce subscribes on its own connection, which has a number in the hub. It returns when the
// connection breaks or ctx ends.
func (s *Store) receiveOnce(ctx context.Context, connection int) error {
	partitions := make(map[string]int, len(s.spaces))
	channels := make([]string, 0, len(s.spaces))
	for _, k := range s.spaces {
		partitions[k.Channel] = k.Partition
		channels = append(channels, k.Channel)
	}
	conn, release := s.client.Dedicate()
	defer release()
	defer conn.Close() // not unsubscribe, which would wait for a server that does not answer
	broken := conn.SetPubSubHooks(rueidis.PubSubHooks{
		OnSubscription: func(sub rueidis.PubSubSubscription) {
			if p, ok := partitions[sub.Channel]; ok && sub.Kind == "subscribe" {
				s.hub.send(connection, store.Signal{Type: signals.Sync, Partition: p})
			}
		},
		OnMessage: func(m rueidis.PubSubMessage) {
			for line := range strings.SplitSeq(m.Message, "\n") {
				if signal, ok := parseSignal(line); ok {
					signal.Partition = partitions[m.Channel]
					switch route, ok := strings.CutPrefix(line, "w:"); {
					case ok:
						s.noteWork(signal.Partition, route)
					case signal.Type == signals.Pause || signal.Type == signals.Worker:
						s.notePauses(signal.Partition)
					}
					s.hub.send(connection, signal)
				}
			}
		},
	})
	if err := conn.Do(ctx, conn.B().Subscribe().Channel(channels...).Build()).Error(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-broken:
		return err
	}
}

func resubscribeBackoff() retry.Backoff {
	return retry.WithCappedDuration(time.Second, retry.WithJitterPercent(20, retry.NewExponential(20*time.Millisecond)))
}

// parseSignal reads a message of the scripts: "w:ROUTE", "r:RUN", "p:RUN", "j:JOB", "o",
// "a:SESSION", "c", "d", "m", "l:HOLDER:LIMIT" or "s:PLACE:SEMAPHORE".
func parseSignal(message string) (store.Signal, bool) {
	kind, rest, _ := strings.Cut(message, ":")
	switch kind {
	case "w":
		queue, _, _ := strings.Cut(rest, "/")
		return store.Signal{Type: signals.Work, Queue: queue}, true
	case "r":
		n, err := format.ParseInt(rest)
		return store.Signal{Type: signals.Run, Run: n}, err == nil
	case "p":
		n, err := format.ParseInt(rest)
		return store.Signal{Type: signals.Progress, Run: n}, err == nil
	case "j":
		return store.Signal{Type: signals.Job, Job: rest}, true
	case "o":
		return store.Signal{Type: signals.Workers}, true
	case "a":
		return store.Signal{Type: signals.Worker, Session: rest}, true
	case "c":
		return store.Signal{Type: signals.Configuration}, true
	case "d":
		return store.Signal{Type: signals.Due}, true
	case "l":
		holder, limit, ok := strings.Cut(rest, ":")
		return store.Signal{Type: signals.Limit, Holder: holder, Limit: limit}, ok
	case "m":
		return store.Signal{Type: signals.Pause}, true
	case "s":
		place, key, ok := strings.Cut(rest, ":")
		n, err := format.ParseInt(place)
		return store.Signal{Type: signals.Semaphore, Semaphore: key, Place: n}, ok && err == nil
	}
	return store.Signal{}, false
}

// noteWork records for the sessions of a partition that a route has work.
func (s *Store) noteWork(partition int, route string) {
	s.eachSession(partition, func(ses *session) { ses.stock.note(route) })
}

// notePauses notes for them that something, or a worker, was paused or resumed: any route may have work.
func (s *Store) notePauses(partition int) {
	s.eachSession(partition, func(ses *session) { ses.stock.noteAll() })
}

func (s *Store) eachSession(partition int, do func(*session)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, ses := range s.sessions {
		if id.Partition == partition {
			do(ses)
		}
	}
}
