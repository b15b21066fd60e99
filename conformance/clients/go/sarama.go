package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// saramaClient is IBM/sarama, at the protocol version that it assumes when nobody names one.
type saramaClient struct{}

func (saramaClient) version() string { return "sarama " + linked("github.com/IBM/sarama") }

func (saramaClient) cannot() map[string]string {
	return map[string]string{
		"seek":              "a consumer group session has no seek; ResetOffset changes what is committed, not what is read",
		"commit unassigned": "a consumer group session drops offsets of partitions that it doesn't claim",
	}
}

// A message over Producer.MaxMessageBytes is refused by the library itself, as a ConfigurationError.
func (saramaClient) hides() []int { return []int{int(sarama.ErrMessageSizeTooLarge)} }

func (saramaClient) code(err error) int {
	var refused sarama.KError
	if errors.As(err, &refused) {
		return int(refused)
	}
	return -1
}

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Metadata.RefreshFrequency = refresh
	config.Metadata.Retry.Backoff = backoff
	config.Admin.Retry.Backoff = backoff
	config.Producer.Retry.Backoff = mostWait
	config.Consumer.Retry.Backoff = backoff
	config.Consumer.Group.Rebalance.Retry.Backoff = mostWait
	return config
}

type saramaProducer struct {
	sarama.AsyncProducer
	done delivered
}

var saramaCodecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func (saramaClient) producer(bootstrap string, o producing, done delivered) (producer, error) {
	config := saramaConfig()
	config.Producer.Return.Successes = true
	config.Producer.Flush.Frequency = o.linger()
	config.Producer.Retry.Max = int(o.timeout() / config.Producer.Retry.Backoff) // there is no delivery timeout
	config.Producer.Partitioner = func(topic string) sarama.Partitioner {
		return saramaPartitioner{sarama.NewHashPartitioner(topic).(sarama.DynamicConsistencyPartitioner)}
	}
	config.Producer.RequiredAcks = sarama.WaitForAll
	if o.Acks != nil {
		config.Producer.RequiredAcks = sarama.RequiredAcks(*o.Acks)
	}
	if o.Codec != nil {
		config.Producer.Compression = saramaCodecs[*o.Codec]
	}
	if size := o.batchBytes(); size != 0 {
		config.Producer.MaxMessageBytes = size
	}
	if o.Idempotent != nil && *o.Idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1 // sarama insists
	}
	if o.Transactional != "" {
		config.Producer.Transaction.ID = o.Transactional
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	if o.TransactionMs != 0 {
		config.Producer.Transaction.Timeout = time.Duration(o.TransactionMs) * time.Millisecond
	}
	inner, err := sarama.NewAsyncProducer([]string{bootstrap}, config)
	if err != nil {
		return nil, err
	}
	made := saramaProducer{inner, done}
	go made.hear()
	return made, nil
}

// saramaPartitioner is the default partitioner, but for messages that name their partition; the others carry -1.
type saramaPartitioner struct {
	sarama.DynamicConsistencyPartitioner
}

func (p saramaPartitioner) Partition(m *sarama.ProducerMessage, n int32) (int32, error) {
	if m.Partition >= 0 {
		return m.Partition, nil
	}
	return p.DynamicConsistencyPartitioner.Partition(m, n)
}

func (p saramaPartitioner) MessageRequiresConsistency(m *sarama.ProducerMessage) bool {
	return m.Partition >= 0 || p.DynamicConsistencyPartitioner.MessageRequiresConsistency(m)
}

func (p saramaProducer) hear() {
	successes, failures := p.Successes(), p.Errors()
	for successes != nil || failures != nil {
		select {
		case m, open := <-successes:
			if !open {
				successes = nil
				continue
			}
			p.done(m.Metadata.(int64), m.Partition, m.Offset, nil)
		case failure, open := <-failures:
			if !open {
				failures = nil
				continue
			}
			p.done(failure.Msg.Metadata.(int64), failure.Msg.Partition, -1, failure.Err)
		}
	}
}

// saramaBytes keeps the difference between nothing and null: a nil Encoder is null.
func saramaBytes(data []byte) sarama.Encoder {
	if data == nil {
		return nil
	}
	return sarama.ByteEncoder(data)
}

func (p saramaProducer) send(m message) {
	made := &sarama.ProducerMessage{
		Topic:     m.Topic,
		Partition: -1,
		Key:       saramaBytes(m.Key),
		Value:     saramaBytes(m.Value),
		Timestamp: m.stamp(),
		Metadata:  m.Ticket,
	}
	if m.Partition != nil {
		made.Partition = *m.Partition
	}
	for _, h := range m.Headers {
		made.Headers = append(made.Headers, sarama.RecordHeader{Key: []byte(h.Name), Value: h.Value})
	}
	p.Input() <- made
}

