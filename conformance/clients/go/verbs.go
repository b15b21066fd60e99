package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

type verb = func(p *program, line []byte) (any, error)

// asking makes a verb of a function that takes the request's fields.
func asking[A any](do func(ctx context.Context, p *program, args A) (any, error)) verb {
	return func(p *program, line []byte) (any, error) {
		var args A
		if err := json.Unmarshal(line, &args); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return do(ctx, p, args)
	}
}

// administering makes a verb of a function that takes an admin and the request's fields.
func administering[A any](do func(ctx context.Context, admin admin, args A) (any, error)) verb {
	return func(p *program, line []byte) (any, error) {
		var which struct{ Admin int }
		if err := json.Unmarshal(line, &which); err != nil {
			return nil, err
		}
		admin := p.admins[which.Admin]
		if admin == nil {
			return nil, fmt.Errorf("no admin %d", which.Admin)
		}
		return asking(func(ctx context.Context, _ *program, args A) (any, error) { return do(ctx, admin, args) })(p, line)
	}
}

func (p *program) sender(handle int) (*sender, error) {
	if sender := p.producers[handle]; sender != nil {
		return sender, nil
	}
	return nil, fmt.Errorf("no producer %d", handle)
}

func (p *program) reader(handle int) (*reader, error) {
	if reader := p.consumers[handle]; reader != nil {
		return reader, nil
	}
	return nil, fmt.Errorf("no consumer %d", handle)
}

// transacting makes a verb of a step in a producer's transaction; the consumer is nil unless the request names one.
func transacting(step func(ctx context.Context, sender *sender, args handled, from consumer) error) verb {
	return asking(func(ctx context.Context, p *program, args handled) (any, error) {
		sender, err := p.sender(args.Producer)
		if err != nil {
			return nil, err
		}
		var from consumer
		if reader := p.consumers[args.Consumer]; reader != nil {
			from = reader.consumer
		}
		return nil, step(ctx, sender, args, from)
	})
}

type (
	nothing struct{}
	topical struct{ Topic string }
	grouped struct {
		Group, Topic string
		Offsets      []placed
		Partitions   []int32
	}
	where struct {
		Bootstrap, Topic string
		Partition        int32
		Start, Timestamp int64
		Count            int
		Timeout          float64
		Options          consuming
	}
	handled struct {
		Producer, Consumer int
		Timeout            float64
		Offsets            []position
		Topic              string
		Partition          int32
		Offset             int64
	}
)

// placed is partition, offset in JSON.
type placed struct {
	partition int32
	offset    int64
}

func (o *placed) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[2]any{&o.partition, &o.offset})
}

