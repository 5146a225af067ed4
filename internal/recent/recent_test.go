package recent_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/recent"
)

func fail() int { panic("made anew") }

func TestWhatIsUsedStaysAndTheRestIsBounded(t *testing.T) {
	m := recent.New[int, int](4)
	m.Put(0, 100)
	for i := 1; i < 1000; i++ {
		m.Put(i, i)
		v, ok := m.Find(0)
		require.True(t, ok, "it was found each time, after %d others", i)
		require.Equal(t, 100, v)
	}
	kept := 0
	for i := range 1000 {
		if _, ok := m.Find(i); ok {
			kept++
		}
	}
	require.LessOrEqual(t, kept, 8)
	require.GreaterOrEqual(t, kept, 4)
}

func TestAnEntryIsMadeOnceReplacedAndForgotten(t *testing.T) {
	m := recent.New[string, int](2)
	v, found := m.FindOr("a", func() int { return 1 })
	require.False(t, found)
	require.Equal(t, 1, v)
	v, found = m.FindOr("a", fail)
	require.True(t, found)
	require.Equal(t, 1, v)
	m.Put("b", 1)
	m.Put("c", 1) // a is of the older generation now
	m.Put("a", 4)
	m.Forget("a")
	_, found = m.Find("a")
	require.False(t, found, "in neither generation")
}

func TestConcurrentCallersMakeOneEntry(t *testing.T) {
	m := recent.New[int, int](1)
	made := 0
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			m.FindOr(1, func() int { made++; return made })
		})
	}
	group.Wait()
	require.Equal(t, 1, made)
}
