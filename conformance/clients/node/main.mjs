// `node main.mjs PACKAGES CLIENT`: one Node client behind the JSON lines of ../remote.py.
//
// Here are the loop, the handles and the translation between lines and values; a client's own file says the rest.
// PACKAGES is the directory of node_modules, which lies outside of the sources.

import { createInterface } from 'node:readline'
import { Unanswered } from './common.mjs'

const FILES = { kafkajs: './kafkajs.mjs', 'confluent-js': './confluent.mjs', platformatic: './platformatic.mjs' }
const ADMIN_VERBS = new Set([
  'create', 'delete', 'topics', 'grow', 'configs', 'alter', 'delete_records', 'groups', 'members', 'group_state',
  'committed', 'alter_offsets', 'delete_offsets', 'delete_group', 'brokers', 'broker_configs'
])

const client = await import(FILES[process.argv[3]])
const handles = new Map()
let lastHandle = 0

const bytes = text => (text === null || text === undefined ? null : Buffer.from(text, 'base64'))
const text = data => (data === null || data === undefined ? null : Buffer.from(data).toString('base64'))
const say = line => process.stdout.write(`${JSON.stringify(line)}\n`)
const failure = error => ({ failed: client.codeOf(error), detail: `${error.name}: ${error.message}` })

function keep (object) {
  handles.set(++lastHandle, object)
  return lastHandle
}

function take (number) {
  const object = handles.get(number)
  handles.delete(number)
  return object
}

function line (record) {
  const headers = record.headers.map(([name, value]) => [name, text(value)])
  return { ...record, key: text(record.key), value: text(record.value), headers }
}

function send (request) {
  const { ticket } = request
  const record = {
    topic: request.topic,
    partition: request.partition ?? null,
    key: bytes(request.key),
    value: bytes(request.value),
    headers: (request.headers ?? []).map(([name, value]) => [name, bytes(value)]),
    timestamp: request.timestamp ?? null
  }
  handles.get(request.producer).send(record, (error, partition, offset) => {
    say(error ? { sent: ticket, ...failure(error) } : { sent: ticket, partition, offset })
  })
}

const verbs = {
  hello: () => ({ version: client.version, cannot: client.cannot, hides: client.hides }),

  producer: async ({ bootstrap, options }) => keep(await client.producer(bootstrap, options ?? {})),
  flush: async ({ producer, timeout }) => { await handles.get(producer).flush(timeout * 1000) },
  begin: async ({ producer }) => { await handles.get(producer).begin() },
  commit_transaction: async ({ producer }) => { await handles.get(producer).commit() },
  abort: async ({ producer }) => { await handles.get(producer).abort() },
  send_offsets: async ({ producer, consumer, offsets }) => {
    await handles.get(producer).sendOffsets(handles.get(consumer), offsets)
  },
  close_producer: async ({ producer }) => { await take(producer).close() },

  consumer: async ({ bootstrap, group, topics, options }) =>
    keep(await client.consumer(bootstrap, group, topics, options ?? {})),
  poll: async ({ consumer, timeout }) => {
    const records = await handles.get(consumer).poll(timeout * 1000)
    return { records: records.map(line), assignment: handles.get(consumer).assignment() }
  },
  assignment: ({ consumer }) => handles.get(consumer).assignment(),
  commit: async ({ consumer, offsets }) => { await handles.get(consumer).commit(offsets) },
  seek: async ({ consumer, topic, partition, offset }) => { await handles.get(consumer).seek(topic, partition, offset) },
  close_consumer: async ({ consumer }) => { await take(consumer).close() },

  read: async ({ bootstrap, topic, partition, start, count, timeout, options }) =>
    (await client.read(bootstrap, { topic, partition, start, count, timeout: timeout * 1000 }, options ?? {})).map(line),
  offset_at: ({ bootstrap, topic, partition, timestamp }) => client.offsetAt(bootstrap, topic, partition, timestamp),
  partitions: ({ bootstrap, topic }) => client.partitions(bootstrap, topic),

  admin: async ({ bootstrap }) => keep(await client.admin(bootstrap)),
  close_admin: async ({ admin }) => { await take(admin).close() }
}

async function answer (request) {
  try {
    const verb = ADMIN_VERBS.has(request.do) ? handles.get(request.admin)?.[request.do] : verbs[request.do]
    if (!verb) throw new Error(`nobody knows how to ${request.do}`)
    say({ ok: (await verb(request)) ?? null })
  } catch (error) {
    console.error(error)
    say(error instanceof Unanswered ? { unanswered: error.message } : failure(error))
  }
}

// A client's background work may fail with nobody waiting for it; that is its affair until a scenario asks.
process.on('unhandledRejection', error => console.error('nobody waited for', error))

for await (const input of createInterface({ input: process.stdin })) {
  let request
  try {
    request = JSON.parse(input)
  } catch (error) {
    say({ failed: -1, detail: `no JSON: ${error.message}` })
    continue
  }
  if (request.do === 'send') send(request)
  else answer(request)
}
await Promise.allSettled([...handles.values()].map(object => object.close()))
process.exit(0)
