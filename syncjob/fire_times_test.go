package syncjob_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/syncjob/schedule"
)

// A due time that was rounded down was due again at once, for as long as no time passed.
func TestARunThatEndsBetweenTwoMillisecondsMakesTheNextDueLaterNotAtOnce(t *testing.T) {
	for _, takes := range []time.Duration{time.Second + 1, 1500 * time.Microsecond, 2*time.Second - 1} {
		synctest.Test(t, func(t *testing.T) {
			due, _, state := calendarOf(t, 10*time.Second, takes, schedule.Schedule{
				Every: time.Second, Overlap: schedule.OverlapAfterCompletion, FireOnCreate: true,
			})
			require.GreaterOrEqual(t, len(due), 3, "%v: %+v", takes, state)
			for i := 1; i < len(due); i++ {
				require.GreaterOrEqual(t, due[i]-due[i-1], takes+time.Second)
				require.Less(t, due[i]-due[i-1], takes+2*time.Second)
			}
		})
	}
}
