package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
)

// One run at a time changes a destination
//
// The pre-job hook of a run claims the destination: it writes the name of its run into a field of a
// map. Another run is refused until the one that is written there has ended. So the claim needs no
// lease, and nobody has to renew it: it lasts as long as its run. The post-job hook removes it. If
// a run ended without that hook, the next run sees in its state that it ended.

// claimsName is the name of the map, which belongs to the namespace.
const claimsName = "destinations"

// claim says which run changes a destination.
type claim struct {
	Job string `json:"job"`
	Run int64  `json:"run"`
}

func claims(m *syncjob.Manager) *values.Map[claim] {
	return values.NewMap[claim](m.Values(), store.NamespaceScope(0), claimsName)
}

// claimField is the field of a destination. Paths of one directory by several links are one.
func (t *tree) claimField() (string, error) {
	path, err := resolve(t.dst)
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:16]), err
}

// claim claims the destination for a run.
func (t *tree) claim(ctx context.Context, id store.RunID) error {
	m, ok := syncjob.FromContext(ctx)
	if !ok || t.changesNothing() {
		return nil
	}
	field, err := t.claimField()
	if err != nil {
		return err
	}
	mine := claim{Job: id.Job, Run: id.Number}
	for {
		holder, held, err := claims(m).Get(ctx, field)
		if err != nil || held && holder == mine { // an earlier attempt of the hook
			return err
		}
		var old *claim
		if held {
			old = &holder
			s, err := m.Run(holder.Job, holder.Run).State(ctx)
			switch {
			case errors.Is(err, syncjob.ErrRunNotFound), errors.Is(err, syncjob.ErrJobNotFound):
			case err != nil:
				return err
			case !s.Status.Final():
				return handlers.Permanent(fmt.Errorf(
					"the destination %s is being changed by run %d of the job %s", t.dst, holder.Run, holder.Job,
				))
			}
		}
		if swapped, err := claims(m).CompareAndSet(ctx, field, old, mine); err != nil || swapped {
			return err
		}
	}
}

// release removes the claim of a run at its end. Nobody takes it over meanwhile: the run has not
// ended.
func (t *tree) release(ctx context.Context, m *syncjob.Manager, id store.RunID) error {
	field, err := t.claimField()
	if err != nil {
		return err
	}
	holder, _, err := claims(m).Get(ctx, field)
	if err != nil || holder != (claim{Job: id.Job, Run: id.Number}) {
		return err
	}
	return claims(m).Remove(ctx, field)
}
