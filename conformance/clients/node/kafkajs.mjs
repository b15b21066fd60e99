// KafkaJS: JavaScript from the socket up. Codecs beyond gzip are plugged in, as its users do.

import { randomUUID } from 'node:crypto'
import { Inbox, Outbox, Transactions, load, versionOf, within } from './common.mjs'

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
const kafkajs = await load('kafkajs')
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, Partitioners, logLevel } = kafkajs
const lz4 = await load('lz4-napi')
const zstd = await load('@bokuweb/zstd-wasm')
await zstd.init()

CompressionCodecs[CompressionTypes.Snappy] = await load('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer))
})

export const version = versionOf('kafkajs')
export const hides = [25] // it looks itself whether a group is empty before it sets offsets
const strategies = 'kafkajs comes with a round-robin assignor only'
export const cannot = {
  range: strategies,
  'cooperative-sticky': strategies,
  'subscribe early': 'kafkajs refuses to subscribe to a topic that is not there',
  'lost end': 'kafkajs gives up a commit when its connection is closed',
  static: 'kafkajs has no group.instance.id',
  'header order': 'kafkajs keeps headers in an object: values of one name stand together',
  'null header': 'kafkajs refuses to encode a header without a value',
  delete_offsets: "kafkajs's admin client has no OffsetDelete"
}

const TYPES = { none: 'None', gzip: 'GZIP', snappy: 'Snappy', lz4: 'LZ4', zstd: 'ZSTD' }
const BACKOFF = { initialRetryTime: 20, maxRetryTime: 200 }

export function codeOf (error) {
  for (let at = error; at; at = at.errors?.[0] ?? at.partitions?.[0]?.error ?? at.groups?.[0]?.error ?? at.cause) {
    if (typeof at.code === 'number') return at.code
  }
  return -1
}

function kafka (bootstrap, hear = () => {}) {
  const logCreator = () => ({ namespace, label, log }) => {
    hear(log)
    console.error(label, namespace, log.message, log.error ?? '')
  }
  return new Kafka({ clientId: 'conformance', brokers: [bootstrap], logLevel: logLevel.WARN, logCreator, retry: BACKOFF })
}

export async function producer (bootstrap, options) {
  // Which partition a record went to is known to the partitioner alone.
  const chosen = new WeakMap()
  const createPartitioner = () => {
    const choose = Partitioners.DefaultPartitioner()
    return asked => {
      const partition = choose(asked)
      chosen.set(asked.message, partition)
      return partition
    }
  }
  const made = kafka(bootstrap).producer({
    createPartitioner,
    idempotent: options.idempotent ?? options.transactional !== undefined,
    ...(options.transactional ? { transactionalId: options.transactional, maxInFlightRequests: 1 } : {}),
    ...(options.transaction_ms ? { transactionTimeout: options.transaction_ms } : {}),
    retry: { ...BACKOFF, retries: Math.ceil((options.timeout_ms ?? 30_000) / BACKOFF.maxRetryTime) }
  })
  await made.connect()
  const acks = options.acks === undefined || options.acks === 'all' ? -1 : options.acks
  const compression = CompressionTypes[TYPES[options.codec ?? 'none']]

  async function deliver (records) {
    const messages = records.map(({ key, value, partition, headers, timestamp }) => ({
      key,
      value,
      ...(partition === null ? {} : { partition }),
      ...(timestamp === null ? {} : { timestamp: String(timestamp) }),
      headers: objectOf(headers)
    }))
    const byTopic = new Map()
    records.forEach(({ topic }, i) => byTopic.set(topic, [...(byTopic.get(topic) ?? []), messages[i]]))
    const topicMessages = [...byTopic].map(([topic, messages]) => ({ topic, messages }))
    const said = await (transactions.current ?? made).sendBatch({ acks, compression, topicMessages })
    if (acks === 0) return records.map(() => [-1, -1])
    const next = new Map(said.map(answer => [`${answer.topicName} ${answer.partition}`, Number(answer.baseOffset)]))
    return records.map(({ topic }, i) => {
      const where = `${topic} ${chosen.get(messages[i])}`
      const offset = next.get(where)
      // It leaves out what is meant for a partition it doesn't know, and says nothing.
      if (offset === undefined) return new Error(`kafkajs sent nothing to ${where}`)
      next.set(where, offset + 1)
      return [chosen.get(messages[i]), offset]
    })
  }

  const outbox = new Outbox(deliver, { linger: options.linger_ms, bytes: options.batch })
  const transactions = new Transactions(outbox, () => made.transaction())
  if (options.transactional) {
    try {
      await transactions.prepare()
    } catch (error) {
      await within(1000, made.disconnect())
      throw error
    }
  }
  return {
    send: (record, done) => outbox.put(record, done),
    flush: milliseconds => outbox.flush(milliseconds),
    begin: () => transactions.begin(),
    commit: () => transactions.commit(),
    abort: () => transactions.abort(),
    sendOffsets: ({ group }, offsets) => transactions.current.sendOffsets({
      consumerGroupId: group,
      topics: [...new Set(offsets.map(([topic]) => topic))].map(topic => ({
        topic,
        partitions: offsets.filter(row => row[0] === topic).map(([, partition, offset]) => ({ partition, offset: String(offset) }))
      }))
    }),
    close: async () => {
      outbox.abandon('the producer was closed')
      await within(1000, made.disconnect())
    }
  }
}

