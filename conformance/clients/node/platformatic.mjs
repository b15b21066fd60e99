// @platformatic/kafka: JavaScript from the socket up, younger than kafkajs and with an API of its own.

import { randomUUID } from 'node:crypto'
import { Inbox, Outbox, Transactions, Unanswered, load, versionOf, within } from './common.mjs'

const kafka = await load('@platformatic/kafka')
const { Admin, ConfigResourceTypes, Consumer, FetchIsolationLevels, IncrementalAlterConfigOperationTypes, Producer } = kafka

export const version = versionOf('@platformatic/kafka')
export const hides = [3] // of an unknown topic it makes an error of its own that has no code
const strategies = '@platformatic/kafka comes with a round-robin assignor only'
const zstd = { 'codec zstd': "@platformatic/kafka has zstd from Node's zlib, which has it from 22.15 on" }
export const cannot = {
  range: strategies,
  'cooperative-sticky': strategies,
  reset: '@platformatic/kafka ends a stream whose position is out of range',
  'later partitions': '@platformatic/kafka assigns the partitions that were there when its group formed',
  'subscribe early': '@platformatic/kafka refuses to consume a topic that is not there',
  'unknown partition': '@platformatic/kafka takes any partition modulo the number there is',
  'take over': '@platformatic/kafka asks to go on as producer 0, epoch 0, which is refused where its id is known',
  'empty transactions': '@platformatic/kafka asks for the end of a transaction that has no partitions',
  'aborted often': '@platformatic/kafka remembers one aborted transaction of a producer among those of an answer',
  fenced: '@platformatic/kafka commits without its group.instance.id and joins anew when the broker has forgotten it',
  seek: '@platformatic/kafka has no seek: a position is chosen when a stream begins',
  validate_only: "@platformatic/kafka's createTopics() has no validateOnly",
  ...(kafka.compressionsAlgorithms.zstd.available ? {} : zstd)
}

const ACKS = { 0: 0, 1: 1, all: -1 }

export function codeOf (error) {
  if (typeof error?.apiCode === 'number') return error.apiCode
  for (const inner of [...(error?.errors ?? []), error?.cause].filter(Boolean)) {
    const code = codeOf(inner)
    if (code !== -1) return code
  }
  return -1
}

const common = bootstrap => ({ clientId: 'conformance', bootstrapBrokers: [bootstrap], retryDelay: 50, metadataMaxAge: 1000 })

export async function producer (bootstrap, options) {
  // Which partition a record went to isn't told, so the choice is made here: the client's own for a key, in turn without.
  const turns = new Map()
  const made = new Producer({
    ...common(bootstrap),
    retries: Math.ceil((options.timeout_ms ?? 30_000) / 50),
    idempotent: options.idempotent ?? options.transactional !== undefined,
    ...(options.transactional ? { transactionalId: options.transactional } : {}),
    ...(options.transaction_ms ? { timeout: options.transaction_ms } : {}), // which is that of its requests, too
    compression: options.codec ?? 'none'
  })

  async function deliver (records) {
    const topics = [...new Set(records.map(({ topic }) => topic))]
    const metadata = await made.metadata({ topics })
    const messages = records.map(({ topic, partition, key, value, headers, timestamp }) => {
      if (partition === null && key) partition = kafka.defaultPartitioner({}, key)
      else if (partition === null) turns.set(topic, (partition = (turns.get(topic) ?? -1) + 1))
      partition %= metadata.topics.get(topic).partitionsCount
      return {
        topic,
        partition,
        key: key ?? undefined,
        value: value ?? undefined,
        // Names as buffers, because a Map of strings would keep one header of each name only.
        headers: new Map(headers.map(([name, data]) => [Buffer.from(name), data])),
        ...(timestamp === null ? {} : { timestamp: BigInt(timestamp) })
      }
    })
    const { offsets } = await (transactions.current ?? made).send({ messages, acks: ACKS[options.acks ?? 'all'] })
    if (!offsets) return records.map(() => [-1, -1])
    const next = new Map(offsets.map(({ topic, partition, offset }) => [`${topic} ${partition}`, Number(offset)]))
    return messages.map(({ topic, partition }) => {
      const offset = next.get(`${topic} ${partition}`)
      next.set(`${topic} ${partition}`, offset + 1)
      return [partition, offset]
    })
  }

  const outbox = new Outbox(deliver, { linger: options.linger_ms, bytes: options.batch })
  const transactions = new Transactions(outbox, () => made.beginTransaction())
  if (options.transactional) {
    try {
      await transactions.prepare()
    } catch (error) {
      await within(1000, made.close())
      throw error
    }
  }
  return {
    send: (record, done) => outbox.put(record, done),
    flush: milliseconds => outbox.flush(milliseconds),
    begin: () => transactions.begin(),
    commit: () => transactions.commit(),
    abort: () => transactions.abort(),
    async sendOffsets ({ inner, messageBefore }, offsets) {
      await transactions.current.addConsumer(inner)
      for (const row of offsets) await transactions.current.addOffset(messageBefore(row))
    },
    close: async () => {
      outbox.abandon('the producer was closed')
      await within(1000, made.close())
    }
  }
}

