//go:build !race

package syncjob_test

import "time"

// atOnce is how soon what is runnable starts.
const atOnce = time.Second
