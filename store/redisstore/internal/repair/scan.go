package repair

import (
	"context"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store/redisstore/internal/prompt"
)

// scan lists all keys of the partition, without the prefix, and their types. On a cluster it asks
// only the server of the partition, because others may be down. If the slot moves away during a
// scan, keys are missing. Then the scan fails, and may be repeated.
func (r *repair) scan(ctx context.Context) (names, types []string, err error) {
	type found struct {
		names, types []string
		err          error
	}
	all, answered := prompt.Await(ctx, r.server.Client, func() (all found) {
		all.err = r.server.Client.Dedicated(func(owner rueidis.DedicatedClient) error {
			for cursor := uint64(0); ; {
				page, err := r.page(ctx, owner, cursor)
				if err != nil {
					return err
				}
				names, types, err := r.types(ctx, page.Elements)
				if err != nil {
					return err
				}
				all.names, all.types = append(all.names, names...), append(all.types, types...)
				if cursor = page.Cursor; cursor == 0 {
					return nil
				}
			}
		})
		return all
	})
	if !answered {
		return nil, nil, r.server.Translate(ctx, "look through the keys", prompt.Gone(ctx).Error())
	}
	return all.names, all.types, all.err
}

func (r *repair) page(ctx context.Context, owner rueidis.DedicatedClient, cursor uint64) (rueidis.ScanEntry, error) {
	replies := owner.DoMulti(ctx,
		owner.B().Scan().Cursor(cursor).Match(globQuoter.Replace(r.k.Prefix)+"*").Count(1000).Build(),
		owner.B().Exists().Key(r.k.Absent()).Build(), // refused unless the whole slot is there
	)
	page, err := replies[0].AsScanEntry()
	if err == nil {
		err = replies[1].Error()
	}
	if err != nil {
		return page, r.server.Translate(ctx, "look through the keys", err)
	}
	return page, nil
}

// types returns the names of keys, without the prefix, and their types.
func (r *repair) types(ctx context.Context, keys []string) (names, types []string, err error) {
	cmds := make(rueidis.Commands, 0, len(keys))
	for _, key := range keys {
		names = append(names, strings.TrimPrefix(key, r.k.Prefix))
		cmds = append(cmds, r.server.Client.B().Type().Key(key).Build())
	}
	for _, reply := range r.server.Client.DoMulti(ctx, cmds...) {
		kind, err := reply.ToString()
		if err != nil {
			return nil, nil, r.server.Translate(ctx, "look through the keys", err)
		}
		types = append(types, kind)
	}
	return names, types, nil
}

// globQuoter quotes the special characters of a pattern.
var globQuoter = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// strays finds entries of the index to which no key belongs. An entry is read after the keys were,
// so its record may have been made since: the script looks again.
func (r *repair) strays(ctx context.Context, c *census, names []string) error {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		seen[r.k.Prefix+name] = !c.isWrong(name)
	}
	for cursor := uint64(0); ; {
		page, err := r.server.Client.Do(
			ctx, r.server.Client.B().Zscan().Key(r.k.Index).Cursor(cursor).Count(1000).Build(),
		).AsScanEntry()
		if err = r.server.Translate(ctx, "look through the index", err); err != nil {
			if isCorrupt(err) {
				return nil
			}
			return err
		}
		for i := 0; i+1 < len(page.Elements); i += 2 { // an entry and its score
			if entry := page.Elements[i]; !seen[r.k.Indexed(entry)] {
				c.strays = append(c.strays, entry)
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}