function objectOf (headers) {
  const object = {}
  for (const [name, value] of headers) object[name] = name in object ? [object[name], value].flat() : value
  return object
}

const headersOf = object => Object.entries(object ?? {}).flatMap(([name, value]) => [value].flat().map(one => [name, one]))

const recordOf = (topic, partition, message) => ({
  topic,
  partition,
  offset: Number(message.offset),
  timestamp: Number(message.timestamp),
  key: message.key,
  value: message.value,
  headers: headersOf(message.headers)
})

function listener (bootstrap, group, options, hear) {
  return kafka(bootstrap, hear).consumer({
    groupId: group,
    sessionTimeout: options.session_ms ?? 6000,
    heartbeatInterval: 500,
    metadataMaxAge: 1000,
    maxWaitTimeInMs: 500, // stop() waits for the fetch under way
    readUncommitted: options.isolation === 'read_uncommitted',
    ...(options.max_fetch ? { maxBytesPerPartition: options.max_fetch } : {})
  })
}

export async function consumer (bootstrap, group, topics, options) {
  const made = listener(bootstrap, group, options)
  const inbox = new Inbox(options.limit)
  let assigned = []
  made.on(made.events.GROUP_JOIN, ({ payload }) => {
    // Everyone begins again at what is committed, so what lies here would come twice, or belongs to others now.
    inbox.drop(() => true)
    assigned = Object.entries(payload.memberAssignment).flatMap(([topic, ps]) => ps.map(p => [topic, p]))
  })
  made.on(made.events.CRASH, ({ payload }) => { if (!payload.restart) inbox.fail(payload.error) })
  await made.connect()
  await made.subscribe({ topics, fromBeginning: (options.reset ?? 'earliest') === 'earliest' })
  made.run({
    autoCommit: false,
    eachBatch: async ({ batch, isStale }) => {
      for (const message of batch.messages) {
        if (isStale()) return
        inbox.put(recordOf(batch.topic, batch.partition, message))
      }
    }
  }).catch(error => inbox.fail(error))
  return {
    group,
    poll: milliseconds => inbox.poll(milliseconds),
    assignment: () => assigned,
    commit: offsets => made.commitOffsets(
      (offsets ?? [...inbox.positions.values()]).map(([topic, partition, offset]) => ({ topic, partition, offset: String(offset) }))
    ),
    seek: (topic, partition, offset) => {
      made.seek({ topic, partition, offset: String(offset) })
      inbox.drop(record => record.topic === topic && record.partition === partition)
    },
    close: () => made.disconnect()
  }
}

// There is no consumer without a group, so each reader has one of its own.
export async function read (bootstrap, { topic, partition, start, count, timeout }, options) {
  const inbox = new Inbox()
  const outOfRange = Object.assign(new Error('offset out of range'), { code: 1 })
  const made = listener(bootstrap, `reader-${randomUUID()}`, options, ({ message }) => {
    // It goes on elsewhere by itself after OFFSET_OUT_OF_RANGE, and says so in its log alone.
    if (message.startsWith('Offset out of range')) inbox.fail(outOfRange)
  })
  made.on(made.events.CRASH, ({ payload }) => { if (!payload.restart) inbox.fail(payload.error) })
  await made.connect()
  try {
    await made.subscribe({ topic, fromBeginning: true })
    made.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        if (batch.partition !== partition) return
        for (const message of batch.messages) {
          if (Number(message.offset) >= start) inbox.put(recordOf(topic, partition, message))
        }
      }
    }).catch(error => inbox.fail(error))
    made.seek({ topic, partition, offset: String(start) })
    return await inbox.gather(count, timeout)
  } finally {
    await within(3000, made.disconnect())
  }
}

