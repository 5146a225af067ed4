package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
)

const (
	watermillTopic = "bench"
	watermillGroup = "bench"
)

// watermillPeer is watermill over Redis streams with its defaults, in a consumer group, so that
// messages are acknowledged and claimed after a crash. A subscriber handles one message at a time,
// so concurrency is a number of subscribers.
type watermillPeer struct {
	client    *redis.Client
	publisher *redisstream.Publisher
}

func openWatermill(_ context.Context, url string) (peer, error) {
	option, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	option.PoolSize = 256 // a blocking read occupies a connection
	client := redis.NewClient(option)
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client}, watermill.NopLogger{})
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &watermillPeer{client: client, publisher: publisher}, nil
}

func (w *watermillPeer) close() { _ = w.client.Close() }

func (w *watermillPeer) enqueue(ctx context.Context, payload []byte, delay time.Duration) error {
	if delay > 0 {
		return errUnsupported
	}
	m := message.NewMessage(watermill.NewUUID(), payload)
	m.SetContext(ctx)
	return w.publisher.Publish(watermillTopic, m)
}

// fill is refused: of several messages each is sent by itself.
func (w *watermillPeer) fill(context.Context, int) error { return errUnsupported }

func (w *watermillPeer) work(ctx context.Context, concurrency int, handle func([]byte)) (func() error, error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	stop := func() error { cancel(); wg.Wait(); return nil }
	for range concurrency {
		s, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
			Client:                        w.client,
			ConsumerGroup:                 watermillGroup,
			DisableIndefiniteInitialBlock: true, // or it cannot be stopped
		}, watermill.NopLogger{})
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		messages, err := s.Subscribe(ctx, watermillTopic)
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		wg.Go(func() {
			for m := range messages {
				handle(m.Payload)
				m.Ack()
			}
		})
	}
	return stop, nil
}

func (w *watermillPeer) drained(ctx context.Context, _ int) error {
	return poll(ctx, func() (bool, error) {
		groups, err := w.client.XInfoGroups(ctx, watermillTopic).Result()
		if err != nil || len(groups) == 0 {
			return false, err
		}
		return groups[0].Pending == 0 && groups[0].Lag == 0, nil
	})
}
