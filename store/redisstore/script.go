package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// run executes a script. Only the methods of Store named after them execute scripts.
func (s *Store) run(ctx context.Context, sc *script.Script, c *script.Call) ([]rueidis.RedisMessage, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	reply, err := sc.Exec(ctx, s.client, c)
	if err != nil {
		return nil, s.translate(ctx, sc.Name(), err)
	}
	return reply, nil
}

// word runs a script whose reply begins with a word and passes that on with the rest.
func (s *Store) word(ctx context.Context, sc *script.Script, c *script.Call) (string, []rueidis.RedisMessage, error) {
	reply, err := s.run(ctx, sc, c)
	if err != nil {
		return "", nil, err
	}
	if len(reply) == 0 {
		return "", nil, fmt.Errorf("%w: empty reply to %s", store.ErrCorrupt, sc.Name())
	}
	return script.Text(reply[0]), reply[1:], nil
}

// unexpected is the error for a word that the script never says.
func unexpected(sc *script.Script, word string) error {
	return fmt.Errorf("%w: %s answered %q", store.ErrCorrupt, sc.Name(), word)
}
