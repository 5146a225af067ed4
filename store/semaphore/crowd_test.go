package semaphore_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/semaphore"
)

const (
	crowdedPlaces        = 5
	processes            = 4
	takersPerProcess     = 5
	acquisitionsPerTaker = 500
)

// together runs fn for 0 to n-1 at the same moment, as far as the scheduler allows.
func together(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	errs := make([]error, n)
	start := make(chan struct{})
	group := lifecycle.New(ctx)
	for i := range n {
		group.Go(func(ctx context.Context) {
			<-start
			errs[i] = fn(ctx, i)
		})
	}
	close(start)
	group.Wait()
	return errors.Join(errs...)
}

func TestOf25TakersOf24Slots24Win(t *testing.T) {
	open := onRedis(t)
	var stores []*semaphore.Semaphores
	for range 5 {
		stores = append(stores, semaphore.New(open()))
	}
	var mu sync.Mutex
	slots, fences := map[int]bool{}, map[int64]bool{}
	refused := 0
	require.NoError(t, together(t.Context(), 25, func(ctx context.Context, i int) error {
		lease, err := stores[i%len(stores)].TryAcquire(ctx, "k", &semaphore.Options{Max: 24, Holder: "taker"})
		mu.Lock()
		defer mu.Unlock()
		if errors.Is(err, semaphore.ErrNotAcquired) {
			refused++
			return nil
		}
		if err == nil {
			slots[lease.Slot], fences[lease.Fence] = true, true
		}
		return err
	}))
	require.Len(t, slots, 24)
	require.Len(t, fences, 24)
	require.Equal(t, 1, refused)
}

// hold is a lease, from when it was granted until it was held for the last time for certain, in ms
// of the store's clock.
type hold struct{ fence, from, to int64 }

func TestTenThousandAcquisitionsOfSeveralProcessesNeverExceedMaxAndNumbersGrow(t *testing.T) {
	server, namespace := redistest.Shared(t)
	var children []*process
	for range processes {
		children = append(children, start(t, "taker", server, namespace))
	}
	var holds []hold
	for _, child := range children {
		for child.out.Scan() {
			var h hold
			_, err := fmt.Sscan(child.out.Text(), &h.fence, &h.from, &h.to)
			require.NoError(t, err, child.out.Text())
			holds = append(holds, h)
		}
		require.NoError(t, child.cmd.Wait())
	}
	require.Len(t, holds, processes*takersPerProcess*acquisitionsPerTaker)
	require.LessOrEqual(t, mostAtOnce(holds), crowdedPlaces)
	slices.SortFunc(holds, func(a, b hold) int { return cmp.Compare(a.fence, b.fence) })
	for i := 1; i < len(holds); i++ {
		require.Greater(t, holds[i].fence, holds[i-1].fence)
		require.GreaterOrEqual(t, holds[i].from, holds[i-1].from, "granted earlier with a higher number")
	}
	t.Logf("%d acquisitions by %d processes, at most %d of %d places at once", len(holds), processes, mostAtOnce(holds), crowdedPlaces)
}

// mostAtOnce is the largest number of leases that were held at one instant. A lease that ended in
// the millisecond in which another began was not held then.
func mostAtOnce(holds []hold) int {
	type change struct{ at, by int64 }
	var changes []change
	for _, h := range holds {
		changes = append(changes, change{h.from, 1}, change{h.to, -1})
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
	most, now := int64(0), int64(0)
	for _, c := range changes {
		now += c.by
		most = max(most, now)
	}
	return int(most)
}
