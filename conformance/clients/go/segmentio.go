package main

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// segmentioClient is segmentio/kafka-go: Writer, ConsumerGroup with a Reader for each partition, and Client.
type segmentioClient struct{}

func (segmentioClient) version() string { return "kafka-go " + linked("github.com/segmentio/kafka-go") }

func (segmentioClient) cannot() map[string]string {
	return map[string]string{
		"idempotent":         "Writer has no idempotent mode",
		"transactions":       "Writer has no transactions; Client only sends the bare requests of one",
		"cooperative-sticky": "only eager balancers: range, roundrobin, rack-affinity",
		"static":             "no group.instance.id",
		"delete_records":     "no DeleteRecords",
		"append time":        "Reader shows the producer's timestamp whatever the topic's timestamp type is",
		"empty bytes":        "Reader shows empty keys, values and header values as null",
		"out of range":       "Reader goes to the start from before it, and behind the end it waits for the end to come by",
		"subscribe early":    "ConsumerGroup looks for partitions when it assigns and again as its watcher starts: never hears of what came between",
		"metadata errors":    "Client.Metadata looks topics up in a list of those that are there",
	}
}

func (segmentioClient) hides() []int { return []int{} }

func (segmentioClient) code(err error) int {
	var refused kafka.Error
	if errors.As(err, &refused) {
		return int(refused)
	}
	return -1
}

func segmentioTransport() *kafka.Transport { return &kafka.Transport{MetadataTTL: refresh} }

type segmentioProducer struct {
	noTransactions
	writer    *kafka.Writer
	transport *kafka.Transport
	done      delivered
}

// marked is what a message carries through the Writer: whose report it is, and the partition it must go to.
type marked struct {
	ticket    int64
	partition *int32
}

var segmentioCodecs = map[string]kafka.Compression{
	"none":   0,
	"gzip":   kafka.Gzip,
	"snappy": kafka.Snappy,
	"lz4":    kafka.Lz4,
	"zstd":   kafka.Zstd,
}

func (segmentioClient) producer(bootstrap string, o producing, done delivered) (producer, error) {
	if o.Idempotent != nil && *o.Idempotent {
		return nil, errors.New("kafka-go's Writer has no idempotent mode")
	}
	transport := segmentioTransport()
	var byKey kafka.Hash // the default, round robin, doesn't look at keys
	writer := &kafka.Writer{
		Addr:            kafka.TCP(bootstrap),
		Async:           true,
		BatchTimeout:    max(o.linger(), time.Millisecond),
		BatchBytes:      int64(o.batchBytes()),
		MaxAttempts:     int(o.timeout() / mostWait), // there is no delivery timeout
		WriteBackoffMin: backoff,
		WriteBackoffMax: mostWait,
		RequiredAcks:    kafka.RequireAll,
		Transport:       transport,
		Balancer: kafka.BalancerFunc(func(m kafka.Message, partitions ...int) int {
			if chosen := m.WriterData.(marked).partition; chosen != nil {
				return int(*chosen)
			}
			return byKey.Balance(m, partitions...)
		}),
		Completion: func(messages []kafka.Message, err error) {
			for _, m := range messages {
				done(m.WriterData.(marked).ticket, int32(m.Partition), m.Offset, err)
			}
		},
	}
	if o.Acks != nil {
		writer.RequiredAcks = kafka.RequiredAcks(*o.Acks)
	}
	if o.Codec != nil {
		writer.Compression = segmentioCodecs[*o.Codec]
	}
	return segmentioProducer{writer: writer, transport: transport, done: done}, nil
}

