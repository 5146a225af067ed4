package syncjob_test

import (
	"cmp"
	"context"
	"fmt"
	"log"

	"github.com/rollcall-go/rollcall/syncjob"
)

func ExampleRun_Timeline() {
	ctx := syncjob.WithActor(context.Background(), "ann")
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	run, err := m.Start(ctx, syncjob.Job{Name: "album/7", Set: "photos", Open: true}, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := run.Pause(syncjob.WithReason(ctx, "the disk is full")); err != nil {
		log.Fatal(err)
	}
	if err := run.Stop(syncjob.WithReason(ctx, "the wrong album"), nil); err != nil {
		log.Fatal(err)
	}
	timeline, err := run.Timeline(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range timeline {
		fmt.Printf("%s by %q: %q\n", cmp.Or(string(e.Status), string(e.What)), e.By, e.Reason)
	}
	// Output:
	// created by "ann": ""
	// pause by "ann": "the disk is full"
	// stopping by "ann": "the wrong album"
	// stopped by "": ""
}
