package syncjob

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/damage"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// ailing finds damage in every run.
type ailing struct {
	store.Store
	asked store.RepairParams
}

func (s *ailing) Repair(_ context.Context, p store.RepairParams) (store.RepairReport, error) {
	s.asked = p
	return store.RepairReport{
		Damage: []store.Damage{{Type: damage.Counts, Run: 7, What: "counters", Detail: "pending says 2, is 1", Mended: !p.DryRun}},
		Moving: []store.RunID{{Job: p.Job, Number: 8}},
	}, nil
}

func TestRepairTellsWhatItFoundAndMended(t *testing.T) {
	s := &ailing{Store: memstore.New(nil)}
	m, err := New(s, Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	report, err := m.Repair(t.Context(), "job", &RepairOptions{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, store.RepairParams{Job: "job", DryRun: true}, s.asked)
	require.False(t, report.Sound())
	require.Equal(
		t,
		"found counts: counters of run 7: pending says 2, is 1\nrun 8 changes all the time: pause it, and repeat\n",
		report.String(),
	)
	report, err = m.Run("job", 7).Repair(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, store.RepairParams{Job: "job", Run: 7}, s.asked)
	require.Contains(t, report.String(), "mended counts: counters of run 7")
	_, err = m.Repair(t.Context(), "", nil)
	require.ErrorIs(t, err, ErrInvalid)
}

func TestAMissingRunIsNeverSound(t *testing.T) {
	m, err := New(memstore.New(nil), Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	_, err = m.Repair(t.Context(), "job", nil)
	require.ErrorIs(t, err, ErrJobNotFound)
	r := m.known(store.RunID{Job: "job", Number: 1}, "set")
	_, err = r.Repair(t.Context(), nil)
	require.ErrorIs(t, err, ErrStateLost)
	_, err = r.Explain(t.Context())
	require.ErrorIs(t, err, ErrStateLost)
	require.Equal(t, "nothing is damaged\n", states.RepairReport{}.String())
}