func (p segmentioProducer) send(m message) {
	made := kafka.Message{
		Topic:      m.Topic,
		Key:        m.Key,
		Value:      m.Value,
		Time:       m.stamp(),
		WriterData: marked{m.Ticket, m.Partition},
	}
	for _, h := range m.Headers {
		made.Headers = append(made.Headers, kafka.Header{Key: h.Name, Value: h.Value})
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.writer.WriteMessages(ctx, made); err != nil { // before it was taken
		p.done(m.Ticket, -1, -1, err)
	}
}

func (p segmentioProducer) flush(context.Context) {}

func (p segmentioProducer) close() {
	p.writer.Close()
	p.transport.CloseIdleConnections()
}

// segmentioConsumer uses ConsumerGroup, on which Reader's group mode is built too: Reader tells nobody its assignment.
type segmentioConsumer struct {
	group   *kafka.ConsumerGroup
	leave   context.CancelFunc
	config  kafka.ReaderConfig
	fetched chan segmentioFetched

	lock       sync.Mutex
	generation *kafka.Generation // nil between generations
	readers    map[[2]any]*segmentioReader
	handed     []record
}

// segmentioReader reads one partition for one generation; turn counts the seeks, to know what was read before one.
type segmentioReader struct {
	*kafka.Reader
	turn int
}

type segmentioFetched struct {
	message kafka.Message
	from    *segmentioReader
	turn    int
}

func (segmentioClient) readerConfig(bootstrap string, o consuming) kafka.ReaderConfig {
	config := kafka.ReaderConfig{
		Brokers:        []string{bootstrap},
		MaxBytes:       int(o.MaxFetch),
		MaxWait:        mostWait, // a Reader closes only when its fetch is answered: a rebalance would wait for 10 s
		ReadBackoffMin: backoff,
		ReadBackoffMax: mostWait,
	}
	if o.Isolation == "read_committed" {
		config.IsolationLevel = kafka.ReadCommitted
	}
	return config
}

func (c segmentioClient) consumer(bootstrap, group string, topics []string, o consuming) (consumer, error) {
	config := kafka.ConsumerGroupConfig{
		ID:                     group,
		Brokers:                []string{bootstrap},
		Topics:                 topics,
		HeartbeatInterval:      heartbeat,
		SessionTimeout:         o.session(),
		JoinGroupBackoff:       mostWait,
		WatchPartitionChanges:  true,
		PartitionWatchInterval: refresh,
		StartOffset:            kafka.FirstOffset,
	}
	balancers := map[string]kafka.GroupBalancer{
		"range":      kafka.RangeGroupBalancer{},
		"roundrobin": kafka.RoundRobinGroupBalancer{},
	}
	if balancer := balancers[o.Strategy]; balancer != nil {
		config.GroupBalancers = []kafka.GroupBalancer{balancer}
	} else if o.Strategy != "" {
		return nil, errors.New("kafka-go has no balancer " + o.Strategy)
	}
	if o.Instance != "" {
		return nil, errors.New("kafka-go has no group.instance.id")
	}
	if o.Reset == "latest" {
		config.StartOffset = kafka.LastOffset
	}
	inner, err := kafka.NewConsumerGroup(config)
	if err != nil {
		return nil, err
	}
	ctx, leave := context.WithCancel(context.Background())
	made := &segmentioConsumer{
		group:   inner,
		leave:   leave,
		config:  c.readerConfig(bootstrap, o),
		fetched: make(chan segmentioFetched),
	}
	go made.live(ctx)
	return made, nil
}

// live takes up one generation after the other.
func (c *segmentioConsumer) live(ctx context.Context) {
	for {
		generation, err := c.group.Next(ctx)
		if ctx.Err() != nil || errors.Is(err, kafka.ErrGroupClosed) {
			return
		}
		if err != nil { // the group goes on trying
			continue
		}
		c.lock.Lock()
		c.generation, c.readers = generation, map[[2]any]*segmentioReader{}
		for topic, assignments := range generation.Assignments {
			for _, assigned := range assignments {
				config := c.config
				config.Topic, config.Partition = topic, assigned.ID
				reader := &segmentioReader{Reader: kafka.NewReader(config)}
				reader.SetOffset(assigned.Offset)
				c.readers[[2]any{topic, int32(assigned.ID)}] = reader
				generation.Start(func(ctx context.Context) { c.consume(ctx, reader) })
			}
		}
		c.lock.Unlock()
		generation.Start(func(ctx context.Context) {
			<-ctx.Done()
			c.lock.Lock()
			defer c.lock.Unlock()
			if c.generation == generation {
				c.generation, c.readers = nil, nil
			}
		})
	}
}

func (c *segmentioConsumer) consume(ctx context.Context, reader *segmentioReader) {
	defer reader.Close()
	for ctx.Err() == nil {
		m, err := reader.ReadMessage(ctx)
		if err != nil { // the generation's end, or something that the next attempt may heal
			continue
		}
		c.lock.Lock()
		turn, at := reader.turn, reader.Offset()
		c.lock.Unlock()
		if at != m.Offset+1 && at != m.Offset { // sought in this very moment; the first one after it leaves Offset behind
			continue
		}
		select {
		case c.fetched <- segmentioFetched{m, reader, turn}:
		case <-ctx.Done():
		}
	}
}

func segmentioRecord(m kafka.Message) record {
	made := record{m.Topic, int32(m.Partition), m.Offset, m.Time.UnixMilli(), m.Key, m.Value, nil}
	for _, h := range m.Headers {
		made.Headers = append(made.Headers, header{h.Key, h.Value})
	}
	return made
}

func (c *segmentioConsumer) poll(ctx context.Context, most int) ([]record, error) {
	var got []record
	var grace <-chan time.Time
	for len(got) < most {
		select {
		case f := <-c.fetched:
			c.lock.Lock()
			current := f.turn == f.from.turn
			c.lock.Unlock()
			if current {
				got = append(got, segmentioRecord(f.message))
				grace = time.After(time.Millisecond) // what comes with it
			}
			continue
		case <-grace:
		case <-ctx.Done():
		}
		break
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.handed = append(c.handed, got...)
	return got, nil
}

func (c *segmentioConsumer) assignment() [][2]any {
	c.lock.Lock()
	defer c.lock.Unlock()
	all := [][2]any{}
	for pair := range c.readers {
		all = append(all, pair)
	}
	return all
}

func (c *segmentioConsumer) commit(_ context.Context, offsets []position) error {
	c.lock.Lock()
	generation, handed := c.generation, c.handed
	c.lock.Unlock()
	if generation == nil {
		return errors.New("no generation at the moment")
	}
	if offsets == nil {
		offsets = after(handed)
	}
	wanted := map[string]map[int]int64{}
	for _, p := range offsets {
		if wanted[p.Topic] == nil {
			wanted[p.Topic] = map[int]int64{}
		}
		wanted[p.Topic][int(p.Partition)] = p.Offset
	}
	return generation.CommitOffsets(wanted)
}

func (c *segmentioConsumer) seek(to position) error {
	c.lock.Lock()
	defer c.lock.Unlock()
	reader := c.readers[[2]any{to.Topic, to.Partition}]
	if reader == nil {
		return errors.New("not assigned")
	}
	reader.turn++
	return reader.SetOffset(to.Offset)
}

func (c *segmentioConsumer) close() {
	c.leave()
	c.group.Close()
}

func (c segmentioClient) read(ctx context.Context, bootstrap string, from position, count int, o consuming) ([]record, error) {
	config := c.readerConfig(bootstrap, o)
	config.Topic, config.Partition = from.Topic, int(from.Partition)
	config.OffsetOutOfRangeError = true
	reader := kafka.NewReader(config)
	defer reader.Close()
	if err := reader.SetOffset(from.Offset); err != nil {
		return nil, err
	}
	var got []record
	for len(got) < count {
		m, err := reader.ReadMessage(ctx)
		if err != nil {
			return got, err
		}
		got = append(got, segmentioRecord(m))
	}
	return got, nil
}

type segmentioAdmin struct {
	*kafka.Client
	transport *kafka.Transport
}

func (segmentioClient) asking(bootstrap string) segmentioAdmin {
	transport := segmentioTransport()
	return segmentioAdmin{&kafka.Client{Addr: kafka.TCP(bootstrap), Timeout: patience, Transport: transport}, transport}
}

func (c segmentioClient) admin(bootstrap string) (admin, error) { return c.asking(bootstrap), nil }

func (a segmentioAdmin) close() { a.transport.CloseIdleConnections() }

func (c segmentioClient) offsetAt(ctx context.Context, bootstrap, topic string, partition int32, timestamp int64) (*int64, error) {
	a := c.asking(bootstrap)
	defer a.close()
	found, err := a.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: {{Partition: int(partition), Timestamp: timestamp}}},
	})
	if err != nil {
		return nil, err
	}
	for _, answer := range found.Topics[topic] {
		if answer.Partition != int(partition) {
			continue
		}
		if answer.Error != nil {
			return nil, answer.Error
		}
		switch timestamp {
		case kafka.LastOffset:
			return &answer.LastOffset, nil
		case kafka.FirstOffset:
			return &answer.FirstOffset, nil
		}
		for offset := range answer.Offsets {
			if offset >= 0 {
				return &offset, nil
			}
		}
		return nil, nil
	}
	return nil, errors.New("no answer for this partition")
}

