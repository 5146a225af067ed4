package redisstore_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
)

// wrong has every key that may be damaged be of another type, and returns those that no key of
// their kind may be of. A value may be a hash, or a list.
func (s *wreck) wrong(kind string) (wrong []string) {
	s.Helper()
	for _, name := range s.badKeys() {
		value := strings.HasPrefix(name, "value:") && (kind == "hash" || kind == "list")
		if s.typeOf(name) != kind && !value {
			wrong = append(wrong, name)
		}
		s.overwrite(name, kind)
	}
	return wrong
}

// removed lists the keys that a report says are of a wrong type.
func removed(report store.RepairReport) (all []string) {
	for _, d := range report.Damage {
		if name, ok := strings.CutPrefix(d.What, "key "); ok && d.Type == store.DamageRecord {
			all = append(all, name)
		}
	}
	return all
}

func TestARepairRemovesEveryKeyOfAWrongTypeAndNamesIt(t *testing.T) {
	for _, kind := range slices.Sorted(maps.Keys(typesOfKeys)) {
		t.Run(kind, func(t *testing.T) {
			s := newWreck(t)
			wrong := s.wrong(kind)
			require.NotEmpty(t, wrong)
			found, err := s.Repair(t.Context(), store.RepairParams{Job: "good", DryRun: true})
			require.NoError(t, err)
			require.ElementsMatch(t, wrong, removed(found))
			mended, err := s.Repair(t.Context(), store.RepairParams{Job: "good"})
			require.NoError(t, err)
			require.ElementsMatch(t, wrong, removed(mended))
			for _, name := range wrong {
				require.NotEqual(t, kind, s.typeOf(name), "%s is as it was", name)
			}
			again, err := s.Repair(t.Context(), store.RepairParams{Job: "good"})
			require.NoError(t, err)
			require.Empty(t, removed(again))
		})
	}
}
