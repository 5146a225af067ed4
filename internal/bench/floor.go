package main

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"
)

// The floor is the least that exact, fenced batch accounting costs: three
// scripts driven straight through the client, by one producer and one worker
// that keeps one fetch and one settlement in flight.

//go:embed lua/enqueue.lua
var floorEnqueue string

//go:embed lua/fetch.lua
var floorFetch string

//go:embed lua/settle.lua
var floorSettle string

const floorBatch = 256

type floor struct {
	client                 rueidis.Client
	enqueue, fetch, settle *rueidis.Lua
}

func newFloor(_ context.Context, url string) (peer, error) {
	option, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	option.DisableCache = true
	client, err := rueidis.NewClient(option)
	if err != nil {
		return nil, err
	}
	return &floor{
		client:  client,
		enqueue: rueidis.NewLuaScript(floorEnqueue),
		fetch:   rueidis.NewLuaScript(floorFetch),
		settle:  rueidis.NewLuaScript(floorSettle),
	}, nil
}

func (f *floor) name() string { return "floor" }
func (f *floor) close()       { f.client.Close() }

func (f *floor) fill(ctx context.Context, n int) error {
	batch := make([]string, 0, floorBatch)
	for i := range n {
		if batch = append(batch, string(payload(i))); len(batch) == floorBatch || i == n-1 {
			if err := f.enqueue.Exec(ctx, f.client, []string{"{b}:W", "{b}:R"}, batch).Error(); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return nil
}

func (f *floor) drain(ctx context.Context, n, _ int) error {
	type fetched struct {
		number string
		count  int
	}
	batches := make(chan fetched, 1)
	failed := make(chan error, 1)
	go func() {
		defer close(batches)
		for number := 1; ; number++ {
			at := strconv.Itoa(number)
			messages, err := f.fetch.Exec(ctx, f.client, []string{"{b}:W", "{b}:R", "{b}:L"}, []string{at, strconv.Itoa(floorBatch)}).ToArray()
			if err != nil {
				failed <- err
				return
			}
			if len(messages) == 0 {
				return
			}
			batches <- fetched{at, len(messages)}
		}
	}()
	settled := 0
	for b := range batches {
		fields := make([]string, b.count)
		for i := range fields {
			fields[i] = b.number + "." + strconv.Itoa(i+1)
		}
		got, err := f.settle.Exec(ctx, f.client, []string{"{b}:R", "{b}:L"}, fields).AsInt64()
		if err != nil {
			return err
		}
		settled += int(got)
	}
	select {
	case err := <-failed:
		return err
	default:
	}
	if settled != n {
		return fmt.Errorf("floor settled %d of %d", settled, n)
	}
	return nil
}
