// What the clients' files share: where packages come from, records on their way out and on their way in.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const packages = createRequire(join(process.argv[2], 'package.json'))

export async function load (name) {
  const found = await import(pathToFileURL(packages.resolve(name)).href)
  return found.default ?? found
}

export function versionOf (name) {
  let directory = dirname(packages.resolve(name))
  for (;;) {
    try {
      const said = JSON.parse(readFileSync(join(directory, 'package.json')))
      if (said.name === name) return `${name} ${said.version}`
    } catch (error) {
      if (error.code !== 'ENOENT') throw error
    }
    directory = dirname(directory)
  }
}

// Nothing, or not enough, came before the deadline.
export class Unanswered extends Error {}

export const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

// The promise, or undefined when it takes longer.
export function within (milliseconds, promise) {
  let timer
  const late = new Promise(resolve => { timer = setTimeout(resolve, milliseconds) })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

// For clients that send what one call gives them: gathers for a moment, sends one batch after the other.
//
// `deliver(records)` resolves to [partition, offset] or an Error for each record, or rejects for all. One call at a time, because
// neither client keeps the order of a partition, nor an idempotent producer's sequence, across calls that overlap.
export class Outbox {
  constructor (deliver, { linger = 5, bytes = 16384, count = 10_000 } = {}) {
    Object.assign(this, { deliver, linger, bytes, count, waiting: [], unanswered: 0, flushing: false, idle: [] })
  }

  put (record, done) {
    this.unanswered++
    this.waiting.push({ record, done })
    if (!this.running) this.running = this.work()
  }

  async work () {
    while (this.waiting.length) {
      if (this.linger && !this.flushing) await pause(this.linger)
      const batch = this.nextBatch()
      let answers, refusal
      try {
        answers = await this.deliver(batch.map(({ record }) => record))
      } catch (error) {
        refusal = error
      }
      batch.forEach(({ done }, i) => {
        const failed = refusal ?? (answers[i] instanceof Error ? answers[i] : null)
        if (failed) done(failed)
        else done(null, ...answers[i])
      })
      this.unanswered -= batch.length
    }
    this.running = null
    for (const resolve of this.idle.splice(0)) resolve()
  }

  nextBatch () {
    let n = 0
    for (let size = 0; n < this.waiting.length && n < this.count; n++) {
      const { key, value } = this.waiting[n].record
      size += 100 + (key?.length ?? 0) + (value?.length ?? 0)
      if (n && size > this.bytes) break
    }
    return this.waiting.splice(0, n)
  }

  async flush (milliseconds) {
    if (!this.running) return
    this.flushing = true
    await within(milliseconds, new Promise(resolve => this.idle.push(resolve)))
    this.flushing = false
  }

  // What hasn't been sent yet is reported as such.
  abandon (why) {
    for (const { done } of this.waiting.splice(0)) done(new Error(why))
  }
}

// For clients whose transactions are objects. The first is made at once, because with it comes the producer id, and kept
// for whoever begins; `make()` resolves to one.
export class Transactions {
  constructor (outbox, make) {
    Object.assign(this, { outbox, make, current: null, prepared: null })
  }

  async prepare () {
    this.prepared = await this.make()
  }

  async begin () {
    this.current = this.prepared ?? (await this.make())
    this.prepared = null
  }

  async commit () {
    if (!this.current) throw new Error('no transaction has begun')
    await this.outbox.flush(30_000)
    await this.current.commit()
    this.current = null
  }

  async abort () {
    if (!this.current) throw new Error('no transaction has begun')
    await this.outbox.flush(30_000)
    await this.current.abort()
    this.current = null
  }
}

// For clients that hand over records when they like: keeps them until somebody polls.
export class Inbox {
  constructor (limit = Infinity) {
    Object.assign(this, { records: [], left: limit, positions: new Map(), error: null, wake: () => {} })
  }

  put (record) {
    this.records.push(record)
    this.wake()
  }

  fail (error) {
    this.error = error
    this.wake()
  }

  drop (unwanted) {
    this.records = this.records.filter(record => !unwanted(record))
  }

  async poll (milliseconds, most = 500) {
    if (!this.records.length && !this.error) {
      await within(milliseconds, new Promise(resolve => { this.wake = resolve }))
    }
    if (!this.records.length && this.error) {
      const error = this.error
      this.error = null
      throw error
    }
    const taken = this.records.splice(0, Math.min(most, this.left))
    this.left -= taken.length
    for (const { topic, partition, offset } of taken) this.positions.set(`${topic} ${partition}`, [topic, partition, offset + 1])
    return taken
  }

  async gather (count, milliseconds) {
    const got = []
    const deadline = Date.now() + milliseconds
    while (got.length < count) {
      if (Date.now() > deadline) throw new Unanswered(`${got.length} of ${count} records within ${milliseconds} ms`)
      got.push(...(await this.poll(Math.min(200, milliseconds), count - got.length)))
    }
    return got
  }
}
