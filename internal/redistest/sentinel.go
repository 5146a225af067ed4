package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
)

// MasterSet is the name under which a [Sentinel] watches its master.
const MasterSet = "rollcall"

// Sentinel is a master, a replica of it, and a sentinel that watches both and
// promotes the replica about a second after the master is gone.
type Sentinel struct {
	Master, Replica *Server // as they began
	Watcher         *Server // the sentinel process itself
}

// StartSentinel runs the three processes until tb ends. It returns when the replica is in
// step and the sentinel knows it.
func StartSentinel(tb testing.TB) *Sentinel {
	tb.Helper()
	s := &Sentinel{Master: Start(tb, nil), Replica: Start(tb, nil)}
	ctx, cancel := context.WithTimeout(tb.Context(), readyTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(s.Master.Addr)
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.Replica.Do(ctx, "REPLICAOF", host, port); err != nil {
		tb.Fatalf("attach the replica: %v", err)
	}
	if err := s.Replica.awaitLink(ctx); err != nil {
		tb.Fatalf("wait for the replica: %v", err)
	}
	// The sentinel looks for replicas when it first meets the master and then
	// every ten seconds: it starts last, to find the replica at once.
	watcher, err := startServer(spec{
		binary: Binary(tb),
		dir:    tb.TempDir(),
		args:   []string{"--sentinel"},
		config: fmt.Sprintf("sentinel monitor %[1]s %[2]s %[3]s 1\n"+
			"sentinel down-after-milliseconds %[1]s 500\n"+
			"sentinel failover-timeout %[1]s 3000\n", MasterSet, host, port),
	})
	if err != nil {
		tb.Fatalf("start the sentinel: %v", err)
	}
	s.Watcher = watcher.own(tb)
	if err := s.awaitKnown(ctx); err != nil {
		tb.Fatalf("wait for the sentinel: %v", err)
	}
	return s
}

// URL is the address for clients that ask the sentinel for the master:
// redis://host:port?master_set=name.
func (s *Sentinel) URL() string { return s.Watcher.URL() + "?master_set=" + MasterSet }

// AwaitPromotion returns when the replica serves as master, or with an error when
// ctx ends first.
func (s *Sentinel) AwaitPromotion(ctx context.Context) error { return s.Replica.AwaitMaster(ctx) }

// AwaitMaster returns when the server serves as master, or with an error when ctx ends first.
func (s *Server) AwaitMaster(ctx context.Context) error {
	return eventually(ctx, func(ctx context.Context) error {
		info, err := s.replication(ctx)
		if err != nil {
			return notYet(err)
		}
		if info["role"] != "master" {
			return notYet(errors.New("the replica was not promoted"))
		}
		return nil
	})
}

// Failover has the sentinel promote the replica though the master is well, and returns when that
// follows it. Nothing that was acknowledged is lost: meanwhile writes wait, and are then refused
// with READONLY.
func (s *Sentinel) Failover(ctx context.Context) error {
	if err := s.Master.Quiesce(ctx, readyTimeout); err != nil {
		return err
	}
	if err := s.Watcher.Do(ctx, "SENTINEL", "FAILOVER", MasterSet); err != nil {
		return err
	}
	if err := s.AwaitPromotion(ctx); err != nil {
		return err
	}
	// The sentinel would do this, were it not made to wait itself.
	host, port, err := net.SplitHostPort(s.Replica.Addr)
	if err != nil {
		return err
	}
	if err := s.Master.Do(ctx, "REPLICAOF", host, port); err != nil {
		return err
	}
	if err := s.Master.Do(ctx, "CLIENT", "UNPAUSE"); err != nil {
		return err
	}
	return s.Master.awaitLink(ctx)
}

func (s *Sentinel) awaitKnown(ctx context.Context) error {
	return eventually(ctx, func(ctx context.Context) error {
		b := s.Watcher.Client.B()
		replicas, err := s.Watcher.Client.Do(ctx, b.SentinelReplicas().Master(MasterSet).Build()).ToArray()
		if err != nil {
			return notYet(err)
		}
		for _, reply := range replicas {
			if replica, err := reply.AsStrMap(); err == nil && replica["master-link-status"] == "ok" {
				return nil
			}
		}
		return notYet(fmt.Errorf("%d replicas, none in step", len(replicas)))
	})
}
