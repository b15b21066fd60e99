// Consume, transform, produce by franz-go's GroupTransactSession: what was polled is written in a transaction that takes
// the offsets along, and a member whose partitions are taken from it aborts.
//
// Usage: mover BOOTSTRAP PREFIX TRANSACTIONAL_ID. Moves PREFIXin to the same partitions of PREFIXout. Whoever can't go on ends
// with exit code 3 and leaves the rest to its successor.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	bootstrap, prefix, id := os.Args[1], os.Args[2], os.Args[3]
	asked, leave := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer leave()
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumerGroup(prefix+"movers"),
		kgo.ConsumeTopics(prefix+"in"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
		kgo.SessionTimeout(4*time.Second),
		kgo.HeartbeatInterval(time.Second),
		kgo.TransactionalID(id),
		kgo.TransactionTimeout(10*time.Second),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.WithLogger(kgo.BasicLogger(os.Stderr, kgo.LogLevelWarn, nil)),
	)
	if err != nil {
		panic(err)
	}
	defer session.Close()
	for {
		fetches := session.PollRecords(asked, 20)
		if asked.Err() != nil {
			return
		}
		fetches.EachError(func(topic string, partition int32, err error) {
			fmt.Fprintf(os.Stderr, "FETCH %s-%d: %v\n", topic, partition, err)
		})
		if fetches.NumRecords() > 0 {
			if err := move(session, prefix+"out", fetches); err != nil {
				fmt.Fprintln(os.Stderr, "ENDED", err)
				os.Exit(3)
			}
		}
	}
}

// move writes what was polled and ends the transaction; an error means that nothing more can be done under this identity.
// Who is asked to leave finishes what it has begun.
func move(session *kgo.GroupTransactSession, out string, fetches kgo.Fetches) error {
	if err := session.Begin(); err != nil {
		return err
	}
	background := context.Background()
	written := kgo.AbortingFirstErrPromise(session.Client())
	fetches.EachRecord(func(r *kgo.Record) {
		session.Produce(background, &kgo.Record{Topic: out, Partition: r.Partition, Key: r.Key, Value: r.Value}, written.Promise())
	})
	failed := written.Err()
	committed, err := session.End(background, failed == nil)
	if !committed {
		fmt.Fprintln(os.Stderr, "ABORT", errors.Join(failed, err))
	}
	return err
}
