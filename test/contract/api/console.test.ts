/**
 * Consoles between two hosts: real doors behind real API listeners, real records, a bus. What stands behind the doors are terminals that echo.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type ConsoleDoor,
  createConsoleDoor,
  SESSION_LIMITS,
} from '../../../src/api/console/door.ts'
import { createSeeker, type Seeker } from '../../../src/api/console/seek.ts'
import type { Bus } from '../../../src/bus/bus.ts'
import { createLocalBus } from '../../../src/bus/local.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import type { TerminalFrame } from '../../../src/lib/terminal-frames.ts'
import { createTerminalLink, type TerminalLink } from '../../../src/lib/terminal-link.ts'
import { refused } from '../../../src/model/errors.ts'
import type { HostName, InstanceId } from '../../../src/model/ids.ts'
import { withoutReplica } from '../../../src/store/steady.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { type RunningApi, runApi } from '../../kit/api.ts'
import { OVER_MS, openRecords } from '../../kit/cluster-records.ts'
import { createEchoTerminal, type EchoTerminal } from '../../kit/echo-terminal.ts'
import { hostName, hostRecord, instanceId, instanceRecord, nicRecord } from '../../kit/records.ts'

const [NEAR, FAR] = [hostName('near'), hostName('far')]
const HERE = instanceId(1)
const THERE = instanceId(2)
const NEW = instanceId(3)
const NOWHERE = instanceId(9)
const FORBIDDEN = 403

interface TestHost {
  readonly door: ConsoleDoor
  readonly seeker: Seeker
  readonly api: RunningApi
  readonly terminals: EchoTerminal[]
  readonly states: Map<InstanceId, 'running' | 'stopped'>
}

let store: Store
let near: TestHost
let far: TestHost
let buses: Map<HostName, Bus>
let isStoreAway: boolean

async function startHost(host: HostName): Promise<TestHost> {
  const terminals: EchoTerminal[] = []
  const states = new Map<InstanceId, 'running' | 'stopped'>()
  const metrics = createMetrics()
  const door = createConsoleDoor({
    async attach(instance) {
      if (states.get(instance) !== 'running')
        throw refused('IncorrectInstanceState', `${instance} has gone meanwhile`)
      const terminal = createEchoTerminal()
      terminals.push(terminal)
      return terminal
    },
    clock: systemClock,
    random: randomBytes,
    log: silentLog,
    metrics,
  })
  const api = await runApi([], { upgrader: door })
  const own = createLocalBus()
  buses.set(host, own)
  const bus: Bus = { ...own, ask: (to, ...question) => (buses.get(to) ?? own).ask(to, ...question) }
  const read: Store['read'] = (work) =>
    isStoreAway ? Promise.reject(new Error('away')) : store.read(work)
  const seeker = createSeeker({
    host,
    door,
    holds: async (instance) => states.has(instance),
    store: withoutReplica({ ...store, read }),
    bus,
    reachedAt: { address: '127.0.0.1', port: api.port },
  })
  return { door, seeker, api, terminals, states }
}

beforeEach(async () => {
  isStoreAway = false
  buses = new Map()
  store = await openRecords([NEAR, FAR])
  const records = [
    { ...instanceRecord(HERE, NEAR), state: 'running' as const },
    { ...instanceRecord(THERE, FAR), state: 'running' as const },
    instanceRecord(NEW, NEAR),
  ]
  await store.transaction(async (tx) => {
    for (const [n, record] of records.entries()) {
      await tx.insertInstance(record)
      await tx.insertNic(nicRecord(record.id, n + 1))
    }
  })
  near = await startHost(NEAR)
  far = await startHost(FAR)
  near.states.set(HERE, 'running')
  far.states.set(THERE, 'running')
})
afterEach(async () => {
  for (const { door, api } of [near, far]) {
    await door.close()
    await api[Symbol.asyncDispose]()
  }
  for (const bus of buses.values()) await bus.close()
  await store.close()
})

/** Shows a ticket at a door; gives the link, or the status of the refusal. */
async function enter(port: number, ticket: string): Promise<TerminalLink | number> {
  const headers = { connection: 'Upgrade', upgrade: 'atoll-console', 'atoll-ticket': ticket }
  const asked = request({ host: '127.0.0.1', port, path: '/console', headers })
  asked.end()
  const answered = Promise.withResolvers<TerminalLink | number>()
  asked.on('error', answered.reject)
  asked.on('response', (response) => {
    response.resume()
    answered.resolve(response.statusCode ?? 0)
  })
  asked.on('upgrade', (_response, socket: Socket, head) =>
    answered.resolve(createTerminalLink(socket, head)),
  )
  return answered.promise
}

