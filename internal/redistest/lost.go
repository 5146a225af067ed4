package redistest

import (
	"context"
	"fmt"
	"time"
)

// Snapshot writes what the server holds at this moment to its disk. A server without an
// append-only file goes back to its last snapshot when it is killed and restarted: whatever it
// acknowledged since is lost. Without a snapshot it loses everything.
func (s *Server) Snapshot(ctx context.Context) error {
	if err := s.Do(ctx, "SAVE"); err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	return nil
}

// Revert kills the server and starts it again from its last [Server.Snapshot], with the same
// address. Clients lose their connections, and what was acknowledged since the snapshot.
func (s *Server) Revert() {
	s.tb.Helper()
	s.Kill()
	s.Restart()
}

// noPassword is what a cut-off replica shows to a master that wants none, which refuses it.
const noPassword = "cut-off"

// CutReplication stops the stream from the master to its replica, and returns when the replica
// has noticed. What the master acknowledges from then on is lost by [Sentinel.LoseMaster]. Until
// that is called the sentinel promotes nobody.
func (s *Sentinel) CutReplication(ctx context.Context) error {
	patient := fmt.Sprint((10 * time.Minute).Milliseconds()) // also allows so long an outage of the link
	if err := s.Watcher.Do(ctx, "SENTINEL", "SET", MasterSet, "down-after-milliseconds", patient); err != nil {
		return fmt.Errorf("make the sentinel wait: %w", err)
	}
	if err := s.Replica.Do(ctx, "CONFIG", "SET", "masterauth", noPassword); err != nil {
		return fmt.Errorf("keep the replica out: %w", err)
	}
	if err := s.Master.Do(ctx, "CLIENT", "KILL", "TYPE", "replica"); err != nil {
		return fmt.Errorf("cut the replica off: %w", err)
	}
	return eventually(ctx, func(ctx context.Context) error {
		info, err := s.Replica.replication(ctx)
		if err != nil {
			return notYet(err)
		}
		if info["master_link_status"] != "down" {
			return notYet(fmt.Errorf("replication: %v", info))
		}
		return nil
	})
}

// LoseMaster kills the master, has the sentinel promote the replica, and returns when that serves
// as master. After [Sentinel.CutReplication] the new master lacks what the old one acknowledged
// since. Clients that ask the sentinel find the new one.
func (s *Sentinel) LoseMaster(ctx context.Context) error {
	s.Master.Kill()
	if err := s.Watcher.Do(ctx, "SENTINEL", "FAILOVER", MasterSet); err != nil {
		return fmt.Errorf("ask for a failover: %w", err)
	}
	return s.AwaitPromotion(ctx)
}
