package redisstore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/rules"
)

// Pause implements [store.Pauses].
func (s *Store) Pause(ctx context.Context, partition int, p store.Pause) error {
	line := rules.NewAuditLine(ctx, actions.Pause, store.RunID{}, p.Scope.String(), p.Reason)
	return s.setPause(ctx, partition, p.Scope, true, format.PauseNote(&p), line)
}

// Resume implements [store.Pauses].
func (s *Store) Resume(ctx context.Context, partition int, scope store.PauseScope) error {
	line := rules.NewAuditLine(ctx, actions.Resume, store.RunID{}, scope.String(), "")
	return s.setPause(ctx, partition, scope, false, "", line)
}

func (s *Store) setPause(
	ctx context.Context, partition int, scope store.PauseScope, pause bool, note string, line store.AuditLine,
) error {
	k := s.spaces[partition]
	c := script.NewCall(k.Pauses, k.Meta, k.Audit).Add(k.Channel, format.PauseField(scope))
	c.Flag(pause).Int(bounds.MaxPauses).Add(note, format.AuditLine(line))
	word, _, err := s.server.Word(ctx, script.SetPause, c)
	switch {
	case err != nil:
		return err
	case word == "full":
		return store.ErrTooManyPauses
	case word != "ok":
		return script.Unexpected(script.SetPause, word)
	}
	return nil
}

// Pauses implements [store.Pauses].
func (s *Store) Pauses(ctx context.Context, partition int) (store.PauseSet, error) {
	if err := s.server.Begin(ctx); err != nil {
		return store.PauseSet{}, err
	}
	k := s.spaces[partition]
	all, err := s.client.Do(ctx, s.client.B().Hgetall().Key(k.Pauses).Build()).AsStrMap()
	if err = script.Empty(s.server.Translate(ctx, "read what is paused", err)); err != nil {
		return store.PauseSet{}, err
	}
	return format.ParsePauses(all), nil
}