async function attach(host: TestHost, instance: InstanceId): Promise<TerminalLink> {
  const { at, ticket } = await near.seeker.seek(instance)
  const link = await enter(at?.port ?? host.api.port, ticket)
  if (typeof link === 'number') throw new Error(`refused with ${link}`)
  return link
}

async function lastOf(link: TerminalLink): Promise<TerminalFrame | undefined> {
  let last: TerminalFrame | undefined
  for await (const frame of link.frames()) {
    last = frame
    if (frame.kind === 'end') break
  }
  return last
}

describe('a console', () => {
  test('is found on this host and on another, and carries much both ways in order', async () => {
    expect(await near.seeker.seek(HERE)).toMatchObject({ at: null, host: NEAR })
    expect(await near.seeker.seek(THERE)).toMatchObject({
      at: { address: '127.0.0.1', port: far.api.port },
      host: FAR,
    })
    const link = await attach(far, THERE)
    const typed = randomBytes(3_000_000)
    const typing = (async () => {
      await link.send({ kind: 'resize', columns: 100, rows: 40 })
      await link.send({ kind: 'data', bytes: typed })
      await link.send({ kind: 'eof' })
    })()
    const shown: Buffer[] = []
    const others: TerminalFrame[] = []
    for await (const frame of link.frames())
      if (frame.kind === 'data') shown.push(frame.bytes)
      else {
        others.push(frame)
        if (frame.kind === 'end') break
      }
    await typing
    expect(Buffer.concat(shown).equals(typed)).toBe(true)
    expect(others).toEqual([
      { kind: 'begin', terminal: 'shell' },
      { kind: 'end', exitCode: 5, reason: 'all was echoed' },
    ])
    const [terminal] = far.terminals
    expect(terminal?.sizes).toEqual(['100x40'])
    await eventually('the terminal is let go of', () => terminal?.isClosed() === true)
  })

  test('of this host needs no records; of another it says that they are away', async () => {
    isStoreAway = true
    expect((await near.seeker.seek(HERE)).at).toBeNull()
    await expect(near.seeker.seek(THERE)).rejects.toThrow('away')
  })

  test('whose user vanishes leaves nothing attached', async () => {
    const link = await attach(near, HERE)
    await eventually('it is attached', () => near.terminals.length === 1)
    await link.close()
    await eventually('it is let go of', () => near.terminals[0]?.isClosed() === true)
  })

  test('ends with its daemon, which says so', async () => {
    const link = await attach(near, HERE)
    await eventually('it is attached', () => near.terminals.length === 1)
    const last = lastOf(link)
    await near.door.close()
    expect(await last).toMatchObject({ kind: 'end', reason: expect.stringMatching(/stops/) })
    expect(near.terminals[0]?.isClosed()).toBe(true)
    await expect(near.seeker.seek(HERE)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  test('is had by so many at a time only, and the next is told', async () => {
    const links: TerminalLink[] = []
    const ticket = near.door.issue(HERE)
    while (links.length < SESSION_LIMITS.ofInstance) links.push(await attach(near, HERE))
    await eventually('all are in', () => near.terminals.length === links.length)
    await expect(near.seeker.seek(HERE)).rejects.toThrow(/attached to 8 times already/)
    const tooMany = await enter(near.api.port, ticket)
    if (typeof tooMany === 'number') throw new Error('not told')
    expect(await lastOf(tooMany)).toMatchObject({ reason: expect.stringMatching(/8 times/) })
    for (const link of links) await link.close()
    await eventually('all have left', () => near.terminals.every((one) => one.isClosed()))
    await attach(near, HERE)
  })

  test('that is gone when its ticket is shown says why', async () => {
    const { ticket } = await near.seeker.seek(HERE)
    near.states.delete(HERE)
    const link = await enter(near.api.port, ticket)
    if (typeof link === 'number') throw new Error('not told')
    const reason = `${HERE} has gone meanwhile`
    expect(await lastOf(link)).toEqual({ kind: 'end', exitCode: null, reason })
  })
})

describe('nobody gets in', () => {
  test('without a ticket of this host, or twice with the same', async () => {
    const { ticket } = await near.seeker.seek(HERE)
    for (const wrong of ['', 'x', ticket.slice(0, -1), near.door.issue(HERE).toLowerCase()])
      expect(await enter(near.api.port, wrong)).toBe(FORBIDDEN)
    expect(await enter(far.api.port, ticket)).toBe(FORBIDDEN)
    const link = await enter(near.api.port, ticket)
    expect(await enter(near.api.port, ticket)).toBe(FORBIDDEN)
    if (typeof link !== 'number') await link.close()
  })

  test('and who speaks nonsense inside is put out', async () => {
    const { ticket } = await near.seeker.seek(HERE)
    const headers = { connection: 'Upgrade', upgrade: 'atoll-console', 'atoll-ticket': ticket }
    const asked = request({ host: '127.0.0.1', port: near.api.port, path: '/console', headers })
    asked.end()
    const [, socket] = (await once(asked, 'upgrade')) as [unknown, Socket]
    socket.resume()
    socket.write(Buffer.alloc(1000, 0xee))
    await once(socket, 'close')
    await eventually('it is let go of', () => near.terminals[0]?.isClosed() === true)
  })

  test('but a client that only offers another protocol is answered as ever', async () => {
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c' }
    const asked = request({ host: '127.0.0.1', port: near.api.port, path: '/', headers })
    asked.end()
    const [response] = await once(asked, 'response')
    expect(response.headers['content-type']).toMatch(/xml/)
    response.resume()
  })
})

describe('errors say what to do', () => {
  const message = (instance: InstanceId) => near.seeker.seek(instance).catch(String)

  test.each([
    ['an instance that nobody knows', () => NOWHERE, /does not exist; see: atoll instances/],
    ['one that is yet to come', () => NEW, /is not there yet/],
  ])('%s', async (_what, instance, expected) => {
    expect(await message(instance())).toMatch(expected)
  })

  test('a stopped instance, wherever its host keeps it', async () => {
    far.states.set(THERE, 'stopped')
    expect(await lastOf(await attach(far, THERE))).toMatchObject({
      exitCode: null,
      reason: `${THERE} has gone meanwhile`,
    })
    far.states.delete(THERE)
    expect(await message(THERE)).toMatch(/is not there yet/)
    await store.transaction((tx) => tx.updateInstance(THERE, { state: 'stopped' }))
    expect(await message(THERE)).toMatch(/is stopped; start it with: aws ec2 start-instances/)
    await store.transaction((tx) => tx.updateInstance(THERE, { state: 'terminated' }))
    expect(await message(THERE)).toMatch(/is terminated$/)
  })

  test('a lost host', async () => {
    await store.transaction((tx) =>
      tx.renewLease(hostRecord(FAR), OVER_MS, {
        lastSeenAt: '2026-11-22T08:00:00.000Z',
        shortOf: null,
      }),
    )
    expect(await message(THERE)).toMatch(/far, is lost: .* since 2026-11-22T08:00:00.000Z/)
  })
})
