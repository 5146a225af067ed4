package histogram_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store/histogram"
)

// of counts durations one by one.
func of(durations ...time.Duration) histogram.Histogram {
	var c histogram.Counts
	for _, d := range durations {
		c[histogram.Index(d)]++
	}
	return c.Histogram()
}

func TestEachDurationLiesInItsBucket(t *testing.T) {
	before := time.Duration(0)
	for i := range histogram.Size {
		b := histogram.Of(i, 1)
		require.Equal(t, before, b.From, "it begins where the one before ends")
		require.Equal(t, i, histogram.Index(b.From))
		require.Equal(t, i, histogram.Index(b.Before-1))
		if i > 1 && i < histogram.Size-1 {
			require.InEpsilon(t, math.Sqrt2, float64(b.Before)/float64(b.From), 1e-6)
		}
		before = b.Before
	}
	require.Equal(t, time.Duration(math.MaxInt64), before)
	require.Equal(t, 0, histogram.Index(-time.Hour))
	require.Equal(t, time.Millisecond, histogram.Of(1, 0).From)
	require.Equal(t, time.Millisecond<<27, histogram.Of(histogram.Size-1, 0).From)
}

// TestAQuantileIsAtMost19PercentOff compares quantiles with those of the durations themselves.
func TestAQuantileIsAtMost19PercentOff(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	worst := 0.0
	for range 300 {
		all := make([]time.Duration, 1+rnd.IntN(500))
		middle, spread := 12*rnd.Float64(), 3*rnd.Float64()
		for i := range all {
			ms := math.Exp(max(0, middle+spread*rnd.NormFloat64()))
			all[i] = min(time.Duration(ms*float64(time.Millisecond)), 37*time.Hour)
		}
		h := of(all...)
		require.EqualValues(t, len(all), h.Count())
		slices.Sort(all)
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
			exact := float64(all[max(0, int(math.Ceil(q*float64(len(all))))-1)])
			worst = max(worst, math.Abs(float64(h.Quantile(q))-exact)/exact)
		}
	}
	t.Logf("at most %.1f %% off", 100*worst)
	require.Less(t, worst, 0.19)
}

func TestQuantilesAtTheEnds(t *testing.T) {
	require.Zero(t, histogram.Histogram(nil).Quantile(0.5))
	require.Zero(t, histogram.Histogram(nil).Count())
	short := of(0, time.Microsecond, 999*time.Microsecond)
	require.Equal(t, 500*time.Microsecond, short.Quantile(1))
	long := of(time.Millisecond, 1000*time.Hour)
	require.Equal(t, time.Millisecond<<27, long.Quantile(1))
	require.Less(t, long.Quantile(0.5), 2*time.Millisecond)
	require.Equal(t, long.Quantile(1), long.Quantile(7), "more than all is all")
	require.Equal(t, long.Quantile(0), long.Quantile(-1), "less than none is none")
}

func TestASumHasWhatBothHave(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var all [2][]time.Duration
		for i := range all {
			for range rnd.IntN(6) {
				all[i] = append(all[i], time.Duration(1+rnd.IntN(9))*time.Millisecond)
			}
		}
		a, b := of(all[0]...), of(all[1]...)
		copies := [2]histogram.Histogram{slices.Clone(a), slices.Clone(b)}
		sum := a.Plus(b)
		require.Equal(t, of(slices.Concat(all[0], all[1])...), sum)
		require.NoError(t, sum.Validate())
		for i := range sum {
			sum[i].Count = -1 // it is a copy
		}
		require.Equal(t, copies[0], a)
		require.Equal(t, copies[1], b)
	}
}

func TestABadHistogramIsRefused(t *testing.T) {
	good := of(time.Millisecond, time.Second, 1000*time.Hour)
	require.NoError(t, good.Validate())
	require.NoError(t, histogram.Histogram(nil).Validate())
	for name, spoil := range map[string]func(h histogram.Histogram){
		"from":   func(h histogram.Histogram) { h[1].From++ },
		"before": func(h histogram.Histogram) { h[1].Before++ },
		"empty":  func(h histogram.Histogram) { h[1].Count = 0 },
		"fewer":  func(h histogram.Histogram) { h[2].Count = -1 },
		"many":   func(h histogram.Histogram) { h[2].Count = math.MaxInt64 },
		"twice":  func(h histogram.Histogram) { h[1] = h[0] },
		"order":  func(h histogram.Histogram) { slices.Reverse(h) },
		"below":  func(h histogram.Histogram) { h[0].From = -1 },
	} {
		h := slices.Clone(good)
		spoil(h)
		require.Error(t, h.Validate(), name)
	}
}
