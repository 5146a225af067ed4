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
	from, err := c.Owner(ctx, key)
	if err != nil || from == to {
		return err
	}
	slot, err := from.Client.Do(ctx, from.Client.B().ClusterKeyslot().Key(key).Build()).AsInt64()
	if err != nil {
		return err
	}
	number := strconv.FormatInt(slot, 10)
	source, err := from.word(ctx, "CLUSTER", "MYID")
	if err != nil {
		return err
	}
	target, err := to.word(ctx, "CLUSTER", "MYID")
	if err != nil {
		return err
	}
	if err := to.Do(ctx, "CLUSTER", "SETSLOT", number, "IMPORTING", source); err != nil {
		return err
	}
	if err := from.Do(ctx, "CLUSTER", "SETSLOT", number, "MIGRATING", target); err != nil {
		return err
	}
	if err := migrate(ctx, from, to, slot); err != nil {
		return err
	}
	// The new owner first: were it the old one, there would be none for a moment.
	for _, s := range append([]*Server{to, from}, c.Masters(ctx)...) {
		if err := s.Do(ctx, "CLUSTER", "SETSLOT", number, "NODE", target); err != nil {
			return err
		}
	}
	return nil
}

// migrate moves every key of a slot, few at a time.
func migrate(ctx context.Context, from, to *Server, slot int64) error {
	host, port, err := net.SplitHostPort(to.Addr)
	if err != nil {
		return err
	}
	for {
		keys, err := from.Client.Do(ctx, from.Client.B().ClusterGetkeysinslot().Slot(slot).Count(10).Build()).AsStrSlice()
		if err != nil || len(keys) == 0 {
			return err
		}
		err = from.Do(ctx, append([]string{"MIGRATE", host, port, "", "0", "5000", "KEYS"}, keys...)...)
		if err != nil && !strings.HasPrefix(err.Error(), "NOKEY") {
			return err
		}
	}
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
