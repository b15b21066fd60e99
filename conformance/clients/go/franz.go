package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// franzClient is twmb/franz-go: kgo for records, kadm for administration.
type franzClient struct{}

func (franzClient) version() string { return "franz-go " + linked("github.com/twmb/franz-go") }

func (franzClient) cannot() map[string]string {
	return map[string]string{"end unbegun": "EndTransaction says nothing where none has begun"}
}

func (franzClient) hides() []int { return []int{} }

func (franzClient) code(err error) int {
	var refused *kerr.Error
	if errors.As(err, &refused) {
		return int(refused.Code)
	}
	return -1
}

func (franzClient) options(bootstrap string) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.MetadataMinAge(mostWait),
		kgo.MetadataMaxAge(refresh),
		kgo.RetryBackoffFn(func(tries int) time.Duration { return min(backoff*time.Duration(tries), mostWait) }),
	}
}

type franzProducer struct {
	inner   *kgo.Client
	session *kgo.GroupTransactSession // nil, or what reads and writes in the same transactions
	done    delivered
	timeout time.Duration
}

// franzSessions are the open ones by transactional id: franz-go wants offsets and records of a transaction to go through
// one client, which the suite's consumer makes and the producer of the same id then uses.
var franzSessions = map[string]*kgo.GroupTransactSession{}

var franzCodecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func (c franzClient) producer(bootstrap string, o producing, done delivered) (producer, error) {
	if session := franzSessions[o.Transactional]; session != nil {
		return initialised(franzProducer{session.Client(), session, done, o.timeout()})
	}
	options := append(c.options(bootstrap),
		kgo.ProducerLinger(o.linger()),
		kgo.RecordPartitioner(chosen{kgo.UniformBytesPartitioner(64<<10, true, true, nil)}),
	)
	if o.Codec != nil {
		options = append(options, kgo.ProducerBatchCompression(franzCodecs[*o.Codec]))
	}
	if size := o.batchBytes(); size != 0 {
		options = append(options, kgo.ProducerBatchMaxBytes(int32(size)))
	}
	idempotent := o.Idempotent == nil || *o.Idempotent
	if o.Acks != nil && *o.Acks != -1 {
		options = append(options, kgo.RequiredAcks(map[acks]kgo.Acks{0: kgo.NoAck(), 1: kgo.LeaderAck()}[*o.Acks]))
		idempotent = false
	}
	if !idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	if o.TransactionMs != 0 {
		options = append(options, kgo.TransactionTimeout(time.Duration(o.TransactionMs)*time.Millisecond))
	}
	if o.Transactional != "" {
		options = append(options, kgo.TransactionalID(o.Transactional))
	}
	inner, err := kgo.NewClient(options...)
	made := franzProducer{inner, nil, done, o.timeout()}
	if err != nil || o.Transactional == "" {
		return made, err
	}
	return initialised(made)
}

// initialised has the producer id already, which franz-go would ask for with the first record.
func initialised(p franzProducer) (producer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, _, err := p.inner.ProducerID(ctx); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// chosen is the default partitioner, but for records that name their partition; the others carry -1.
type chosen struct{ kgo.Partitioner }

func (c chosen) ForTopic(topic string) kgo.TopicPartitioner {
	return chosenInTopic{c.Partitioner.ForTopic(topic).(kgo.TopicBackupPartitioner)}
}

type chosenInTopic struct{ kgo.TopicBackupPartitioner }

func (c chosenInTopic) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || c.TopicBackupPartitioner.RequiresConsistency(r)
}

func (c chosenInTopic) PartitionByBackup(r *kgo.Record, n int, backup kgo.TopicBackupIter) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return c.TopicBackupPartitioner.PartitionByBackup(r, n, backup)
}

func (p franzProducer) send(m message) {
	r := &kgo.Record{Topic: m.Topic, Partition: -1, Key: m.Key, Value: m.Value, Timestamp: m.stamp()}
	if m.Partition != nil {
		r.Partition = *m.Partition
	}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
	}
	// kgo.RecordDeliveryTimeout counts from the record's timestamp, which may lie in the past
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	p.inner.Produce(ctx, r, func(r *kgo.Record, err error) {
		cancel()
		p.done(m.Ticket, r.Partition, r.Offset, err)
	})
}

func (p franzProducer) flush(ctx context.Context) { p.inner.Flush(ctx) }