const recordOf = ({ topic, partition, offset, timestamp, key, value, headers }) => ({
  topic,
  partition,
  offset: Number(offset),
  timestamp: Number(timestamp),
  key: key ?? null,
  value: value ?? null,
  headers: [...headers].map(([name, data]) => [name.toString(), data ?? null])
})

function listener (bootstrap, group, options, more = {}) {
  const isolation = options.isolation && FetchIsolationLevels[options.isolation.toUpperCase()]
  return new Consumer({
    ...common(bootstrap),
    groupId: group,
    sessionTimeout: options.session_ms ?? 6000,
    rebalanceTimeout: Math.max(10_000, options.session_ms ?? 6000),
    heartbeatInterval: 500,
    maxWaitTime: 500, // closing waits for the fetch under way
    ...more,
    ...(options.instance ? { groupInstanceId: options.instance } : {}),
    ...(options.max_fetch ? { maxBytesPerPartition: options.max_fetch } : {}),
    ...(isolation === undefined ? {} : { isolationLevel: isolation })
  })
}

export async function consumer (bootstrap, group, topics, options) {
  // Its stream ends for good when the retries are used up, three by default: a restart of the broker takes longer.
  const made = listener(bootstrap, group, options, { retries: 600 })
  const inbox = new Inbox(options.limit)
  const assigned = () => (made.assignments ?? []).flatMap(({ topic, partitions }) => partitions.map(p => [topic, p]))
  made.on('consumer:group:join', () => {
    const mine = new Set(assigned().map(String))
    inbox.drop(({ topic, partition }) => !mine.has(String([topic, partition])))
  })
  made.on('error', error => inbox.fail(error))
  const messages = new Map() // for transactions, which take messages where others take offsets
  const fallbackMode = options.reset ?? 'earliest'
  // Joining waits for the other members to come along, which they do when they are polled: not a matter of this call.
  const joining = made.consume({ topics, mode: 'committed', fallbackMode, autocommit: false }).then(
    stream => {
      stream.on('data', message => {
        if (options.transactional) messages.set(`${message.topic} ${message.partition} ${message.offset + 1n}`, message)
        inbox.put(recordOf(message))
      })
      stream.on('error', error => inbox.fail(error))
    },
    error => inbox.fail(error)
  )
  await within(1000, joining)
  return {
    inner: made,
    messageBefore: row => messages.get(row.join(' ')),
    poll: milliseconds => inbox.poll(milliseconds),
    assignment: assigned,
    commit: offsets => made.commit({
      offsets: (offsets ?? [...inbox.positions.values()]).map(([topic, partition, offset]) => (
        { topic, partition, offset: BigInt(offset), leaderEpoch: -1 }
      ))
    }),
    close: () => made.close(true)
  }
}

export async function read (bootstrap, { topic, partition, start, count, timeout }, options) {
  const made = listener(bootstrap, `reader-${randomUUID()}`, options)
  const deadline = Date.now() + timeout
  const got = []
  try {
    const found = (await made.metadata({ topics: [topic] })).topics.get(topic)
    for (let position = start; got.length < count;) {
      if (Date.now() > deadline) throw new Unanswered(`${got.length} of ${count} records within ${timeout} ms`)
      const wanted = {
        partition,
        fetchOffset: BigInt(position),
        partitionMaxBytes: options.max_fetch ?? 1_048_576,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1
      }
      const answer = await made.fetch({
        node: found.partitions[partition].leader,
        topics: [{ topicId: found.id, partitions: [wanted] }]
      })
      for (const batch of answer.responses.flatMap(({ partitions }) => partitions).flatMap(({ records }) => records ?? [])) {
        for (const { offsetDelta, timestampDelta, key, value, headers } of batch.attributes & 0x20 ? [] : batch.records) {
          const offset = Number(batch.firstOffset) + offsetDelta
          const timestamp = batch.attributes & 0x08 ? batch.maxTimestamp : batch.firstTimestamp + timestampDelta
          if (offset >= start) got.push(recordOf({ topic, partition, offset, timestamp, key, value, headers }))
        }
        position = Number(batch.firstOffset) + batch.lastOffsetDelta + 1
      }
    }
    return got
  } finally {
    await within(3000, made.close(true))
  }
}

