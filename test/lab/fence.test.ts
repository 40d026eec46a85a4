/**
 * The process `fence` of three hosts, with real packets, processes and rules: who reaches a
 * majority of the hosts has permission to run, and for everybody else it ends in time.
 */
import { once } from 'node:events'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isMajority } from '../../src/plan/failover/membership.ts'
import { failoverTimes } from '../../src/plan/failover/times.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { type FencedHost, type FenceTestbed, openFenceTestbed } from '../kit/fence-testbed.ts'

const SETTINGS = {
  askMs: 500,
  replyMs: 500,
  stopMs: 1_000,
  watchdogStepMs: 500,
  durableMs: 500,
}
const TIMES = failoverTimes(SETTINGS)
/** Between the clock that a question is dated by, and the permission in the kernel. */
const ARM_MS = 100
const LONG = 60_000

let bed: FenceTestbed
let a: FencedHost
let b: FencedHost
let c: FencedHost

const hasPermission = (host: FencedHost) => bed.nowMs() < host.link.permission().untilMs
const speaks = (host: FencedHost) => {
  const seen = host.packets.length
  return eventually(`${host.name} speaks`, () => host.packets.length > seen + 3)
}

beforeAll(async () => {
  bed = await openFenceTestbed(SETTINGS)
  const [first, second, third] = bed.hosts
  if (first === undefined || second === undefined || third === undefined) throw new Error('three')
  ;[a, b, c] = [first, second, third]
}, LONG)

afterAll(async () => {
  await bed.close()
})

it('is muted until a majority has granted, which no member does soon after its start', {
  timeout: LONG,
}, async () => {
  for (const host of bed.hosts) {
    await eventually(`${host.name} answers`, () => host.link.level() !== null)
    await host.link.guard([host.guarded])
    expect(hasPermission(host)).toBe(false)
    // Somebody starts it too early.
    host.run()
    await once(host.program(), 'exit')
  }
  expect(bed.hosts.flatMap(({ packets }) => packets)).toEqual([])
  for (const host of bed.hosts) {
    await eventually(`${host.name} is permitted`, () => hasPermission(host), LONG)
    host.run()
    await speaks(host)
    expect(host.link.permission().untilMs - bed.nowMs()).toBeLessThanOrEqual(TIMES.permissionMs)
    expect(host.isArmed).toBe(true)
  }
})

it('goes on in the same term while its agent is dead, and when it is killed itself', {
  timeout: LONG,
}, async () => {
  const { term } = a.link.permission()
  const muted = await a.muted()
  a.process().kill('SIGKILL')
  // The end of its connection fires such a watchdog; a device waits for its timeout.
  await eventually('the watchdog fires', () => a.firedAtMs !== null)
  a.firedAtMs = null
  a.restart()
  await eventually('the next process is heard of', () => a.link.level() !== null)
  await eventually('it is granted again', () => a.link.permission().untilMs > bed.nowMs() + 2_500)
  expect(a.link.permission().term).toBe(term)
  await speaks(a)
  expect(await a.muted()).toBe(muted)
})

it('stops what it guards and disarms its watchdog when it is asked to end', {
  timeout: LONG,
}, async () => {
  const ended = [once(a.program(), 'exit'), once(a.process(), 'exit')]
  const { term } = a.link.permission()
  a.process().kill('SIGTERM')
  await Promise.all(ended)
  expect(a.process().exitCode).toBe(0)
  await eventually('the watchdog hears of the end', () => !a.isArmed)
  expect(a.firedAtMs).toBe(null)
  expect(hasPermission(a)).toBe(false)
  a.restart()
  await eventually('it is permitted again', () => hasPermission(a), LONG)
  expect(a.link.permission().term).toBe(term + 1)
  a.run()
  await speaks(a)
})

