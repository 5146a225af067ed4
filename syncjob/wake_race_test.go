//go:build race

package syncjob_test

import "time"

// atOnce is how soon what is runnable starts, where the race detector makes everything slower.
const atOnce = 4 * time.Second
