package redisstore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// SetMode implements [store.Modes].
func (s *Store) SetMode(ctx context.Context, partition int, m store.Mode) error {
	k := s.spaces[partition]
	word, _, err := s.server.Word(ctx, script.SetMode, script.NewCall(k.Meta).Add(k.Channel, string(m)))
	if err == nil && word != "ok" {
		err = script.Unexpected(script.SetMode, word)
	}
	return err
}

// Mode implements [store.Modes].
func (s *Store) Mode(ctx context.Context, partition int) (store.Mode, error) {
	if err := s.server.Begin(ctx); err != nil {
		return "", err
	}
	k := s.spaces[partition]
	v, err := s.client.Do(ctx, s.client.B().Hget().Key(k.Meta).Field("mode").Build()).ToString()
	if isNil(err) {
		return store.ModeReadWrite, nil
	}
	if err != nil {
		// A hash of a wrong type is taken for empty, as scripts take it.
		return store.ModeReadWrite, script.Empty(s.server.Translate(ctx, "read the mode", err))
	}
	return store.Mode(v), nil
}