func (p saramaProducer) flush(context.Context)        {}
func (p saramaProducer) begin() error                 { return p.BeginTxn() }
func (p saramaProducer) commit(context.Context) error { return p.CommitTxn() }
func (p saramaProducer) abort(context.Context) error  { return p.AbortTxn() }
func (p saramaProducer) close()                       { p.AsyncClose() }

func (p saramaProducer) sendOffsets(from consumer, offsets []position) error {
	wanted := map[string][]*sarama.PartitionOffsetMetadata{}
	for _, o := range offsets {
		wanted[o.Topic] = append(wanted[o.Topic], &sarama.PartitionOffsetMetadata{
			Partition: o.Partition, Offset: o.Offset, LeaderEpoch: -1,
		})
	}
	return p.AddOffsetsToTxn(wanted, from.(*saramaConsumer).name)
}

func (saramaClient) consumption(o consuming) *sarama.Config {
	config := saramaConfig()
	config.Consumer.Return.Errors = true
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	if o.Reset == "latest" {
		config.Consumer.Offsets.Initial = sarama.OffsetNewest
	}
	if o.MaxFetch != 0 {
		config.Consumer.Fetch.Default = o.MaxFetch
	}
	if o.Isolation == "read_committed" {
		config.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	return config
}

// saramaConsumer is a group and the handler of its sessions; messages go from the claims to whoever polls.
type saramaConsumer struct {
	name     string
	group    sarama.ConsumerGroup
	leave    context.CancelFunc
	left     chan struct{}
	messages chan *sarama.ConsumerMessage
	failures chan error

	lock    sync.Mutex
	session sarama.ConsumerGroupSession
	handed  []record
}

func (c saramaClient) consumer(bootstrap, group string, topics []string, o consuming) (consumer, error) {
	config := c.consumption(o)
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Session.Timeout = o.session()
	config.Consumer.Group.Heartbeat.Interval = heartbeat
	config.Consumer.Group.InstanceId = o.Instance
	switch o.Strategy { // range is the default
	case "roundrobin":
		config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRoundRobin()}
	case "cooperative-sticky":
		config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}
	}
	inner, err := sarama.NewConsumerGroup([]string{bootstrap}, group, config)
	if err != nil {
		return nil, err
	}
	ctx, leave := context.WithCancel(context.Background())
	made := &saramaConsumer{
		name:     group,
		group:    inner,
		leave:    leave,
		left:     make(chan struct{}),
		messages: make(chan *sarama.ConsumerMessage),
		failures: make(chan error, 100),
	}
	go made.hear()
	go made.live(ctx, topics)
	return made, nil
}

// live goes from session to session, as sarama wants it.
func (c *saramaConsumer) live(ctx context.Context, topics []string) {
	defer close(c.left)
	for ctx.Err() == nil {
		err := c.group.Consume(ctx, topics, c)
		if errors.Is(err, sarama.ErrFencedInstancedId) { // somebody else is this member now
			c.failures <- err
			return
		}
		if err != nil && ctx.Err() == nil {
			c.fail(err)
			time.Sleep(backoff)
		}
	}
}

func (c *saramaConsumer) hear() {
	for err := range c.group.Errors() {
		c.fail(err)
	}
}

func (c *saramaConsumer) fail(err error) {
	select {
	case c.failures <- err:
	default: // nobody listens
	}
}

func (c *saramaConsumer) Setup(session sarama.ConsumerGroupSession) error {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.session = session
	return nil
}

func (c *saramaConsumer) Cleanup(sarama.ConsumerGroupSession) error { return c.Setup(nil) }

// ConsumeClaim always listens to its claim, because the closing of Messages is the only sign of a revocation.
func (c *saramaConsumer) ConsumeClaim(_ sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	var held []*sarama.ConsumerMessage
	for {
		var first *sarama.ConsumerMessage
		var out chan<- *sarama.ConsumerMessage
		if len(held) > 0 {
			first, out = held[0], c.messages
		}
		select {
		case m, open := <-claim.Messages():
			if !open {
				return nil
			}
			held = append(held, m)
		case out <- first:
			held = held[1:]
		}
	}
}

func saramaRecord(m *sarama.ConsumerMessage) record {
	made := record{m.Topic, m.Partition, m.Offset, m.Timestamp.UnixMilli(), m.Key, m.Value, nil}
	for _, h := range m.Headers {
		made.Headers = append(made.Headers, header{string(h.Key), h.Value})
	}
	return made
}

