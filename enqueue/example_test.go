package enqueue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
)

type thumbnail struct {
	Image string `json:"image"`
}

func (thumbnail) Kind() string { return "thumbnail" }

func ExampleTask() {
	it := enqueue.Task(thumbnail{Image: "a.jpg"}, &enqueue.Options{ID: "a.jpg", IDFor: time.Hour})
	stored, err := enqueue.Encode(context.Background(), nil, "media", it)
	fmt.Println(stored.Route, stored.Task.ID, string(stored.Task.Payload), err)
	// Output: {default media thumbnail} a.jpg {"image":"a.jpg"} <nil>
}

func ExampleRaw() {
	it := enqueue.Raw("thumbnail", json.RawMessage(`{"image":"b.jpg"}`), &enqueue.Options{Queue: "slow", ID: "b"})
	stored, err := enqueue.Encode(context.Background(), nil, "media", it)
	fmt.Println(stored.Route, string(stored.Task.Payload), err)

	_, err = enqueue.Encode(context.Background(), nil, "media", enqueue.Raw("no such kind", nil, nil))
	fmt.Println(err)
	// Output:
	// {slow media thumbnail} {"image":"b.jpg"} <nil>
	// Kind may hold only ASCII letters, digits, '.', '_' and '-', and starts with a letter or digit
}

func ExampleNew() {
	ctx := context.Background()
	s := store.WithRetry(memstore.New(nil), nil)
	started, err := s.StartRun(ctx, store.StartParams{
		Job: "gallery", Token: "key", Set: "media", Open: true, Weight: 1, Retention: time.Hour, FailureCap: 10,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := enqueue.New(enqueue.Config{Store: s})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()

	for range 2 {
		receipt, err := e.Enqueue(ctx, started.Run, "media", enqueue.Task(thumbnail{"a.jpg"}, &enqueue.Options{ID: "a.jpg"}))
		fmt.Println(receipt.ID, receipt.Duplicate, err)
	}
	// Output:
	// a.jpg false <nil>
	// a.jpg true <nil>
}
