package histogram_test

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/store/histogram"
)

func ExampleHistogram() {
	var c histogram.Counts
	for ms := range 1000 {
		c[histogram.Index(time.Duration(ms)*time.Millisecond)]++
	}
	h := c.Histogram()
	fmt.Println(h.Count(), "durations")
	fmt.Println("half took no longer than about", h.Quantile(0.5).Round(time.Millisecond))
	fmt.Println("the longest took about", h.Quantile(1).Round(time.Millisecond))
	// Output:
	// 1000 durations
	// half took no longer than about 431ms
	// the longest took about 861ms
}
