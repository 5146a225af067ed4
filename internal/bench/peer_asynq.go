package main

import (
	"context"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// asynqPeer is asynq with its defaults. It has one mode: tasks are leased, acknowledged one by one
// and recovered after a crash.
type asynqPeer struct {
	option asynq.RedisClientOpt
	client *asynq.Client
	redis  *redis.Client // to see when a queue is empty
}

func openAsynq(_ context.Context, url string) (peer, error) {
	parsed, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	option := asynq.RedisClientOpt{Addr: parsed.Addr}
	return &asynqPeer{option: option, client: asynq.NewClient(option), redis: redis.NewClient(parsed)}, nil
}

func (a *asynqPeer) close() {
	_ = a.client.Close()
	_ = a.redis.Close()
}

func (a *asynqPeer) enqueue(ctx context.Context, payload []byte, delay time.Duration) error {
	var opts []asynq.Option
	if delay > 0 {
		opts = append(opts, asynq.ProcessIn(delay))
	}
	_, err := a.client.EnqueueContext(ctx, asynq.NewTask("noop", payload), opts...)
	return err
}

// fill is refused: asynq has no batches.
func (a *asynqPeer) fill(context.Context, int) error { return errUnsupported }

func (a *asynqPeer) work(_ context.Context, concurrency int, handle func([]byte)) (func() error, error) {
	server := asynq.NewServer(a.option, asynq.Config{Concurrency: concurrency, LogLevel: asynq.FatalLevel})
	err := server.Start(asynq.HandlerFunc(func(_ context.Context, t *asynq.Task) error {
		handle(t.Payload())
		return nil
	}))
	return func() error { server.Shutdown(); return nil }, err
}

func (a *asynqPeer) drained(ctx context.Context, _ int) error {
	return poll(ctx, func() (bool, error) {
		for _, list := range []string{"pending", "active"} {
			n, err := a.redis.LLen(ctx, "asynq:{default}:"+list).Result()
			if n > 0 || err != nil {
				return false, err
			}
		}
		return true, nil
	})
}
