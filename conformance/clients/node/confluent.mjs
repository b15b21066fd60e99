// @confluentinc/kafka-javascript: librdkafka below. Driven through its callback API, which shows each delivery.

import { randomUUID } from 'node:crypto'
import { Unanswered, load, pause, versionOf, within } from './common.mjs'

const rdkafka = await load('@confluentinc/kafka-javascript')
const TRANSACTION_MS = 30_000 // for each step of one
const OUT_OF_RANGE_HERE = -140 // librdkafka's _AUTO_OFFSET_RESET: what becomes of OFFSET_OUT_OF_RANGE when told not to reset

export const version = `${versionOf('@confluentinc/kafka-javascript')} (librdkafka ${rdkafka.librdkafkaVersion})`
export const hides = []
const configs = "confluent-kafka-javascript's admin client knows no configs"
const offsets = "confluent-kafka-javascript's admin client only reads a group's offsets"
const zstd = { 'codec zstd': 'the librdkafka of confluent-kafka-javascript was built here without libzstd' }
export const cannot = {
  'null header': 'confluent-kafka-javascript wants a value in every header',
  configs,
  alter: configs,
  broker_configs: configs,
  validate_only: "confluent-kafka-javascript's createTopic() has no validate_only",
  alter_offsets: offsets,
  delete_offsets: offsets,
  ...(rdkafka.features.includes('zstd') ? {} : zstd)
}

export const codeOf = error => (typeof error.code === 'number' ? error.code : -1)

// The last argument of a method is a callback (error, result).
const ask = (object, method, ...words) => new Promise((resolve, reject) => {
  object[method](...words, (error, result) => (error ? reject(error) : resolve(result)))
})

const common = bootstrap => ({
  'bootstrap.servers': bootstrap,
  'client.id': 'conformance',
  'reconnect.backoff.ms': 20,
  'reconnect.backoff.max.ms': 200
})

// An empty buffer has no address in Node, and the binding takes what has none for null: this one has.
const EMPTY = Buffer.alloc(1).subarray(0, 0)
const there = data => (data?.length === 0 ? EMPTY : data)

const transactional = ({ transactional, transaction_ms: within = 60_000, timeout_ms: delivery = 30_000 }) => ({
  'transactional.id': transactional,
  'transaction.timeout.ms': within,
  'message.timeout.ms': Math.min(delivery, within),
  'enable.idempotence': true
})

export async function producer (bootstrap, options) {
  const made = new rdkafka.Producer({
    ...common(bootstrap),
    'compression.type': options.codec ?? 'none',
    acks: options.acks === 'all' ? -1 : options.acks ?? -1,
    'enable.idempotence': options.idempotent ?? false,
    'linger.ms': options.linger_ms ?? 5,
    'message.max.bytes': options.max_request ?? 1_000_000,
    'message.timeout.ms': options.timeout_ms ?? 30_000,
    'queue.buffering.max.messages': 1_000_000,
    'retry.backoff.ms': 20,
    ...(options.batch ? { 'batch.size': options.batch } : {}),
    ...(options.transactional ? transactional(options) : {}),
    dr_cb: true
  })
  let unanswered = 0
  made.on('delivery-report', (error, { partition, offset, opaque: done }) => {
    unanswered--
    if (error) done(error)
    else done(null, partition, offset)
  })
  made.on('event.error', error => console.error(error))
  await ask(made, 'connect', {})
  made.setPollInterval(5)
  if (options.transactional) {
    try {
      await ask(made, 'initTransactions', TRANSACTION_MS)
    } catch (error) {
      await within(3000, ask(made, 'disconnect', 0).catch(() => {}))
      throw error
    }
  }
  return {
    send ({ topic, partition, key, value, headers, timestamp }, done) {
      try {
        const listed = headers.map(([name, data]) => ({ [name]: data }))
        made.produce(topic, partition ?? -1, there(value), there(key), timestamp, done, listed)
        unanswered++
      } catch (error) {
        done(error)
      }
    },
    async flush (milliseconds) {
      const deadline = Date.now() + milliseconds
      while (unanswered && Date.now() < deadline) await pause(2)
    },
    begin: () => ask(made, 'beginTransaction'),
    commit: () => ask(made, 'commitTransaction', TRANSACTION_MS),
    abort: () => ask(made, 'abortTransaction', TRANSACTION_MS),
    sendOffsets ({ inner }, offsets) {
      const listed = offsets.map(([topic, partition, offset]) => ({ topic, partition, offset }))
      return ask(made, 'sendOffsetsToTransaction', listed, inner, TRANSACTION_MS)
    },
    close: () => within(3000, ask(made, 'disconnect', unanswered ? 500 : 0).catch(error => console.error(error)))
  }
}

const recordOf = ({ topic, partition, offset, timestamp, key, value, headers }) => ({
  topic,
  partition,
  offset,
  timestamp,
  key: typeof key === 'string' ? Buffer.from(key) : key,
  value,
  headers: (headers ?? []).flatMap(Object.entries)
})