var verbs = map[string]verb{
	"hello": asking(func(_ context.Context, p *program, _ nothing) (any, error) {
		return map[string]any{"version": p.version(), "cannot": p.cannot(), "hides": p.hides()}, nil
	}),

	"producer": asking(func(_ context.Context, p *program, args struct {
		Bootstrap string
		Options   producing
	}) (any, error) {
		made := &sender{idle: make(chan struct{})}
		close(made.idle)
		report := func(ticket int64, partition int32, offset int64, err error) {
			if err != nil {
				failed := p.failure(err)
				if _, silent := failed["unanswered"]; silent {
					failed = map[string]any{"failed": -1, "detail": err.Error()}
				}
				failed["sent"] = ticket
				p.out.line(failed)
			} else {
				p.out.line(map[string]any{"sent": ticket, "partition": partition, "offset": offset})
			}
			made.ended()
		}
		inner, err := p.client.producer(args.Bootstrap, args.Options, report)
		if err != nil {
			return nil, err
		}
		made.producer = inner
		handle := p.handle()
		p.producers[handle] = made
		return handle, nil
	}),
	"flush": asking(func(_ context.Context, p *program, args handled) (any, error) {
		sender, err := p.sender(args.Producer)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), seconds(args.Timeout))
		defer cancel()
		sender.flush(ctx)
		sender.wait(ctx)
		return nil, nil
	}),
	"begin": transacting(func(_ context.Context, sender *sender, _ handled, _ consumer) error {
		return sender.begin()
	}),
	"commit_transaction": transacting(func(ctx context.Context, sender *sender, _ handled, _ consumer) error {
		return sender.commit(ctx)
	}),
	"abort": transacting(func(ctx context.Context, sender *sender, _ handled, _ consumer) error {
		return sender.abort(ctx)
	}),
	"send_offsets": transacting(func(_ context.Context, sender *sender, args handled, from consumer) error {
		return sender.sendOffsets(from, args.Offsets)
	}),
	"close_producer": asking(func(_ context.Context, p *program, args handled) (any, error) {
		sender, err := p.sender(args.Producer)
		if err != nil {
			return nil, err
		}
		delete(p.producers, args.Producer)
		within(time.Second, sender.close)
		return nil, nil
	}),

	"consumer": asking(func(_ context.Context, p *program, args struct {
		Bootstrap, Group string
		Topics           []string
		Options          consuming
	}) (any, error) {
		inner, err := p.client.consumer(args.Bootstrap, args.Group, args.Topics, args.Options)
		if err != nil {
			return nil, err
		}
		made := &reader{consumer: inner, limit: -1}
		if args.Options.Limit > 0 {
			made.limit = args.Options.Limit
		}
		handle := p.handle()
		p.consumers[handle] = made
		return handle, nil
	}),
	"poll": asking(func(_ context.Context, p *program, args handled) (any, error) {
		reader, err := p.reader(args.Consumer)
		if err != nil {
			return nil, err
		}
		most := 500
		if reader.limit >= 0 {
			most = min(most, reader.limit)
		}
		got := []record{}
		if most == 0 { // the limit is reached: only the group's life goes on
			time.Sleep(seconds(args.Timeout))
		} else {
			ctx, cancel := context.WithTimeout(context.Background(), seconds(args.Timeout))
			defer cancel()
			more, err := reader.poll(ctx, most)
			if err != nil {
				return nil, err
			}
			got = append(got, more...)
		}
		if reader.limit >= 0 {
			reader.limit -= len(got)
		}
		return map[string]any{"records": got, "assignment": reader.assignment()}, nil
	}),
	"assignment": asking(func(_ context.Context, p *program, args handled) (any, error) {
		reader, err := p.reader(args.Consumer)
		if err != nil {
			return nil, err
		}
		return reader.assignment(), nil
	}),
	"commit": asking(func(ctx context.Context, p *program, args handled) (any, error) {
		reader, err := p.reader(args.Consumer)
		if err != nil {
			return nil, err
		}
		return nil, reader.commit(ctx, args.Offsets)
	}),
	"seek": asking(func(_ context.Context, p *program, args handled) (any, error) {
		reader, err := p.reader(args.Consumer)
		if err != nil {
			return nil, err
		}
		return nil, reader.seek(position{args.Topic, args.Partition, args.Offset})
	}),
	"close_consumer": asking(func(_ context.Context, p *program, args handled) (any, error) {
		reader, err := p.reader(args.Consumer)
		if err != nil {
			return nil, err
		}
		delete(p.consumers, args.Consumer)
		within(10*time.Second, reader.close)
		return nil, nil
	}),

	"read": asking(func(_ context.Context, p *program, args where) (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), seconds(args.Timeout))
		defer cancel()
		from := position{args.Topic, args.Partition, args.Start}
		got, err := p.read(ctx, args.Bootstrap, from, args.Count, args.Options)
		if err != nil {
			return nil, err
		}
		if len(got) < args.Count {
			return nil, unanswered(fmt.Sprintf("%d of %d records within %v s", len(got), args.Count, args.Timeout))
		}
		return append([]record{}, got...), nil
	}),
	"offset_at": asking(func(ctx context.Context, p *program, args where) (any, error) {
		return p.offsetAt(ctx, args.Bootstrap, args.Topic, args.Partition, args.Timestamp)
	}),
	"partitions": asking(func(ctx context.Context, p *program, args where) (any, error) {
		return p.partitions(ctx, args.Bootstrap, args.Topic)
	}),

	"admin": asking(func(_ context.Context, p *program, args where) (any, error) {
		made, err := p.client.admin(args.Bootstrap)
		if err != nil {
			return nil, err
		}
		handle := p.handle()
		p.admins[handle] = made
		return handle, nil
	}),
	"close_admin": asking(func(_ context.Context, p *program, args struct{ Admin int }) (any, error) {
		if admin := p.admins[args.Admin]; admin != nil {
			delete(p.admins, args.Admin)
			within(time.Second, admin.close)
		}
		return nil, nil
	}),
	"create": administering(func(ctx context.Context, admin admin, args struct {
		Topic        string
		Partitions   int32
		Replicas     *int16
		Configs      map[string]*string
		ValidateOnly bool `json:"validate_only"`
	}) (any, error) {
		replicas := int16(1)
		if args.Replicas != nil {
			replicas = *args.Replicas
		}
		return nil, admin.create(ctx, args.Topic, args.Partitions, replicas, args.Configs, args.ValidateOnly)
	}),
	"delete": administering(func(ctx context.Context, admin admin, args topical) (any, error) {
		return nil, admin.delete(ctx, args.Topic)
	}),
	"topics": administering(func(ctx context.Context, admin admin, _ nothing) (any, error) {
		return admin.topics(ctx)
	}),
	"grow": administering(func(ctx context.Context, admin admin, args struct {
		Topic      string
		Partitions int32
	}) (any, error) {
		return nil, admin.grow(ctx, args.Topic, args.Partitions)
	}),
	"configs": administering(func(ctx context.Context, admin admin, args topical) (any, error) {
		return admin.configs(ctx, args.Topic)
	}),
	"alter": administering(func(ctx context.Context, admin admin, args struct {
		Topic   string
		Configs map[string]string
	}) (any, error) {
		return nil, admin.alter(ctx, args.Topic, args.Configs)
	}),
	"delete_records": administering(func(ctx context.Context, admin admin, args struct {
		Topic     string
		Partition int32
		Before    int64
	}) (any, error) {
		return admin.deleteRecords(ctx, position{args.Topic, args.Partition, args.Before})
	}),
	"groups": administering(func(ctx context.Context, admin admin, _ nothing) (any, error) {
		found, err := admin.groups(ctx)
		return append([]string{}, found...), err
	}),
	"members": administering(func(ctx context.Context, admin admin, args grouped) (any, error) {
		found, err := admin.members(ctx, args.Group)
		return append([]member{}, found...), err
	}),
	"group_state": administering(func(ctx context.Context, admin admin, args grouped) (any, error) {
		return admin.groupState(ctx, args.Group)
	}),
	"committed": administering(func(ctx context.Context, admin admin, args grouped) (any, error) {
		found, err := admin.committed(ctx, args.Group, args.Topic)
		all := [][2]int64{}
		for partition, offset := range found {
			if offset >= 0 {
				all = append(all, [2]int64{int64(partition), offset})
			}
		}
		return all, err
	}),
	"alter_offsets": administering(func(ctx context.Context, admin admin, args grouped) (any, error) {
		var offsets []position
		for _, o := range args.Offsets {
			offsets = append(offsets, position{args.Topic, o.partition, o.offset})
		}
		return nil, admin.alterOffsets(ctx, args.Group, offsets)
	}),
	"delete_offsets": administering(func(ctx context.Context, admin admin, args grouped) (any, error) {
		return nil, admin.deleteOffsets(ctx, args.Group, args.Topic, args.Partitions)
	}),
	"delete_group": administering(func(ctx context.Context, admin admin, args grouped) (any, error) {
		return nil, admin.deleteGroup(ctx, args.Group)
	}),
	"brokers": administering(func(ctx context.Context, admin admin, _ nothing) (any, error) {
		return admin.brokers(ctx)
	}),
	"broker_configs": administering(func(ctx context.Context, admin admin, args struct{ ID int32 }) (any, error) {
		return admin.brokerConfigs(ctx, args.ID)
	}),
}
