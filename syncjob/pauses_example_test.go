package syncjob_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rollcall-go/rollcall/syncjob"
)

func ExampleManager_Pause() {
	ctx := syncjob.WithActor(context.Background(), "ann")
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	slow := syncjob.Scope{Queue: "slow"}
	fmt.Println(m.Pause(ctx, slow, "the disk is full"))
	paused, err := m.Pauses(ctx)
	for _, p := range paused {
		fmt.Printf("%s is paused by %s: %s\n", p.Scope, p.By, p.Reason)
	}
	fmt.Println(err, m.Resume(ctx, slow))
	// Output:
	// <nil>
	// queue slow is paused by ann: the disk is full
	// <nil> <nil>
}

func ExampleManager_Pauses() {
	ctx := syncjob.WithActor(context.Background(), "ann")
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	for _, scope := range []syncjob.Scope{{Set: "images", Kind: "resize"}, {Queue: "slow"}, {Queue: "slow", Set: "images"}} {
		if err := m.Pause(ctx, scope, "maintenance"); err != nil {
			log.Fatal(err)
		}
	}
	paused, err := m.Pauses(ctx)
	for _, p := range paused {
		fmt.Println(p.Scope)
	}
	fmt.Println(err)
	// Output:
	// kind resize of set images
	// queue slow
	// set images on queue slow
	// <nil>
}