async function listener (bootstrap, group, options, more = {}) {
  const made = new rdkafka.KafkaConsumer({
    ...common(bootstrap),
    'group.id': group,
    'enable.auto.commit': false,
    'session.timeout.ms': options.session_ms ?? 6000,
    'heartbeat.interval.ms': 500,
    'topic.metadata.refresh.interval.ms': 1000,
    'check.crcs': true,
    rebalance_cb: true,
    ...(options.strategy ? { 'partition.assignment.strategy': options.strategy } : {}),
    ...(options.instance ? { 'group.instance.id': options.instance } : {}),
    ...(options.max_fetch ? { 'fetch.message.max.bytes': options.max_fetch } : {}),
    ...(options.isolation ? { 'isolation.level': options.isolation } : {}),
    ...more
  }, { 'auto.offset.reset': options.reset ?? 'earliest' })
  made.on('event.error', error => console.error(error))
  made.on('rebalance.error', error => console.error(error))
  await ask(made, 'connect', {})
  made.setDefaultIsTimeoutOnlyForFirstMessage(true)
  return made
}

async function take (made, most, milliseconds) {
  made.setDefaultConsumeTimeout(Math.max(1, Math.round(milliseconds)))
  return (await ask(made, 'consume', most)).map(recordOf)
}

export async function consumer (bootstrap, group, topics, options) {
  const made = await listener(bootstrap, group, options)
  let left = options.limit ?? Infinity
  made.subscribe(topics)
  return {
    inner: made,
    async poll (milliseconds) {
      if (left === 0) {
        await pause(milliseconds)
        return []
      }
      const got = await take(made, Math.min(500, left), milliseconds)
      left -= got.length
      return got
    },
    assignment: () => made.assignments().map(({ topic, partition }) => [topic, partition]),
    commit: listed => made.commitSync(listed?.map(([topic, partition, offset]) => ({ topic, partition, offset })) ?? null),
    seek: (topic, partition, offset) => ask(made, 'seek', { topic, partition, offset }, 5000),
    close: () => within(10_000, ask(made, 'disconnect'))
  }
}

export async function read (bootstrap, { topic, partition, start, count, timeout }, options) {
  const made = await listener(bootstrap, `reader-${randomUUID()}`, { ...options, reset: 'error' })
  const deadline = Date.now() + timeout
  const got = []
  try {
    made.assign([{ topic, partition, offset: start }])
    while (got.length < count) {
      if (Date.now() > deadline) throw new Unanswered(`${got.length} of ${count} records within ${timeout} ms`)
      got.push(...(await take(made, Math.min(500, count - got.length), 200)))
    }
    return got
  } catch (error) {
    if (error.code === OUT_OF_RANGE_HERE) error.code = 1
    throw error
  } finally {
    await within(3000, ask(made, 'disconnect'))
  }
}

export async function offsetAt (bootstrap, topic, partition, timestamp) {
  const made = await listener(bootstrap, `reader-${randomUUID()}`, {})
  try {
    if (timestamp < 0) {
      const { lowOffset, highOffset } = await ask(made, 'queryWatermarkOffsets', topic, partition, 20_000)
      return timestamp === -2 ? lowOffset : highOffset
    }
    const [{ offset, error }] = await ask(made, 'offsetsForTimes', [{ topic, partition, offset: timestamp }], 20_000)
    if (error) throw error
    return offset < 0 ? null : offset
  } finally {
    await within(3000, ask(made, 'disconnect'))
  }
}

export async function partitions (bootstrap, topic) {
  const made = await admin(bootstrap)
  try {
    return (await made.topic(topic)).partitions.length
  } finally {
    made.close()
  }
}

const STATES = ['Unknown', 'PreparingRebalance', 'CompletingRebalance', 'Stable', 'Dead', 'Empty']

export async function admin (bootstrap) {
  const made = rdkafka.AdminClient.create(common(bootstrap))
  const within20 = { timeout: 20_000 }
  const fine = found => {
    if (found.error && found.error.code) throw found.error
    return found
  }
  const groupOf = async group => fine((await ask(made, 'describeGroups', [group], within20)).groups[0])

  return {
    topic: async name => fine((await ask(made, 'describeTopics', [name], within20))[0]),
    create: ({ topic, partitions, replicas, configs }) =>
      ask(made, 'createTopic', { topic, num_partitions: partitions, replication_factor: replicas, config: configs ?? {} }, 20_000),
    delete: ({ topic }) => ask(made, 'deleteTopic', topic, 20_000),
    async topics () {
      const { topics } = await ask(made, 'getMetadata', { allTopics: true, timeout: 20_000 })
      return Object.fromEntries(topics.map(({ name, partitions }) => [name, partitions.length]))
    },
    grow: ({ topic, partitions }) => ask(made, 'createPartitions', topic, partitions, 20_000),
    delete_records: async ({ topic, partition, before }) =>
      fine((await ask(made, 'deleteRecords', [{ topic, partition, offset: before }], within20))[0]).lowWatermark,
    groups: async () => (await ask(made, 'listGroups', within20)).groups.map(({ groupId }) => groupId),
    members: async ({ group }) => (await groupOf(group)).members.map(m => [m.clientId, m.groupInstanceId ?? null]),
    group_state: async ({ group }) => STATES[(await groupOf(group)).state],
    async committed ({ group, topic }) {
      const wanted = [{ groupId: group, partitions: null }]
      const found = fine((await ask(made, 'listConsumerGroupOffsets', wanted, within20))[0])
      return found.partitions.filter(p => p.topic === topic && Number(p.offset) >= 0).map(p => [p.partition, Number(p.offset)])
    },
    delete_group: async ({ group }) => { fine((await ask(made, 'deleteGroups', [group], within20))[0]) },
    async brokers () {
      const { brokers } = await ask(made, 'getMetadata', { allTopics: true, timeout: 20_000 })
      return brokers.map(({ id, host, port }) => [id, host, port])
    },
    close: () => made.disconnect()
  }
}
