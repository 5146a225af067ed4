package redisstore

import (
	"context"
	"fmt"
	"strconv"

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
	return text(reply[0]), reply[1:], nil
}

// unexpected is the error for a word that the script never says.
func unexpected(sc *script.Script, word string) error {
	return fmt.Errorf("%w: %s answered %q", store.ErrCorrupt, sc.Name(), word)
}

// text reads a reply that is a string or a number.
func text(m rueidis.RedisMessage) string {
	if s, err := m.ToString(); err == nil {
		return s
	}
	if n, err := m.AsInt64(); err == nil {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// integer reads a reply that is a number, or the text of one; 0 if it is neither.
func integer(m rueidis.RedisMessage) int64 {
	n, _ := parseInt(text(m))
	return n
}

func number(m rueidis.RedisMessage) int64 {
	n, _ := m.AsInt64()
	return n
}