func (p franzProducer) begin() error {
	if p.session != nil {
		return p.session.Begin()
	}
	return p.inner.BeginTransaction()
}

func (p franzProducer) commit(ctx context.Context) error {
	if p.session != nil {
		committed, err := p.session.End(ctx, kgo.TryCommit)
		if err == nil && !committed {
			err = errors.New("the session has aborted instead")
		}
		return err
	}
	if err := p.inner.Flush(ctx); err != nil {
		return err
	}
	return p.inner.EndTransaction(ctx, kgo.TryCommit)
}

func (p franzProducer) abort(ctx context.Context) error {
	if p.session != nil {
		_, err := p.session.End(ctx, kgo.TryAbort)
		return err
	}
	if err := p.inner.AbortBufferedRecords(ctx); err != nil {
		return err
	}
	return p.inner.EndTransaction(ctx, kgo.TryAbort)
}

// sendOffsets checks what a session's End is going to send by itself.
func (p franzProducer) sendOffsets(_ consumer, offsets []position) error {
	if p.session == nil {
		return errors.New("franz-go sends offsets from a session only")
	}
	will := p.inner.UncommittedOffsets()
	for _, o := range offsets {
		if at := will[o.Topic][o.Partition]; at.Offset != o.Offset {
			return fmt.Errorf("%s %d is at %d", o.Topic, o.Partition, at.Offset)
		}
	}
	return nil
}

func (p franzProducer) close() {
	if p.session == nil { // otherwise the consumer closes it
		p.inner.Close()
	}
}

type franzConsumer struct {
	inner         *kgo.Client
	transactional string // whose session it is
	lock          sync.Mutex
	owned         map[[2]any]bool
}

func (c franzClient) consumption(bootstrap string, o consuming) []kgo.Opt {
	options := c.options(bootstrap)
	if o.MaxFetch != 0 {
		options = append(options, kgo.FetchMaxPartitionBytes(o.MaxFetch))
	}
	if o.Isolation == "read_committed" {
		options = append(options, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	return options
}

func (c franzClient) consumer(bootstrap, group string, topics []string, o consuming) (consumer, error) {
	made := &franzConsumer{owned: map[[2]any]bool{}}
	options := append(c.consumption(bootstrap, o),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topics...),
		kgo.SessionTimeout(o.session()),
		kgo.HeartbeatInterval(heartbeat),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(made.changes(true)),
		kgo.OnPartitionsRevoked(made.changes(false)),
		kgo.OnPartitionsLost(made.changes(false)),
	)
	balancers := map[string]kgo.GroupBalancer{
		"range":              kgo.RangeBalancer(),
		"roundrobin":         kgo.RoundRobinBalancer(),
		"cooperative-sticky": kgo.CooperativeStickyBalancer(), // the default
	}
	if balancer := balancers[o.Strategy]; balancer != nil {
		options = append(options, kgo.Balancers(balancer))
	}
	if o.Instance != "" {
		options = append(options, kgo.InstanceID(o.Instance))
	}
	if o.Reset == "latest" {
		options = append(options, kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd()))
	}
	if o.Transactional != "" {
		options = append(options,
			kgo.TransactionalID(o.Transactional),
			kgo.RecordPartitioner(chosen{kgo.UniformBytesPartitioner(64<<10, true, true, nil)}),
		)
		session, err := kgo.NewGroupTransactSession(options...)
		if err != nil {
			return nil, err
		}
		franzSessions[o.Transactional] = session
		made.inner, made.transactional = session.Client(), o.Transactional
		return made, nil
	}
	inner, err := kgo.NewClient(options...)
	made.inner = inner
	return made, err
}

func (c *franzConsumer) changes(gained bool) func(context.Context, *kgo.Client, map[string][]int32) {
	return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
		c.lock.Lock()
		defer c.lock.Unlock()
		for _, pair := range pairs(changed) {
			if gained {
				c.owned[pair] = true
			} else {
				delete(c.owned, pair)
			}
		}
	}
}

// fetched are the records of a poll, or the broker's refusal when there are none.
func fetched(fetches kgo.Fetches) ([]record, error) {
	var got []record
	fetches.EachRecord(func(r *kgo.Record) {
		made := record{r.Topic, r.Partition, r.Offset, r.Timestamp.UnixMilli(), r.Key, r.Value, nil}
		for _, h := range r.Headers {
			made.Headers = append(made.Headers, header{h.Key, h.Value})
		}
		got = append(got, made)
	})
	for _, failure := range fetches.Errors() {
		if errors.Is(failure.Err, context.DeadlineExceeded) {
			continue
		}
		if len(got) == 0 {
			return nil, failure.Err
		}
		fmt.Fprintln(os.Stderr, failure.Topic, failure.Partition, failure.Err)
	}
	return got, nil
}