func (c segmentioClient) partitions(ctx context.Context, bootstrap, topic string) (int, error) {
	a := c.asking(bootstrap)
	defer a.close()
	found, err := a.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, err
	}
	for _, t := range found.Topics {
		if t.Name == topic {
			return len(t.Partitions), t.Error
		}
	}
	return 0, errors.New("no answer for this topic")
}

func (a segmentioAdmin) create(ctx context.Context, topic string, partitions int32, replicas int16, configs map[string]*string, validateOnly bool) error {
	wanted := kafka.TopicConfig{Topic: topic, NumPartitions: int(partitions), ReplicationFactor: int(replicas)}
	for name, value := range configs {
		wanted.ConfigEntries = append(wanted.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: *value})
	}
	request := &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{wanted}, ValidateOnly: validateOnly}
	answer, err := a.CreateTopics(ctx, request)
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (a segmentioAdmin) delete(ctx context.Context, topic string) error {
	answer, err := a.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (a segmentioAdmin) topics(ctx context.Context) (map[string]int, error) {
	found, err := a.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	all := map[string]int{}
	for _, topic := range found.Topics {
		all[topic.Name] = len(topic.Partitions)
	}
	return all, nil
}

func (a segmentioAdmin) grow(ctx context.Context, topic string, partitions int32) error {
	answer, err := a.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: partitions}},
	})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (a segmentioAdmin) describe(ctx context.Context, kind kafka.ResourceType, name string) (map[string]*string, error) {
	answer, err := a.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kind, ResourceName: name}},
	})
	if err != nil {
		return nil, err
	}
	all := map[string]*string{}
	for _, resource := range answer.Resources {
		if resource.Error != nil {
			return nil, resource.Error
		}
		for _, entry := range resource.ConfigEntries {
			all[entry.ConfigName] = &entry.ConfigValue
		}
	}
	return all, nil
}