it('stops nothing when it is asked to start again', { timeout: LONG }, async () => {
  const before = a.process()
  const ended = once(before, 'exit')
  before.kill('SIGHUP')
  await ended
  expect(a.program().exitCode ?? a.program().signalCode).toBe(null)
  // The end of its connection fires such a watchdog; a device waits for its timeout.
  await eventually('the watchdog fires', () => a.firedAtMs !== null)
  a.firedAtMs = null
  a.restart()
  await eventually('the next process has been granted', () => a.isArmed, LONG)
  // On a slow machine the permission may have run out meanwhile.
  if ((a.program().exitCode ?? a.program().signalCode) !== null) a.run()
  await speaks(a)
})

it('mutes an instance in time when the process is stopped, and its watchdog fires', {
  timeout: LONG,
}, async () => {
  a.process().kill('SIGSTOP')
  await eventually('the permission is over', () => bed.nowMs() > a.untilMs() + ARM_MS)
  const untilMs = a.untilMs()
  await eventually('the watchdog fires', () => a.firedAtMs !== null)
  expect(Math.max(...a.packets)).toBeLessThan(untilMs + ARM_MS)
  const last = a.packets.length
  // As if the machine had not been reset: what must stop is stopped before anybody is asked.
  a.firedAtMs = null
  const ended = once(a.program(), 'exit')
  a.process().kill('SIGCONT')
  await ended
  await eventually('it is permitted again', () => hasPermission(a))
  expect(a.packets.length).toBe(last)
  a.run()
  await speaks(a)
})

it('stops what is cut off, and lets the others take it over after that', {
  timeout: LONG,
}, async () => {
  const ended = once(b.program(), 'exit')
  await b.cut(true)
  const asked = bed.nowMs()
  let consent = await a.link.askConsent(b.name)
  while (!isMajority(bed.membership, consent.yes)) consent = await a.link.askConsent(b.name)
  expect(bed.nowMs() - asked).toBeGreaterThan(TIMES.promiseMs - 2 * SETTINGS.askMs)
  await ended
  expect(Math.max(...b.packets)).toBeLessThan(asked + TIMES.permissionMs + ARM_MS)
  expect(hasPermission(b)).toBe(false)
  expect(b.isArmed).toBe(false)
  expect(b.firedAtMs).toBe(null)
  // A majority goes on all the time.
  await speaks(a)
  await speaks(c)
  await b.cut(false)
  await eventually('it is permitted again', () => hasPermission(b))
  b.run()
  await speaks(b)
})

it('closes the gate when somebody has removed it, until the next grant', {
  timeout: LONG,
}, async () => {
  await c.netns.must(['nft', 'flush', 'ruleset'])
  await eventually('the tables are there', async () => {
    const { stdout } = await c.netns.run([
      'nft',
      'list',
      'chain',
      'inet',
      'atoll_permission',
      'permitted',
    ])
    return stdout.includes('@armed return')
  })
  await speaks(c)
  expect(hasPermission(c)).toBe(true)
  const { stdout } = await c.netns.run([
    'nft',
    'list',
    'chain',
    'arp',
    'atoll_permission',
    'permitted',
  ])
  expect(stdout).toContain('@armed return')
})

it('waits for the host’s address where that is not there yet', { timeout: LONG }, async () => {
  const { netns } = c
  await netns.must(['ip', 'address', 'flush', 'dev', 'fabric'])
  const before = c.process()
  before.kill('SIGKILL')
  await once(before, 'exit')
  c.restart()
  const fence = c.process()
  await eventually('it answers its agent', () => c.link.level() !== null)
  // It has asked, and could not.
  await eventually('it has lost its permission', () => bed.nowMs() > c.untilMs() + SETTINGS.askMs)
  expect(fence.exitCode ?? fence.signalCode).toBe(null)
  await netns.must(['ip', 'address', 'add', '10.9.0.3/24', 'dev', 'fabric'])
  await eventually('it is permitted again', () => hasPermission(c), LONG)
  expect(fence.exitCode ?? fence.signalCode).toBe(null)
})