func (c *franzConsumer) poll(ctx context.Context, most int) ([]record, error) {
	return fetched(c.inner.PollRecords(ctx, most))
}

func (c *franzConsumer) assignment() [][2]any {
	c.lock.Lock()
	defer c.lock.Unlock()
	all := [][2]any{}
	for pair := range c.owned {
		all = append(all, pair)
	}
	return all
}

func epochOffsets(positions []position) map[string]map[int32]kgo.EpochOffset {
	made := map[string]map[int32]kgo.EpochOffset{}
	for _, p := range positions {
		if made[p.Topic] == nil {
			made[p.Topic] = map[int32]kgo.EpochOffset{}
		}
		made[p.Topic][p.Partition] = kgo.EpochOffset{Epoch: -1, Offset: p.Offset}
	}
	return made
}

func (c *franzConsumer) commit(ctx context.Context, offsets []position) error {
	if offsets == nil {
		return c.inner.CommitUncommittedOffsets(ctx)
	}
	var failure error
	c.inner.CommitOffsetsSync(ctx, epochOffsets(offsets),
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
			failure = err
			for _, topic := range answer.Topics {
				for _, partition := range topic.Partitions {
					failure = errors.Join(failure, kerr.ErrorForCode(partition.ErrorCode))
				}
			}
		})
	return failure
}

func (c *franzConsumer) seek(to position) error {
	c.inner.SetOffsets(epochOffsets([]position{to}))
	return nil
}

func (c *franzConsumer) close() {
	delete(franzSessions, c.transactional)
	c.inner.Close()
}

func (c franzClient) read(ctx context.Context, bootstrap string, from position, count int, o consuming) ([]record, error) {
	start := map[int32]kgo.Offset{from.Partition: kgo.NewOffset().At(from.Offset)}
	inner, err := kgo.NewClient(append(c.consumption(bootstrap, o),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{from.Topic: start}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepRetryableFetchErrors(),
	)...)
	if err != nil {
		return nil, err
	}
	defer inner.Close()
	var got []record
	for len(got) < count && ctx.Err() == nil {
		more, err := fetched(inner.PollFetches(ctx))
		if err != nil {
			return got, err
		}
		got = append(got, more...)
	}
	return got, nil
}

func (c franzClient) asking(bootstrap string) (*kadm.Client, error) {
	return kadm.NewOptClient(c.options(bootstrap)...)
}

func (c franzClient) offsetAt(ctx context.Context, bootstrap, topic string, partition int32, timestamp int64) (*int64, error) {
	admin, err := c.asking(bootstrap)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	var listed kadm.ListedOffsets
	switch timestamp {
	case -1:
		listed, err = admin.ListEndOffsets(ctx, topic)
	case -2:
		listed, err = admin.ListStartOffsets(ctx, topic)
	default:
		listed, err = admin.ListOffsetsAfterMilli(ctx, timestamp, topic)
	}
	if err != nil {
		return nil, err
	}
	found, asked := listed.Lookup(topic, partition)
	if !asked { // an unknown topic answers as partition -1
		if found, asked = listed.Lookup(topic, -1); !asked {
			return nil, kerr.UnknownTopicOrPartition // what kadm's own lookups say
		}
	}
	if found.Err != nil || found.Offset < 0 {
		return nil, found.Err
	}
	return &found.Offset, nil
}

func (c franzClient) partitions(ctx context.Context, bootstrap, topic string) (int, error) {
	admin, err := c.asking(bootstrap)
	if err != nil {
		return 0, err
	}
	defer admin.Close()
	found, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return 0, err
	}
	return len(found[topic].Partitions), found[topic].Err
}

type franzAdmin struct{ *kadm.Client }

func (c franzClient) admin(bootstrap string) (admin, error) {
	inner, err := c.asking(bootstrap)
	return franzAdmin{inner}, err
}

func (a franzAdmin) close() { a.Close() }

func (a franzAdmin) create(ctx context.Context, topic string, partitions int32, replicas int16, configs map[string]*string, validateOnly bool) error {
	create := a.CreateTopics
	if validateOnly {
		create = a.ValidateCreateTopics
	}
	answers, err := create(ctx, partitions, replicas, configs, topic)
	return errors.Join(err, answers[topic].Err)
}

