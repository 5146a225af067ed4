package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// replicate makes each replica follow its master.
func (c *Cluster) replicate(ctx context.Context) error {
	for i, replica := range c.Replicas {
		id, err := c.Nodes[i].word(ctx, "CLUSTER", "MYID")
		if err != nil {
			return err
		}
		if err := replica.Do(ctx, "CLUSTER", "REPLICATE", id); err != nil {
			return err
		}
	}
	for _, replica := range c.Replicas {
		if err := replica.awaitLink(ctx); err != nil {
			return err
		}
	}
	return nil
}

// awaitLink returns when the server is a replica in step with its master.
func (s *Server) awaitLink(ctx context.Context) error {
	return eventually(ctx, func(ctx context.Context) error {
		info, err := s.replication(ctx)
		if err != nil {
			return notYet(err)
		}
		if info["role"] != "slave" || info["master_link_status"] != "up" {
			return notYet(fmt.Errorf("replication: %v", info))
		}
		return nil
	})
}

// Owner is the server that serves the key now; an error if none does.
func (c *Cluster) Owner(ctx context.Context, key string) (*Server, error) {
	var errs []error
	for _, s := range c.all() {
		err := s.Do(ctx, "EXISTS", key)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// Masters are the servers that hold slots now.
func (c *Cluster) Masters(ctx context.Context) []*Server {
	var masters []*Server
	for _, s := range c.all() {
		if info, err := s.replication(ctx); err == nil && info["role"] == "master" {
			masters = append(masters, s)
		}
	}
	return masters
}

// MoveSlot moves the slot of the key, with all its keys, to another master, as an operator would
// while clients go on.
func (c *Cluster) MoveSlot(ctx context.Context, key string, to *Server) error {
	m, err := c.beginMove(ctx, key, to)
	if err != nil || m == nil {
		return err
	}
	return m.finish(ctx)
}

// SplitSlot is MoveSlot that stops half-way, with the key moved and all others not. finish goes on.
func (c *Cluster) SplitSlot(
	ctx context.Context, key string, to *Server,
) (finish func(context.Context) error, err error) {
	m, err := c.beginMove(ctx, key, to)
	if err != nil || m == nil {
		return nil, err
	}
	return m.finish, m.migrate(ctx, key)
}

// move is a slot that moves.
type move struct {
	cluster  *Cluster
	from, to *Server
	slot     int64
	target   string // ID of the node it moves to
}

// beginMove returns nil if there is nothing to be done.
func (c *Cluster) beginMove(ctx context.Context, key string, to *Server) (*move, error) {
	from, err := c.Owner(ctx, key)
	if err != nil || from == to {
		return nil, err
	}
	m := &move{cluster: c, from: from, to: to}
	if m.slot, err = from.Client.Do(ctx, from.Client.B().ClusterKeyslot().Key(key).Build()).AsInt64(); err != nil {
		return nil, err
	}
	source, err := from.word(ctx, "CLUSTER", "MYID")
	if err != nil {
		return nil, err
	}
	if m.target, err = to.word(ctx, "CLUSTER", "MYID"); err != nil {
		return nil, err
	}
	if err := m.set(ctx, to, "IMPORTING", source); err != nil {
		return nil, err
	}
	return m, m.set(ctx, from, "MIGRATING", m.target)
}

func (m *move) set(ctx context.Context, on *Server, state, node string) error {
	return on.Do(ctx, "CLUSTER", "SETSLOT", strconv.FormatInt(m.slot, 10), state, node)
}

func (m *move) finish(ctx context.Context) error {
	for {
		keys, err := m.from.Client.Do(ctx, m.from.Client.B().ClusterGetkeysinslot().Slot(m.slot).Count(10).Build()).
			AsStrSlice()
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			break
		}
		if err := m.migrate(ctx, keys...); err != nil {
			return err
		}
	}
	// The new owner first: were it the old one, there would be none for a moment.
	for _, s := range append([]*Server{m.to, m.from}, m.cluster.Masters(ctx)...) {
		if err := m.set(ctx, s, "NODE", m.target); err != nil {
			return err
		}
	}
	return nil
}

// migrate moves few keys.
func (m *move) migrate(ctx context.Context, keys ...string) error {
	host, port, err := net.SplitHostPort(m.to.Addr)
	if err != nil {
		return err
	}
	err = m.from.Do(ctx, append([]string{"MIGRATE", host, port, "", "0", "5000", "KEYS"}, keys...)...)
	if err != nil && !strings.HasPrefix(err.Error(), "NOKEY") {
		return err
	}
	return nil
}

// Quiesce lets nobody write to a master, and returns when its replica has everything: then
// nothing that was acknowledged is lost when the master is killed, before the time is over.
func (s *Server) Quiesce(ctx context.Context, d time.Duration) error {
	if err := s.Do(ctx, "CLIENT", "PAUSE", strconv.FormatInt(d.Milliseconds(), 10), "WRITE"); err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) error {
		info, err := s.replication(ctx)
		if err != nil {
			return err
		}
		if !strings.Contains(info["slave0"], "offset="+info["master_repl_offset"]+",") {
			return notYet(fmt.Errorf("replication: %v", info))
		}
		return nil
	})
}

// word runs a command that is answered by a string.
func (s *Server) word(ctx context.Context, words ...string) (string, error) {
	return s.Client.Do(ctx, s.Client.B().Arbitrary(words...).Build()).ToString()
}
