package main

import (
	"context"
	_ "embed"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// The floor is the least that exact, fenced batch accounting costs: three
// scripts driven straight through the client, by one producer and one worker
// that keeps one fetch and one settlement in flight, and runs handlers in line.

//go:embed lua/enqueue.lua
var floorEnqueue string

//go:embed lua/fetch.lua
var floorFetch string

//go:embed lua/settle.lua
var floorSettle string

const floorBatch = 256

type floor struct {
	client        rueidis.Client
	enqueueScript *rueidis.Lua
	fetchScript   *rueidis.Lua
	settleScript  *rueidis.Lua
	settled       atomic.Int64
}

func openFloor(_ context.Context, url string) (peer, error) {
	client, err := newClient(url)
	if err != nil {
		return nil, err
	}
	return &floor{
		client:        client,
		enqueueScript: rueidis.NewLuaScript(floorEnqueue),
		fetchScript:   rueidis.NewLuaScript(floorFetch),
		settleScript:  rueidis.NewLuaScript(floorSettle),
	}, nil
}

func (f *floor) close() { f.client.Close() }

func (f *floor) push(ctx context.Context, messages []string) error {
	return f.enqueueScript.Exec(ctx, f.client, []string{"{b}:W", "{b}:R"}, messages).Error()
}

func (f *floor) enqueue(ctx context.Context, payload []byte, delay time.Duration) error {
	if delay > 0 {
		return errUnsupported
	}
	return f.push(ctx, []string{string(payload)})
}

func (f *floor) fill(ctx context.Context, n int) error {
	batch := make([]string, 0, floorBatch)
	for i := range n {
		if batch = append(batch, string(payload(i))); len(batch) == floorBatch || i == n-1 {
			if err := f.push(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return nil
}

// fetched is one reply to a fetch.
type fetched struct {
	number   string
	messages []rueidis.RedisMessage
}

func (f *floor) work(ctx context.Context, _ int, handle func([]byte)) (func() error, error) {
	ctx, cancel := context.WithCancel(ctx)
	batches := make(chan fetched, 1)
	failed := make(chan error, 2)
	go func() {
		defer close(batches)
		failed <- f.fetch(ctx, batches)
	}()
	go func() { failed <- f.settle(ctx, batches, handle) }()
	return func() error {
		cancel()
		for range 2 {
			if err := <-failed; err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func (f *floor) fetch(ctx context.Context, batches chan<- fetched) error {
	for number := 1; ctx.Err() == nil; number++ {
		at := strconv.Itoa(number)
		messages, err := f.fetchScript.Exec(context.WithoutCancel(ctx), f.client,
			[]string{"{b}:W", "{b}:R", "{b}:L"}, []string{at, strconv.Itoa(floorBatch)}).ToArray()
		if err != nil {
			return err
		}
		if len(messages) > 0 {
			batches <- fetched{at, messages}
			continue
		}
		time.Sleep(100 * time.Microsecond)
	}
	return nil
}

func (f *floor) settle(ctx context.Context, batches <-chan fetched, handle func([]byte)) error {
	for b := range batches {
		fields := make([]string, len(b.messages))
		for i := range fields {
			message, err := b.messages[i].ToString()
			if err != nil {
				return err
			}
			handle([]byte(message))
			fields[i] = b.number + "." + strconv.Itoa(i+1)
		}
		got, err := f.settleScript.Exec(context.WithoutCancel(ctx), f.client, []string{"{b}:R", "{b}:L"}, fields).
			AsInt64()
		if err != nil {
			return err
		}
		f.settled.Add(got)
	}
	return nil
}

func (f *floor) drained(ctx context.Context, n int) error {
	return poll(ctx, func() (bool, error) { return f.settled.Load() >= int64(n), nil })
}
