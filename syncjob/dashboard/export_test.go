package dashboard

import "time"

// SetStepTime sets how long a request works on many jobs, until the returned function is called.
func SetStepTime(d time.Duration) (reset func()) {
	was := stepTime
	stepTime = d
	return func() { stepTime = was }
}