func (c *saramaConsumer) poll(ctx context.Context, most int) ([]record, error) {
	var got []record
	ended := ctx.Done()
	var grace <-chan time.Time
	for len(got) < most {
		select {
		case m := <-c.messages:
			got = append(got, saramaRecord(m))
			grace = time.After(time.Millisecond) // what comes with it
			continue
		case err := <-c.failures:
			if !passing(err) && len(got) == 0 {
				return nil, err
			}
			continue
		case <-grace:
		case <-ended:
		}
		break
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.handed = append(c.handed, got...)
	return got, nil
}

// passing errors belong to the life of a group; sarama goes on by itself.
func passing(err error) bool {
	return !errors.Is(err, sarama.ErrFencedInstancedId)
}

func (c *saramaConsumer) assignment() [][2]any {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.session == nil {
		return [][2]any{}
	}
	return pairs(c.session.Claims())
}

func (c *saramaConsumer) commit(_ context.Context, offsets []position) error {
	c.lock.Lock()
	session, handed := c.session, c.handed
	c.lock.Unlock()
	if session == nil {
		return errors.New("no session at the moment")
	}
	for len(c.failures) > 0 {
		<-c.failures
	}
	if offsets == nil {
		for _, p := range after(handed) {
			session.MarkOffset(p.Topic, p.Partition, p.Offset, "")
		}
	}
	for _, p := range offsets {
		if !slices.Contains(session.Claims()[p.Topic], p.Partition) {
			return errors.New("not among the session's claims, where sarama would drop it silently")
		}
		session.MarkOffset(p.Topic, p.Partition, p.Offset, "")  // forwards
		session.ResetOffset(p.Topic, p.Partition, p.Offset, "") // backwards
	}
	session.Commit()
	select { // Commit says nothing itself: its errors arrive among the group's, a moment later
	case err := <-c.failures:
		return err
	case <-time.After(backoff):
		return nil
	}
}

func (c *saramaConsumer) seek(position) error {
	return errors.New("sarama's group sessions have no seek")
}

func (c *saramaConsumer) close() {
	c.leave()
	c.group.Close()
	<-c.left
}

func (c saramaClient) read(ctx context.Context, bootstrap string, from position, count int, o consuming) ([]record, error) {
	inner, err := sarama.NewConsumer([]string{bootstrap}, c.consumption(o))
	if err != nil {
		return nil, err
	}
	defer inner.Close()
	partition, err := inner.ConsumePartition(from.Topic, from.Partition, from.Offset)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	var got []record
	for len(got) < count {
		select {
		case m, open := <-partition.Messages():
			if !open {
				return got, <-partition.Errors()
			}
			got = append(got, saramaRecord(m))
		case err := <-partition.Errors():
			return got, err
		case <-ctx.Done():
			return got, nil
		}
	}
	return got, nil
}

func (saramaClient) offsetAt(_ context.Context, bootstrap, topic string, partition int32, timestamp int64) (*int64, error) {
	inner, err := sarama.NewClient([]string{bootstrap}, saramaConfig())
	if err != nil {
		return nil, err
	}
	defer inner.Close()
	offset, err := inner.GetOffset(topic, partition, timestamp) // -1 and -2 are the ends here too
	if err != nil || offset < 0 {
		return nil, err
	}
	return &offset, nil
}

func (saramaClient) partitions(_ context.Context, bootstrap, topic string) (int, error) {
	config := saramaConfig()
	config.Metadata.AllowAutoTopicCreation = false
	inner, err := sarama.NewClient([]string{bootstrap}, config)
	if err != nil {
		return 0, err
	}
	defer inner.Close()
	found, err := inner.Partitions(topic)
	return len(found), err
}

type saramaAdmin struct {
	sarama.ClusterAdmin
	client sarama.Client
}

func (saramaClient) admin(bootstrap string) (admin, error) {
	client, err := sarama.NewClient([]string{bootstrap}, saramaConfig())
	if err != nil {
		return nil, err
	}
	inner, err := sarama.NewClusterAdminFromClient(client)
	return saramaAdmin{inner, client}, err
}

func (a saramaAdmin) close() { a.ClusterAdmin.Close() }

func (a saramaAdmin) create(_ context.Context, topic string, partitions int32, replicas int16, configs map[string]*string, validateOnly bool) error {
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: replicas, ConfigEntries: configs}
	return a.CreateTopic(topic, detail, validateOnly)
}

func (a saramaAdmin) delete(_ context.Context, topic string) error { return a.DeleteTopic(topic) }

func (a saramaAdmin) topics(context.Context) (map[string]int, error) {
	found, err := a.ListTopics()
	all := map[string]int{}
	for name, detail := range found {
		all[name] = int(detail.NumPartitions)
	}
	return all, err
}