async function asking (made, ask) {
  try {
    return await ask(made)
  } finally {
    await within(3000, made.close())
  }
}

export function offsetAt (bootstrap, topic, partition, timestamp) {
  return asking(listener(bootstrap, `reader-${randomUUID()}`, {}), async made => {
    const found = await made.listOffsets({ topics: [topic], partitions: { [topic]: [partition] }, timestamp: BigInt(timestamp) })
    const offset = Number(found.get(topic)[partition])
    return offset < 0 ? null : offset
  })
}

export function partitions (bootstrap, topic) {
  return asking(new Admin(common(bootstrap)), async made => (await made.metadata({ topics: [topic] })).topics.get(topic).partitionsCount)
}

// It says them in capitals.
const STATES = ['PreparingRebalance', 'CompletingRebalance', 'Stable', 'Dead', 'Empty']
const stateNamed = said => STATES.find(name => name.toUpperCase() === said.toUpperCase().replace('_', '')) ?? said

export async function admin (bootstrap) {
  const made = new Admin(common(bootstrap))
  const counts = async topics => (await made.metadata({ topics, forceUpdate: true })).topics
  const groupOf = async group => (await made.describeGroups({ groups: [group] })).get(group)
  const described = async (resourceType, resourceName) => {
    const [{ configs }] = await made.describeConfigs({ resources: [{ resourceType, resourceName, configurationKeys: null }] })
    return Object.fromEntries(configs.map(({ name, value }) => [name, value]))
  }

  return {
    async create ({ topic, partitions, replicas, configs }) {
      const listed = Object.entries(configs ?? {}).map(([name, value]) => ({ name, value }))
      await made.createTopics({ topics: [topic], partitions, replicas, configs: listed })
    },
    delete: ({ topic }) => made.deleteTopics({ topics: [topic] }),
    async topics () {
      const names = await made.listTopics()
      return Object.fromEntries([...(await counts(names))].map(([name, { partitionsCount }]) => [name, partitionsCount]))
    },
    grow: ({ topic, partitions }) => made.createPartitions({ topics: [{ name: topic, count: partitions, assignments: null }] }),
    configs: ({ topic }) => described(ConfigResourceTypes.TOPIC, topic),
    async alter ({ topic, configs }) {
      const listed = Object.entries(configs).map(([name, value]) => (
        { name, value, configOperation: IncrementalAlterConfigOperationTypes.SET }
      ))
      await made.incrementalAlterConfigs({
        resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs: listed }]
      })
    },
    async delete_records ({ topic, partition, before }) {
      const [{ partitions: [{ lowWatermark }] }] = await made.deleteRecords({
        topics: [{ name: topic, partitions: [{ partition, offset: BigInt(before) }] }]
      })
      return Number(lowWatermark)
    },
    groups: async () => [...(await made.listGroups()).keys()],
    members: async ({ group }) => [...(await groupOf(group)).members.values()].map(m => [m.clientId, m.groupInstanceId ?? null]),
    group_state: async ({ group }) => stateNamed((await groupOf(group)).state),
    async committed ({ group, topic }) {
      const count = (await counts([topic])).get(topic).partitionsCount
      const topics = [{ name: topic, partitionIndexes: [...Array(count).keys()] }]
      const [found] = await made.listConsumerGroupOffsets({ groups: [{ groupId: group, topics }] })
      return found.topics.flatMap(({ partitions }) => partitions)
        .map(({ partitionIndex, committedOffset }) => [partitionIndex, Number(committedOffset)])
        .filter(([, offset]) => offset >= 0)
    },
    async alter_offsets ({ group, topic, offsets }) {
      const partitionOffsets = offsets.map(([partition, offset]) => ({ partition, offset: BigInt(offset) }))
      await made.alterConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionOffsets }] })
    },
    async delete_offsets ({ group, topic, partitions }) {
      await made.deleteConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionIndexes: partitions }] })
    },
    delete_group: ({ group }) => made.deleteGroups({ groups: [group] }),
    async brokers () {
      const { brokers } = await made.metadata({ topics: [], forceUpdate: true })
      return [...brokers].map(([id, { host, port }]) => [id, host, port])
    },
    broker_configs: ({ id }) => described(ConfigResourceTypes.BROKER, String(id)),
    close: () => made.close()
  }
}