func (a segmentioAdmin) configs(ctx context.Context, topic string) (map[string]*string, error) {
	return a.describe(ctx, kafka.ResourceTypeTopic, topic)
}

func (a segmentioAdmin) brokerConfigs(ctx context.Context, broker int32) (map[string]*string, error) {
	return a.describe(ctx, kafka.ResourceTypeBroker, strconv.Itoa(int(broker)))
}

func (a segmentioAdmin) alter(ctx context.Context, topic string, configs map[string]string) error {
	wanted := kafka.IncrementalAlterConfigsRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}
	for name, value := range configs {
		change := kafka.IncrementalAlterConfigsRequestConfig{
			Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet,
		}
		wanted.Configs = append(wanted.Configs, change)
	}
	answer, err := a.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{wanted},
	})
	if err != nil {
		return err
	}
	return answer.Resources[0].Error
}

func (a segmentioAdmin) deleteRecords(context.Context, position) (int64, error) {
	return 0, errors.New("kafka-go has no DeleteRecords")
}

func (a segmentioAdmin) groups(ctx context.Context) ([]string, error) {
	found, err := a.ListGroups(ctx, &kafka.ListGroupsRequest{})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, group := range found.Groups {
		all = append(all, group.GroupID)
	}
	return all, found.Error
}

func (a segmentioAdmin) group(ctx context.Context, group string) (kafka.DescribeGroupsResponseGroup, error) {
	found, err := a.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return kafka.DescribeGroupsResponseGroup{}, err
	}
	return found.Groups[0], found.Groups[0].Error
}

