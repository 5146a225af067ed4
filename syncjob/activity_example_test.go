package syncjob_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func ExampleManager_Activity() {
	ctx := context.Background()
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	all, err := m.Activity(ctx, &syncjob.ActivityOptions{
		Queue: "mail", From: time.Now().Add(-3 * time.Hour), Step: 5 * time.Minute,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range all {
		var sum states.ActivityPoint
		for _, p := range s.Points {
			fmt.Println(s.Kind, p.At, p.Succeeded, "tasks succeeded in five minutes")
			sum.Add(p)
		}
		fmt.Println(s.Kind, "waited", sum.Wait.Quantile(0.99), "or less, but for one task of 100")
		fmt.Println(s.Kind, "ran for", sum.Run.Quantile(0.5), "or less in half of", sum.Run.Count(), "attempts")
	}
	fmt.Println(len(all), "kinds did anything")
	// Output:
	// 0 kinds did anything
}