func (a franzAdmin) delete(ctx context.Context, topic string) error {
	answer, err := a.DeleteTopic(ctx, topic)
	return errors.Join(err, answer.Err)
}

func (a franzAdmin) topics(ctx context.Context) (map[string]int, error) {
	found, err := a.ListTopicsWithInternal(ctx)
	all := map[string]int{}
	for name, topic := range found {
		all[name] = len(topic.Partitions)
	}
	return all, err
}

func (a franzAdmin) grow(ctx context.Context, topic string, partitions int32) error {
	answers, err := a.UpdatePartitions(ctx, int(partitions), topic)
	return errors.Join(err, answers[topic].Err)
}

func described(found kadm.ResourceConfigs, err error) (map[string]*string, error) {
	all := map[string]*string{}
	for _, resource := range found {
		err = errors.Join(err, resource.Err)
		for _, entry := range resource.Configs {
			all[entry.Key] = entry.Value
		}
	}
	return all, err
}

func (a franzAdmin) configs(ctx context.Context, topic string) (map[string]*string, error) {
	return described(a.DescribeTopicConfigs(ctx, topic))
}

func (a franzAdmin) brokerConfigs(ctx context.Context, broker int32) (map[string]*string, error) {
	return described(a.DescribeBrokerConfigs(ctx, broker))
}

func (a franzAdmin) alter(ctx context.Context, topic string, configs map[string]string) error {
	var changes []kadm.AlterConfig
	for name, value := range configs {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	answers, err := a.AlterTopicConfigs(ctx, changes, topic)
	for _, answer := range answers {
		err = errors.Join(err, answer.Err)
	}
	return err
}

func kadmOffsets(positions []position) kadm.Offsets {
	made := kadm.Offsets{}
	for _, p := range positions {
		made.AddOffset(p.Topic, p.Partition, p.Offset, -1)
	}
	return made
}

func (a franzAdmin) deleteRecords(ctx context.Context, before position) (int64, error) {
	answers, err := a.DeleteRecords(ctx, kadmOffsets([]position{before}))
	answer, _ := answers.Lookup(before.Topic, before.Partition)
	return answer.LowWatermark, errors.Join(err, answer.Err)
}

func (a franzAdmin) groups(ctx context.Context) ([]string, error) {
	found, err := a.ListGroups(ctx)
	return found.Groups(), err
}

func (a franzAdmin) group(ctx context.Context, group string) (kadm.DescribedGroup, error) {
	found, err := a.DescribeGroups(ctx, group)
	return found[group], errors.Join(err, found[group].Err)
}

func (a franzAdmin) members(ctx context.Context, group string) ([]member, error) {
	found, err := a.group(ctx, group)
	var all []member
	for _, m := range found.Members {
		all = append(all, member{m.ClientID, m.InstanceID})
	}
	return all, err
}

func (a franzAdmin) groupState(ctx context.Context, group string) (string, error) {
	found, err := a.group(ctx, group)
	return found.State, err
}

func (a franzAdmin) committed(ctx context.Context, group, topic string) (map[int32]int64, error) {
	found, err := a.FetchOffsets(ctx, group)
	all := map[int32]int64{}
	for partition, offset := range found[topic] {
		err = errors.Join(err, offset.Err)
		all[partition] = offset.At
	}
	return all, err
}

func (a franzAdmin) alterOffsets(ctx context.Context, group string, offsets []position) error {
	return a.CommitAllOffsets(ctx, group, kadmOffsets(offsets))
}

func (a franzAdmin) deleteOffsets(ctx context.Context, group, topic string, partitions []int32) error {
	which := kadm.TopicsSet{}
	which.Add(topic, partitions...)
	answers, err := a.DeleteOffsets(ctx, group, which)
	return errors.Join(err, answers.Error())
}

func (a franzAdmin) deleteGroup(ctx context.Context, group string) error {
	answer, err := a.DeleteGroup(ctx, group)
	return errors.Join(err, answer.Err)
}

func (a franzAdmin) brokers(ctx context.Context) ([][3]any, error) {
	found, err := a.ListBrokers(ctx)
	all := [][3]any{}
	for _, broker := range found {
		all = append(all, [3]any{broker.NodeID, broker.Host, broker.Port})
	}
	return all, err
}
