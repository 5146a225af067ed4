package redisstore

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/rueidis"
	"github.com/sethvargo/go-retry"

	"github.com/rollcall-go/rollcall/store"
)

// Subscribe implements [store.Signals] with one pub/sub connection. What is
// published while it is down is lost, so every subscription begins with SignalSync.
func (s *Store) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	partitions := make(map[string]int, len(s.spaces))
	channels := make([]string, 0, len(s.spaces))
	for _, k := range s.spaces {
		partitions[k.channel] = k.partition
		channels = append(channels, k.channel)
	}
	listening, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	hooked := rueidis.WithOnSubscriptionHook(listening, func(sub rueidis.PubSubSubscription) {
		if p, ok := partitions[sub.Channel]; ok && sub.Kind == "subscribe" {
			fn(store.Signal{Kind: store.SignalSync, Partition: p})
		}
	})
	for wait := resubscribeBackoff(); ; {
		if err := s.begin(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		started := time.Now()
		err := s.client.Receive(hooked, s.client.B().Subscribe().Channel(channels...).Build(), func(m rueidis.PubSubMessage) {
			if signal, ok := parseSignal(m.Message); ok {
				signal.Partition = partitions[m.Channel]
				fn(signal)
			}
		})
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(started) > 10*time.Second {
			wait = resubscribeBackoff() // it had worked for a while
		}
		d, _ := wait.Next()
		s.config.Logger.LogAttrs(ctx, slog.LevelDebug, "subscription lost", slog.Any("error", err), slog.Duration("again_in", d))
		select {
		case <-listening.Done():
		case <-time.After(d):
		}
	}
}

func resubscribeBackoff() retry.Backoff {
	return retry.WithCappedDuration(time.Second, retry.WithJitterPercent(20, retry.NewExponential(20*time.Millisecond)))
}

// parseSignal reads what the scripts publish: "w:QUEUE", "r:RUN" or "d".
func parseSignal(message string) (store.Signal, bool) {
	kind, rest, _ := strings.Cut(message, ":")
	switch kind {
	case "w":
		return store.Signal{Kind: store.SignalWork, Queue: rest}, true
	case "r":
		n, err := parseInt(rest)
		return store.Signal{Kind: store.SignalRun, Run: n}, err == nil
	case "d":
		return store.Signal{Kind: store.SignalDue}, true
	}
	return store.Signal{}, false
}