async function asking (bootstrap, ask) {
  const made = kafka(bootstrap).admin()
  await made.connect()
  try {
    return await ask(made)
  } finally {
    await made.disconnect()
  }
}

export function offsetAt (bootstrap, topic, partition, timestamp) {
  return asking(bootstrap, async made => {
    const found = timestamp < 0
      ? await made.fetchTopicOffsets(topic)
      : await made.fetchTopicOffsetsByTimestamp(topic, timestamp) // nothing that late: the end
    const one = found.find(({ partition: p }) => p === partition)
    if (!one) throw Object.assign(new Error(`no partition ${partition}`), { code: 3 })
    return Number(timestamp === -2 ? one.low : one.offset)
  })
}

export function partitions (bootstrap, topic) {
  return asking(bootstrap, async made => {
    const { topics: [found] } = await made.fetchTopicMetadata({ topics: [topic] })
    return found.partitions.length
  })
}

export async function admin (bootstrap) {
  const made = kafka(bootstrap).admin()
  await made.connect()
  const described = async (type, name) => {
    const { resources: [found] } = await made.describeConfigs({ resources: [{ type, name }], includeSynonyms: false })
    return found.configEntries
  }
  const valuesOf = entries => Object.fromEntries(entries.map(entry => [entry.configName, entry.configValue]))
  const groupOf = async name => (await made.describeGroups([name])).groups[0]

  return {
    async create ({ topic, partitions, configs, replicas, validate_only: validateOnly }) {
      const configEntries = Object.entries(configs ?? {}).map(([name, value]) => ({ name, value }))
      const wanted = { topic, numPartitions: partitions, replicationFactor: replicas, configEntries }
      const created = await made.createTopics({ topics: [wanted], validateOnly, waitForLeaders: !validateOnly })
      // Its way to say TOPIC_ALREADY_EXISTS.
      if (!created) throw Object.assign(new Error('createTopics() said false'), { code: 36 })
    },
    delete: ({ topic }) => made.deleteTopics({ topics: [topic] }),
    async topics () {
      const { topics } = await made.fetchTopicMetadata()
      return Object.fromEntries(topics.map(({ name, partitions }) => [name, partitions.length]))
    },
    grow: ({ topic, partitions }) => made.createPartitions({ topicPartitions: [{ topic, count: partitions }] }),
    configs: async ({ topic }) => valuesOf(await described(ConfigResourceTypes.TOPIC, topic)),
    async alter ({ topic, configs }) {
      // It has AlterConfigs only, which replaces all: what is set already is sent along.
      const before = valuesOf((await described(ConfigResourceTypes.TOPIC, topic)).filter(entry => !entry.isDefault))
      const configEntries = Object.entries({ ...before, ...configs }).map(([name, value]) => ({ name, value }))
      await made.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }] })
    },
    async delete_records ({ topic, partition, before }) {
      await made.fetchTopicOffsets(topic) // deleteTopicRecords() wants to have heard of the topic
      await made.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(before) }] })
      return Number((await made.fetchTopicOffsets(topic)).find(({ partition: p }) => p === partition).low)
    },
    groups: async () => (await made.listGroups()).groups.map(({ groupId }) => groupId),
    members: async ({ group }) => (await groupOf(group)).members.map(({ clientId }) => [clientId, null]),
    group_state: async ({ group }) => (await groupOf(group)).state,
    async committed ({ group, topic }) {
      const [found] = await made.fetchOffsets({ groupId: group, topics: [topic] })
      return found.partitions.map(({ partition, offset }) => [partition, Number(offset)]).filter(([, offset]) => offset >= 0)
    },
    alter_offsets: ({ group, topic, offsets }) =>
      made.setOffsets({ groupId: group, topic, partitions: offsets.map(([partition, offset]) => ({ partition, offset: String(offset) })) }),
    delete_group: ({ group }) => made.deleteGroups([group]),
    brokers: async () => (await made.describeCluster()).brokers.map(({ nodeId, host, port }) => [nodeId, host, port]),
    broker_configs: async ({ id }) => valuesOf(await described(ConfigResourceTypes.BROKER, String(id))),
    close: () => made.disconnect()
  }
}
