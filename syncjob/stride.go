package syncjob

import "slices"

// strider orders claimants so that what each has received is in proportion to its
// weight: the one with the least received per weight comes first (stride scheduling).
// It is not safe for concurrent use.
type strider struct {
	strict bool // keep the order as configured
	claims []claim
}

type claim struct {
	index  int // position as configured
	weight float64
	pass   float64 // received / weight
}

func newStrider(weights []float64, strict bool) *strider {
	s := &strider{strict: strict}
	for i, w := range weights {
		s.claims = append(s.claims, claim{index: i, weight: w})
	}
	return s
}

// order appends the indexes of the claimants, the most entitled first.
func (s *strider) order(to []int) []int {
	if !s.strict {
		slices.SortStableFunc(s.claims, func(a, b claim) int {
			switch {
			case a.pass < b.pass:
				return -1
			case a.pass > b.pass:
				return 1
			}
			return a.index - b.index
		})
	}
	for _, c := range s.claims {
		to = append(to, c.index)
	}
	return to
}

// received charges what each claimant got when all were asked, by index. A claimant
// that had nothing to give is lifted to the lowest that had: it gains no right to a
// burst from the time in which it was idle.
func (s *strider) received(got []int) {
	floor, found := 0.0, false
	for i := range s.claims {
		c := &s.claims[i]
		if got[c.index] == 0 {
			continue
		}
		if !found || c.pass < floor {
			floor, found = c.pass, true
		}
		c.pass += float64(got[c.index]) / c.weight
	}
	for i := range s.claims {
		c := &s.claims[i]
		if got[c.index] == 0 {
			c.pass = max(c.pass, floor)
		}
	}
}
