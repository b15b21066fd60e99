package main

import (
	"context"
	"encoding/json"
	"runtime/debug"
	"strings"
	"time"
)

// A client translates between the suite's verbs and one Kafka library. It keeps the library's defaults wherever an
// option doesn't say otherwise, because the defaults are what people run.
type client interface {
	version() string
	cannot() map[string]string // ability → why the library's public API has no way to do it
	hides() []int              // error codes that the library doesn't let one see
	code(err error) int        // Kafka's error code, -1 when there is none to see
	producer(bootstrap string, options producing, done delivered) (producer, error)
	consumer(bootstrap, group string, topics []string, options consuming) (consumer, error)
	read(ctx context.Context, bootstrap string, from position, count int, options consuming) ([]record, error)
	offsetAt(ctx context.Context, bootstrap, topic string, partition int32, timestamp int64) (*int64, error)
	partitions(ctx context.Context, bootstrap, topic string) (int, error)
	admin(bootstrap string) (admin, error)
}

// delivered is called once for each message sent, from any goroutine.
type delivered func(ticket int64, partition int32, offset int64, err error)

type producer interface {
	send(message message)
	flush(ctx context.Context) // hurries what the library holds back; the waiting for reports is done outside
	begin() error
	commit(ctx context.Context) error
	abort(ctx context.Context) error
	sendOffsets(from consumer, offsets []position) error
	close()
}

type consumer interface {
	poll(ctx context.Context, most int) ([]record, error)
	assignment() [][2]any
	commit(ctx context.Context, offsets []position) error // nil: all that poll handed out
	seek(to position) error
	close()
}

type admin interface {
	create(ctx context.Context, topic string, partitions int32, replicas int16, configs map[string]*string, validateOnly bool) error
	delete(ctx context.Context, topic string) error
	topics(ctx context.Context) (map[string]int, error)
	grow(ctx context.Context, topic string, partitions int32) error
	configs(ctx context.Context, topic string) (map[string]*string, error)
	alter(ctx context.Context, topic string, configs map[string]string) error
	deleteRecords(ctx context.Context, before position) (int64, error)
	groups(ctx context.Context) ([]string, error)
	members(ctx context.Context, group string) ([]member, error)
	groupState(ctx context.Context, group string) (string, error)
	committed(ctx context.Context, group, topic string) (map[int32]int64, error)
	alterOffsets(ctx context.Context, group string, offsets []position) error
	deleteOffsets(ctx context.Context, group, topic string, partitions []int32) error
	deleteGroup(ctx context.Context, group string) error
	brokers(ctx context.Context) ([][3]any, error)
	brokerConfigs(ctx context.Context, broker int32) (map[string]*string, error)
	close()
}

type producing struct {
	Codec      *string
	Acks       *acks
	Idempotent *bool
	LingerMs   *int `json:"linger_ms"`
	MaxRequest int  `json:"max_request"`
	TimeoutMs  int  `json:"timeout_ms"`
	Batch      int

	Transactional string
	TransactionMs int `json:"transaction_ms"`
}

func (p producing) linger() time.Duration {
	if p.LingerMs == nil {
		return 5 * time.Millisecond
	}
	return time.Duration(*p.LingerMs) * time.Millisecond
}

func (p producing) timeout() time.Duration {
	if p.TimeoutMs == 0 {
		return 30 * time.Second
	}
	return time.Duration(p.TimeoutMs) * time.Millisecond
}

// batchBytes is the one limit that Go's libraries know: a batch, and so a message, may not be larger. 0: not asked for.
func (p producing) batchBytes() int {
	if p.Batch != 0 {
		return p.Batch
	}
	return p.MaxRequest
}

// acks comes as 0, 1 or "all", and is kept as the protocol has it.
type acks int16

func (a *acks) UnmarshalJSON(text []byte) error {
	if string(text) == `"all"` {
		*a = -1
		return nil
	}
	return json.Unmarshal(text, (*int16)(a))
}

type consuming struct {
	Strategy  string
	Instance  string
	Reset     string
	SessionMs int `json:"session_ms"`
	Limit     int
	MaxFetch  int32 `json:"max_fetch"`
	Isolation string

	Transactional string // the id of the producer that will send the offsets
}

func (c consuming) session() time.Duration {
	if c.SessionMs == 0 {
		return 6 * time.Second
	}
	return time.Duration(c.SessionMs) * time.Millisecond
}

const (
	heartbeat = 500 * time.Millisecond // and the other paces that scenarios shouldn't have to wait for
	refresh   = time.Second
	backoff   = 50 * time.Millisecond
	mostWait  = 200 * time.Millisecond
)

type message struct {
	Ticket    int64
	Topic     string
	Partition *int32
	Key       []byte
	Value     []byte
	Headers   []header
	Timestamp *int64
}

// stamp is the zero time, which every library takes for "now", when the message names none.
func (m message) stamp() time.Time {
	if m.Timestamp == nil {
		return time.Time{}
	}
	return time.UnixMilli(*m.Timestamp)
}

type record struct {
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Timestamp int64    `json:"timestamp"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []header `json:"headers"`
}

// header is a pair in JSON.
type header struct {
	Name  string
	Value []byte
}

func (h header) MarshalJSON() ([]byte, error) { return json.Marshal([2]any{h.Name, h.Value}) }
func (h *header) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[2]any{&h.Name, &h.Value})
}

// position is topic, partition, offset in JSON.
type position struct {
	Topic     string
	Partition int32
	Offset    int64
}

func (p *position) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[3]any{&p.Topic, &p.Partition, &p.Offset})
}

// member is client id and instance id in JSON.
type member [2]any

// positions that follow the last record of each partition.
func after(records []record) []position {
	next := map[position]int64{}
	for _, r := range records {
		next[position{Topic: r.Topic, Partition: r.Partition}] = r.Offset + 1
	}
	var all []position
	for where, offset := range next {
		where.Offset = offset
		all = append(all, where)
	}
	return all
}

// pairs turns a map by topic into the [topic, partition] pairs that the suite expects.
func pairs[P int | int32](owned map[string][]P) [][2]any {
	all := [][2]any{}
	for topic, partitions := range owned {
		for _, partition := range partitions {
			all = append(all, [2]any{topic, partition})
		}
	}
	return all
}

// linked is the version of a module that this program was built with.
func linked(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == path {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return "of unknown version"
}