func (a saramaAdmin) grow(_ context.Context, topic string, partitions int32) error {
	return a.CreatePartitions(topic, partitions, nil, false)
}

func (a saramaAdmin) describe(resource sarama.ConfigResource) (map[string]*string, error) {
	found, err := a.DescribeConfig(resource)
	all := map[string]*string{}
	for _, entry := range found {
		all[entry.Name] = &entry.Value
	}
	return all, err
}

func (a saramaAdmin) configs(_ context.Context, topic string) (map[string]*string, error) {
	return a.describe(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
}

func (a saramaAdmin) brokerConfigs(_ context.Context, broker int32) (map[string]*string, error) {
	return a.describe(sarama.ConfigResource{Type: sarama.BrokerResource, Name: strconv.Itoa(int(broker))})
}

func (a saramaAdmin) alter(_ context.Context, topic string, configs map[string]string) error {
	entries := map[string]sarama.IncrementalAlterConfigsEntry{}
	for name, value := range configs {
		entries[name] = sarama.IncrementalAlterConfigsEntry{
			Operation: sarama.IncrementalAlterConfigsOperationSet,
			Value:     &value,
		}
	}
	return a.IncrementalAlterConfig(sarama.TopicResource, topic, entries, false)
}

// deleteRecords has to ask for the new start: sarama keeps the low watermark of the answer to itself.
func (a saramaAdmin) deleteRecords(_ context.Context, before position) (int64, error) {
	if err := a.DeleteRecords(before.Topic, map[int32]int64{before.Partition: before.Offset}); err != nil {
		return 0, err
	}
	return a.client.GetOffset(before.Topic, before.Partition, sarama.OffsetOldest)
}

func (a saramaAdmin) groups(context.Context) ([]string, error) {
	found, err := a.ListConsumerGroups()
	var all []string
	for group := range found {
		all = append(all, group)
	}
	return all, err
}

func (a saramaAdmin) group(group string) (*sarama.GroupDescription, error) {
	found, err := a.DescribeConsumerGroups([]string{group})
	if err != nil {
		return nil, err
	}
	if found[0].Err != sarama.ErrNoError {
		return nil, found[0].Err
	}
	return found[0], nil
}

func (a saramaAdmin) members(_ context.Context, group string) ([]member, error) {
	found, err := a.group(group)
	if err != nil {
		return nil, err
	}
	var all []member
	for _, m := range found.Members {
		all = append(all, member{m.ClientId, m.GroupInstanceId})
	}
	return all, nil
}

func (a saramaAdmin) groupState(_ context.Context, group string) (string, error) {
	found, err := a.group(group)
	if err != nil {
		return "", err
	}
	return found.State, nil
}

func (a saramaAdmin) committed(_ context.Context, group, topic string) (map[int32]int64, error) {
	found, err := a.ListConsumerGroupOffsets(group, nil)
	if err != nil {
		return nil, err
	}
	all := map[int32]int64{}
	for partition, block := range found.Blocks[topic] {
		if block.Err != sarama.ErrNoError {
			return nil, block.Err
		}
		all[partition] = block.Offset
	}
	return all, nil
}

func (a saramaAdmin) alterOffsets(_ context.Context, group string, offsets []position) error {
	wanted := map[string]map[int32]sarama.OffsetAndMetadata{}
	for _, p := range offsets {
		if wanted[p.Topic] == nil {
			wanted[p.Topic] = map[int32]sarama.OffsetAndMetadata{}
		}
		wanted[p.Topic][p.Partition] = sarama.OffsetAndMetadata{Offset: p.Offset, LeaderEpoch: -1}
	}
	answer, err := a.AlterConsumerGroupOffsets(group, wanted, nil)
	if err != nil {
		return err
	}
	for _, partitions := range answer.Errors {
		for _, refused := range partitions {
			if refused != sarama.ErrNoError {
				return refused
			}
		}
	}
	return nil
}

func (a saramaAdmin) deleteOffsets(_ context.Context, group, topic string, partitions []int32) error {
	for _, partition := range partitions { // one at a time: there is no other way
		if err := a.DeleteConsumerGroupOffset(group, topic, partition); err != nil {
			return err
		}
	}
	return nil
}

func (a saramaAdmin) deleteGroup(_ context.Context, group string) error {
	return a.DeleteConsumerGroup(group)
}

func (a saramaAdmin) brokers(context.Context) ([][3]any, error) {
	found, _, err := a.DescribeCluster()
	if err != nil {
		return nil, err
	}
	var all [][3]any
	for _, broker := range found {
		host, port, err := net.SplitHostPort(broker.Addr())
		if err != nil {
			return nil, err
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			return nil, err
		}
		all = append(all, [3]any{broker.ID(), host, number})
	}
	return all, nil
}
