package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
)

// storedFormat is the version of keys and scripts. A namespace with another version is refused.
const storedFormat = "1"

// clusterPartitions is the default number of partitions of a new namespace on a cluster.
const clusterPartitions = 16

// agreement reads the number of partitions and the format from the metas of some partitions.
func (s *Store) agreement(ctx context.Context, from, to int) (number, version string, err error) {
	cmds := make(rueidis.Commands, 0, to-from)
	for p := from; p < to; p++ {
		cmds = append(
			cmds,
			s.client.B().
				Hmget().
				Key(format.NewKeyspace(s.config.Namespace, p).Meta).
				Field("partitions", "format").
				Build(),
		)
	}
	for _, r := range s.client.DoMulti(ctx, cmds...) {
		v, e := r.AsStrSlice()
		if e == nil && v[0] != "" {
			return v[0], v[1], nil
		}
		err = errors.Join(err, e)
	}
	return "", "", err
}

// agree stores the fields that the meta of a partition does not have yet.
func (s *Store) agree(ctx context.Context, from, to int, number string) (err error) {
	cmds := make(rueidis.Commands, 0, 2*(to-from))
	for p := from; p < to; p++ {
		meta := format.NewKeyspace(s.config.Namespace, p).Meta
		cmds = append(cmds, s.client.B().Hsetnx().Key(meta).Field("format").Value(storedFormat).Build(),
			s.client.B().Hsetnx().Key(meta).Field("partitions").Value(number).Build())
	}
	for _, r := range s.client.DoMulti(ctx, cmds...) {
		err = errors.Join(err, r.Error())
	}
	return err
}

// agreePartitions stores the number of partitions at first use; later it reads the number.
// Partition 0 decides. The others have copies, so a namespace can be opened while the server of
// partition 0 does not answer or has lost its keys.
func (s *Store) agreePartitions(ctx context.Context) (int, error) {
	want := s.config.Partitions
	if want == 0 {
		want = 1
		if s.client.Mode() == rueidis.ClientModeCluster {
			want = clusterPartitions
		}
	}
	number, version, err := s.agreement(ctx, 0, 1)
	if number == "" {
		if copied, its, _ := s.agreement(ctx, 1, clusterPartitions); copied != "" {
			number, version, err = copied, its, nil
		}
	}
	if err == nil && number == "" {
		// HSETNX: if two processes are first, one decides. A repeat reads the stored number.
		if err = s.agree(ctx, 0, 1, strconv.Itoa(want)); err == nil {
			number, version, err = s.agreement(ctx, 0, 1)
		}
	}
	if err != nil {
		return 0, s.server.Translate(
			ctx, "agree on partitions", err, format.NewKeyspace(s.config.Namespace, 0).Meta,
		)
	}
	n, err := strconv.Atoi(number)
	switch {
	case version != storedFormat:
		return 0, fmt.Errorf(
			"%w: namespace %q has format %q, this library reads %s", store.ErrCorrupt, s.config.Namespace, version,
			storedFormat,
		)
	case err != nil || n < 1 || n > 1024:
		return 0, fmt.Errorf("%w: namespace %q has %q partitions", store.ErrCorrupt, s.config.Namespace, number)
	case s.config.Partitions != 0 && s.config.Partitions != n:
		return 0, &store.FieldError{
			Field:  "Partitions",
			Reason: fmt.Sprintf("is %d, but the namespace has %d for its life", s.config.Partitions, n),
		}
	}
	if n > 1 {
		if err := s.agree(ctx, 0, n, number); err != nil {
			s.config.Logger.LogAttrs(
				ctx, slog.LevelDebug, "the number of partitions was not copied everywhere", slog.Any("error", err),
			)
		}
	}
	return n, nil
}
