/**
 * Many VPCs on one host: each is served when it is ready, and none waits for another that hangs.
 */
import { expect, it, onTestFinished } from 'vitest'
import type { NamespaceHost } from '../../../../src/host/host.ts'
import { systemClock } from '../../../../src/lib/clock.ts'
import { cidr } from '../../../../src/model/addr.ts'
import { formatId } from '../../../../src/model/ids.ts'
import { PLAIN_NAT } from '../../../../src/model/nat.ts'
import type { HostWant, InstanceWant } from '../../../../src/model/want.ts'
import type { HostService, Pass } from '../../../../src/services/service.ts'
import { createDivision } from '../../../../src/services/vpcs/division.ts'
import { createVpcs } from '../../../../src/services/vpcs/vpcs.ts'
import { hostWant, instance } from '../../../../tools/kit/instance.ts'
import { silentLog } from '../../../../tools/kit/log.ts'
import { eventually } from '../../../../tools/kit/netns.ts'

const WAIT_MS = 30
/** What a pass waits for changes. */
const WAIT_FOR_CHANGES_MS = 1_000
const CIDR = cidr('10.0.0.0/16')
const vpcId = (network: number) => formatId('vpc', new Uint8Array(9).fill(network))

/** One instance in each of these VPCs; `bootCount` makes the wants of two times differ. */
function wantOf(
  networks: readonly number[],
  boots: ReadonlyMap<number, number> = new Map(),
): HostWant {
  const guests = networks.map((network): InstanceWant => {
    const one = instance(network, { bootCount: boots.get(network) ?? 1 })
    return { ...one, nics: one.nics.map((nic) => ({ ...nic, vpc: vpcId(network), network })) }
  })
  const want = hostWant(...guests)
  const vpcs = networks.map((network) => ({ id: vpcId(network), cidr: CIDR, network }))
  return { ...want, shared: { ...want.shared, vpcs } }
}

/** A machine whose namespaces take as long to make as `ready` says. */
function createMachine(ready: (network: number) => Promise<void>, waitMs: number | null = WAIT_MS) {
  const done: string[] = []
  const waits: number[] = []
  const there = new Map<number, NamespaceHost>()
  const port = { watchKernel: () => () => undefined } as unknown as NamespaceHost
  const service = (name: string, network: number): HostService => ({
    name,
    gate: false,
    apply: async () => {
      done.push(`${name} ${network}`)
      return []
    },
    close: async () => void done.push(`closed ${name} ${network}`),
  })
  let wakes = 0
  const vpcs = createVpcs({
    machine: port,
    clock: {
      ...systemClock,
      after(ms, act) {
        waits.push(ms)
        return systemClock.after(ms, act)
      },
    },
    ...(waitMs === null ? {} : { waitMs }),
    open: (_host, network) => ({
      packets: [service('packets', network)],
      answers: [service('answers', network)],
      end: () => undefined,
    }),
    vpcs: {
      list: async () => [...there.keys()],
      named: (networks) => new Set(networks),
      linked: async (networks) => new Set(networks),
      async ensure(network) {
        done.push(`begun ${network}`)
        await ready(network)
        const host = there.get(network) ?? { ...port }
        there.set(network, host)
        return { host, changed: [] }
      },
      opened: (network) => there.get(network),
      ensurePeerLinks: async () => [],
      remove: async (network) => void there.delete(network),
    },
    divide: createDivision(1024, PLAIN_NAT),
  })
  const services = vpcs.services(() => {
    wakes += 1
  })
  const ending = new AbortController()
  onTestFinished(async () => {
    ending.abort()
    for (const one of services.toReversed()) await one.close()
  })
  return {
    done,
    waits,
    wakes: () => wakes,
    async pass(want: HostWant, more: Partial<Pass> = {}) {
      const pass: Pass = { want, resync: false, signal: ending.signal, log: silentLog, ...more }
      for (const one of services) await one.apply(pass)
    },
  }
}

const at = (done: readonly string[], what: string) => done.indexOf(what)

it('a VPC that hangs delays no pass, no other VPC and no answer, and another pass follows', async () => {
  const hang = Promise.withResolvers<void>()
  const machine = createMachine((network) => (network === 1 ? hang.promise : Promise.resolve()))
  await machine.pass(wantOf([1, 2, 3]))
  expect(machine.done.filter((one) => !one.startsWith('begun'))).toEqual([
    ...['packets 2', 'packets 3', 'answers 2', 'answers 3'],
  ])
  await machine.pass(wantOf([1, 2, 3, 4]))
  expect(machine.done.slice(-2)).toEqual(['packets 4', 'answers 4'])
  await eventually('another pass is asked for', () => machine.wakes() > 0)
  hang.resolve()
  await eventually('it is served', () => machine.done.includes('answers 1'))
  expect(machine.done.filter((one) => one === 'begun 1')).toHaveLength(1)
})

it('what has changed does not wait for looks at all others', async () => {
  const all = Array.from({ length: 60 }, (_, index) => index + 1)
  let slow = Promise.resolve()
  const machine = createMachine(() => slow)
  await machine.pass(wantOf(all))
  await eventually(
    'all are served',
    () => machine.done.filter((one) => one.startsWith('answers')).length === 60,
  )
  machine.done.length = 0
  const held = Promise.withResolvers<void>()
  slow = held.promise
  await machine.pass(wantOf(all), { resync: true })
  const begun = machine.done.length
  expect(begun).toBeLessThan(5)
  await machine.pass(wantOf(all, new Map([[60, 2]])))
  expect(machine.done).toContain('begun 60')
  held.resolve()
  await eventually(
    'all have been looked at',
    () => machine.done.filter((one) => one.startsWith('answers')).length >= 60,
  )
  expect(at(machine.done, 'answers 60')).toBeLessThan(at(machine.done, 'answers 30'))
})

it('a pass does not wait for looks as long as for changes', async () => {
  let slow = Promise.resolve()
  const machine = createMachine(() => slow, null)
  await machine.pass(wantOf([1, 2, 3]))
  expect(machine.waits).toContain(WAIT_FOR_CHANGES_MS)
  machine.waits.length = 0
  const held = Promise.withResolvers<void>()
  slow = held.promise
  await machine.pass(wantOf([1, 2, 3]), { resync: true })
  expect(machine.done.filter((one) => one.startsWith('begun'))).not.toHaveLength(3)
  // The first wait is for the looks. With work left, the next pass is asked for.
  expect(machine.waits[0]).toBeLessThan(WAIT_FOR_CHANGES_MS)
  held.resolve()
})

it('what failed is reported until it succeeds, and not what has gone meanwhile', async () => {
  const broken = new Set([1, 2])
  const machine = createMachine(async (network) => {
    if (broken.has(network)) throw new Error(`no room for ${network}`)
  })
  await expect(machine.pass(wantOf([1, 2, 3]))).rejects.toThrow(/2 VPCs .*no room for 1/)
  expect(machine.done).toContain('answers 3')
  broken.delete(2)
  await expect(machine.pass(wantOf([1, 2, 3]))).rejects.toThrow(/1 VPCs .*no room for 1/)
  await machine.pass(wantOf([2, 3]))
})

it('a pass without changes touches nothing', async () => {
  const machine = createMachine(async () => undefined)
  await machine.pass(wantOf([1, 2]))
  machine.done.length = 0
  await machine.pass(wantOf([1, 2]))
  expect(machine.done).toEqual([])
})
