//go:build race

package syncjob_test

import "time"

// atOnce is how soon what is runnable starts. The race detector slows two processors' worth of workers.
const atOnce = 4 * time.Second