func (a segmentioAdmin) members(ctx context.Context, group string) ([]member, error) {
	found, err := a.group(ctx, group)
	var all []member
	for _, m := range found.Members {
		all = append(all, member{m.ClientID, nil})
	}
	return all, err
}

func (a segmentioAdmin) groupState(ctx context.Context, group string) (string, error) {
	found, err := a.group(ctx, group)
	return found.GroupState, err
}

func (a segmentioAdmin) committed(ctx context.Context, group, topic string) (map[int32]int64, error) {
	found, err := a.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group})
	if err != nil {
		return nil, err
	}
	if found.Error != nil {
		return nil, found.Error
	}
	all := map[int32]int64{}
	for _, p := range found.Topics[topic] {
		if p.Error != nil {
			return nil, p.Error
		}
		all[int32(p.Partition)] = p.CommittedOffset
	}
	return all, nil
}

func (a segmentioAdmin) alterOffsets(ctx context.Context, group string, offsets []position) error {
	wanted := map[string][]kafka.OffsetCommit{}
	for _, p := range offsets {
		wanted[p.Topic] = append(wanted[p.Topic], kafka.OffsetCommit{Partition: int(p.Partition), Offset: p.Offset})
	}
	answer, err := a.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: wanted})
	if err != nil {
		return err
	}
	for _, partitions := range answer.Topics {
		for _, p := range partitions {
			err = errors.Join(err, p.Error)
		}
	}
	return err
}

func (a segmentioAdmin) deleteOffsets(ctx context.Context, group, topic string, partitions []int32) error {
	var wanted []int
	for _, p := range partitions {
		wanted = append(wanted, int(p))
	}
	request := &kafka.OffsetDeleteRequest{GroupID: group, Topics: map[string][]int{topic: wanted}}
	answer, err := a.OffsetDelete(ctx, request)
	if err != nil {
		return err
	}
	err = answer.Error
	for _, p := range answer.Topics[topic] {
		err = errors.Join(err, p.Error)
	}
	return err
}

func (a segmentioAdmin) deleteGroup(ctx context.Context, group string) error {
	answer, err := a.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return err
	}
	return answer.Errors[group]
}

func (a segmentioAdmin) brokers(ctx context.Context) ([][3]any, error) {
	found, err := a.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	var all [][3]any
	for _, broker := range found.Brokers {
		all = append(all, [3]any{broker.ID, broker.Host, broker.Port})
	}
	return all, nil
}

var errNoTransactions = errors.New("kafka-go's Writer has no transactions")

// noTransactions is what a producer of a library without them says.
type noTransactions struct{}

func (noTransactions) begin() error                           { return errNoTransactions }
func (noTransactions) commit(context.Context) error           { return errNoTransactions }
func (noTransactions) abort(context.Context) error            { return errNoTransactions }
func (noTransactions) sendOffsets(consumer, []position) error { return errNoTransactions }
