// Configure shows the attributes of handler sets and their kinds, and changes them while workers
// run. It needs only the namespace, not the handlers, because workers publish their sets.
//
//	configure -store redis://localhost:6379                               lists every set
//	configure … -set post -kind mail -timeout 30s -retries 8 -why "slow today"
//	configure … -set post -kind mail -params '{"from":"a@example.org"}'
//	configure … -set post -history                                        who, when, why
//	configure … -set post -reset
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
)

func main() {
	store := flag.String("store", "redis://localhost:6379", "where the jobs live")
	set := flag.String("set", "", "handler `set` (default: list all)")
	kind := flag.String("kind", "", "`kind` of the set (default: the set itself)")
	timeout := flag.Duration("timeout", 0, "of an attempt")
	retries := flag.Int("retries", 0, "`number` of retries; -1 means none")
	params := flag.String("params", "", "parameters of the handlers, as `JSON`")
	why := flag.String("why", "", "for the history")
	reset := flag.Bool("reset", false, "go back to the values in code")
	history := flag.Bool("history", false, "list the last changes")
	flag.Parse()
	ctx := context.Background()
	m := must(syncjob.Open(ctx, *store, syncjob.Config{}))
	defer m.Close()
	switch opts := (&syncjob.ConfigureOptions{Reason: *why}); {
	case *set == "":
	case *history:
		for _, c := range must(m.History(ctx, *set, nil)) {
			fmt.Printf(
				"%d  %s  %s: %s\n", c.Version, c.At.Format(time.DateTime), syncjob.Printable(c.By),
				syncjob.Printable(c.Reason),
			)
		}
	case *reset:
		must(true, m.ResetConfiguration(ctx, *set, opts))
	default:
		must(m.Configure(ctx, *set, opts, func(c *syncjob.Configuration) error {
			a := &c.Set
			if *kind != "" {
				a = c.Kind(*kind)
			}
			if *timeout != 0 {
				a.Timeout = *timeout
			}
			if *retries != 0 {
				a.MaxRetries = *retries
			}
			if *params != "" {
				a.Params = json.RawMessage(*params)
			}
			return nil
		}))
	}
	for _, s := range must(m.Sets(ctx)) {
		is := must(m.Configuration(ctx, s.Name, nil))
		for _, k := range s.Kinds {
			a := must(s.Effective(k.Name, is.Configuration))
			fmt.Printf("%s/%s: queue %s, timeout %v, %d retries", s.Name, k.Name, a.Queue, a.Timeout, a.MaxRetries)
			if a.Params != nil {
				fmt.Printf(", params %s", syncjob.Printable(fmt.Sprintf("%s", a.Params)))
			}
			fmt.Println()
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(syncjob.Printable(err.Error()))
	}
	return v
}
