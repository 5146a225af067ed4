package redistest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/rueidis"
)

const slots = 16_384

// Cluster is a Redis Cluster. A master that is killed takes only its own slots down, until
// its replica, if it has one, is promoted.
type Cluster struct {
	// Nodes are the masters, as they began, in the order of the slots they serve. Their own
	// clients do not follow redirections.
	Nodes []*Server
	// Replicas follow the masters at their index, at first. None unless asked for.
	Replicas []*Server
	// Client talks to the whole cluster. It is closed when the test ends.
	Client rueidis.Client
}

// StartCluster runs a cluster of the given number of masters, each with an equal share of the
// slots, until tb ends. It returns when every node takes the cluster for complete.
func StartCluster(tb testing.TB, masters int) *Cluster {
	tb.Helper()
	return startCluster(tb, masters, false)
}

// StartReplicatedCluster is StartCluster with a replica for each master. It returns when they are
// in step.
func StartReplicatedCluster(tb testing.TB, masters int) *Cluster {
	tb.Helper()
	return startCluster(tb, masters, true)
}

func startCluster(tb testing.TB, masters int, replicated bool) *Cluster {
	tb.Helper()
	c := &Cluster{}
	opts := &Options{AOF: true, Args: []string{
		"--cluster-enabled", "yes",
		"--cluster-node-timeout", "2000",
		"--cluster-require-full-coverage", "no",
		"--cluster-replica-validity-factor", "0",
	}}
	for range masters {
		c.Nodes = append(c.Nodes, Start(tb, opts))
		if replicated {
			c.Replicas = append(c.Replicas, Start(tb, opts))
		}
	}
	ctx, cancel := context.WithTimeout(tb.Context(), readyTimeout)
	defer cancel()
	if err := c.form(ctx); err != nil {
		tb.Fatalf("form a cluster of %d: %v", masters, err)
	}
	if err := c.replicate(ctx); err != nil {
		tb.Fatalf("attach the replicas: %v", err)
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: c.Addrs(), DisableCache: true})
	if err != nil {
		tb.Fatalf("connect to the cluster: %v", err)
	}
	c.Client = client
	tb.Cleanup(client.Close)
	return c
}

// Addrs lists host:port of every node.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		addrs[i] = node.Addr
	}
	return addrs
}

// URL names every node: redis://host:port?addr=host:port&…
func (c *Cluster) URL() string {
	return "redis://" + strings.Replace(strings.Join(c.Addrs(), "&addr="), "&", "?", 1)
}

func (c *Cluster) all() []*Server { return append(slices.Clone(c.Nodes), c.Replicas...) }

// form assigns the slots and introduces the nodes to each other.
func (c *Cluster) form(ctx context.Context) error {
	n := len(c.Nodes)
	for i, node := range c.Nodes {
		first, last := slots*i/n, slots*(i+1)/n-1
		if err := node.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last)); err != nil {
			return err
		}
		if err := node.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
	}
	for _, node := range c.all()[1:] {
		host, port, err := net.SplitHostPort(node.Addr)
		if err != nil {
			return err
		}
		if err := c.Nodes[0].Do(ctx, "CLUSTER", "MEET", host, port); err != nil {
			return err
		}
	}
	return c.AwaitOK(ctx)
}

// AwaitOK returns when every node takes the cluster for complete, or with an
// error when ctx ends first.
func (c *Cluster) AwaitOK(ctx context.Context) error {
	return eventually(ctx, func(ctx context.Context) error {
		for _, node := range c.all() {
			text, err := node.Client.Do(ctx, node.Client.B().ClusterInfo().Build()).ToString()
			if err != nil {
				return notYet(err)
			}
			info := parseInfo(text)
			complete := info["cluster_state"] == "ok" &&
				info["cluster_slots_ok"] == strconv.Itoa(slots) &&
				info["cluster_known_nodes"] == strconv.Itoa(len(c.all()))
			if !complete {
				return notYet(fmt.Errorf("node %s: %v", node.Addr, info))
			}
		}
		return nil
	})
}
