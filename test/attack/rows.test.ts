/**
 * Someone writes malformed rows to the database that the hosts read.
 *
 * Before, a volume `../x` that was to be deleted made the daemon remove that directory of its host,
 * one malformed network made every pass of every host fail, and an instance whose row was
 * unreadable was taken for one without a record: its workload was removed. Later, one beyond the
 * thousandth unreadable row still was.
 */

import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startAgent } from '../../src/agent/agent.ts'
import { createLedger } from '../../src/agent/ledger.ts'
import { createLocalBus } from '../../src/bus/local.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import type { Ipv4 } from '../../src/model/addr.ts'
import type { InstanceId, NicId, VolumeId } from '../../src/model/ids.ts'
import type { HostWant } from '../../src/model/want.ts'
import { createStorageRemovals } from '../../src/services/volumes/storage-removals.ts'
import { createVolumes } from '../../src/services/volumes/volumes.ts'
import { createRowWatch, type RowWatch } from '../../src/store/records/rows.ts'
import type { Store, Tx } from '../../src/store/store.ts'
import { LONE_FIREWALL, NO_HOST_ROUTING } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { openRecords } from '../kit/cluster-records.ts'
import {
  hostName,
  hostRecord,
  instanceId,
  instanceRecord,
  network,
  nicRecord as nicOf,
  numbered,
  volumeRecord,
} from '../kit/records.ts'
import { renderRuleset } from '../kit/rules-text.ts'

const here = hostName('here')
const there = hostName('there')
const first = instanceRecord(instanceId(1), here)
const second = instanceRecord(instanceId(2), here)
const LONG_MS = 600_000
/** Ids of NICs on one host differ in the digits that their links are called by. */
const nicRecord = (instance: InstanceId, number: number) => ({
  ...nicOf(instance, number),
  id: `eni-${String(number).padStart(17, '0').split('').reverse().join('')}` as NicId,
})

let directory: string
let store: Store
let rows: RowWatch
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-rows-'))
  rows = createRowWatch({ log: silentLog, monotonic: () => performance.now() })
  store = await openRecords([here, there], rows)
  await store.change(async (tx) => {
    for (const [number, one] of [first, second].entries()) {
      await tx.insertInstance(one)
      await tx.insertNic(nicRecord(one.id, number + 1))
    }
  })
})
afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true })
})

/**
 * The agent of `here`, with the service that removes volumes and one that only looks at the want.
 */
async function openHost() {
  const metrics = createMetrics()
  const bus = createLocalBus()
  const seen: HostWant[] = []
  const ledger = createLedger({
    file: join(directory, 'ledger.json'),
    clock: systemClock,
    log: silentLog,
  })
  const services = [
    createVolumes({
      ...{ stateDir: join(directory, 'state'), metrics },
      stored: createStorageRemovals(null, () => undefined),
    }),
    {
      name: 'looks',
      gate: false,
      apply: async ({ want }: { readonly want: HostWant }) => {
        seen.push(want)
        return []
      },
      close: async () => undefined,
    },
  ]
  const agent = startAgent(
    {
      ...{ store, bus, ledger, rows, services, metrics },
      watchKernel: () => () => undefined,
      onRecordsChanged: () => undefined,
      clock: systemClock,
      log: silentLog,
      random: () => 0,
    },
    { host: here, identity: here, intervalMs: LONG_MS, resyncMs: LONG_MS },
  )
  await eventually('the first pass', () => agent.status().passes >= 1)
  return {
    agent,
    rows,
    wants: seen,
    /** Writes, rings, and gives what the host then wants to be. */
    async after(write: (tx: Tx) => Promise<unknown>): Promise<HostWant | undefined> {
      await store.change(async (tx) => {
        await write(tx)
      })
      const { passes } = agent.status()
      bus.ring(here)
      await eventually('a pass', () => agent.status().passes > passes)
      return seen.at(-1)
    },
    async [Symbol.asyncDispose]() {
      await agent.close()
      await bus.close()
    },
  }
}

/** What is rendered of a want for the kernel. */
const rulesOf = (want: HostWant | undefined) =>
  want === undefined ? '' : renderRuleset(want, LONE_FIREWALL, NO_HOST_ROUTING)

describe('a row of a volume', () => {
  it.each(['../../victim', '../victim', 'vol-1/../../../victim', '.', ''])(
    'with the id "%s" removes nothing',
    async (id) => {
      await mkdir(join(directory, 'victim'))
      await mkdir(join(directory, 'state/victim'), { recursive: true })
      await mkdir(join(directory, 'state/volumes', numbered('vol', 7)), { recursive: true })
      await using host = await openHost()
      const volume = volumeRecord(1, first, { instance: null, state: 'deleting' })
      await host.after((tx) => tx.insertVolume({ ...volume, id: id as VolumeId }))
      for (const path of [
        'victim',
        'state/victim',
        'state/volumes',
        `state/volumes/${numbered('vol', 7)}`,
      ])
        expect(existsSync(join(directory, path)), path).toBe(true)
      expect(host.rows.list()).toMatchObject([{ table: 'volumes' }])
    },
  )
})

describe('an instance whose record becomes unreadable', () => {
  const spoil: readonly (readonly [string, (tx: Tx) => Promise<unknown>])[] = [
    // The state alone is what the host itself reports, and concerns nobody.
    [
      'state',
      (tx) => tx.updateInstance(first.id, { state: 'hibernated' as never, wanted: first.wanted }),
    ],
    ['host', (tx) => tx.updateInstance(first.id, { host: '../x' } as never)],
    ['wanted', (tx) => tx.updateInstance(first.id, { wanted: 'fly' as never })],
    ['bootCount', (tx) => tx.updateInstance(first.id, { bootCount: -3 })],
    [
      'nic',
      async (tx) => {
        await tx.deleteNics(first.id)
        await tx.insertNic({ ...nicRecord(first.id, 1), ip: '172.31.0.4; drop' as Ipv4 })
      },
    ],
    [
      'nic outside its subnet',
      async (tx) => {
        await tx.deleteNics(first.id)
        await tx.insertNic({ ...nicRecord(first.id, 1), ip: '10.99.0.4' as Ipv4 })
      },
    ],
    [
      'nic on the gateway',
      async (tx) => {
        await tx.deleteNics(first.id)
        await tx.insertNic({ ...nicRecord(first.id, 1), ip: '172.31.0.1' as Ipv4 })
      },
    ],
    ['image', (tx) => tx.updateImage(first.image, { digest: '../../x' })],
    ['volume', (tx) => tx.insertVolume({ ...volumeRecord(1, first), state: 'lost' as never })],
  ]

  it.each(spoil)('by its %s stays as it was, and so do all others', async (_what, write) => {
    await using host = await openHost()
    const before = host.wants.at(-1)
    const want = await host.after(write)
    expect(want?.local.instances).toStrictEqual(before?.local.instances)
    expect(want?.shared.groups).toStrictEqual(before?.shared.groups)
    expect(rulesOf(want)).toBe(rulesOf(before))
    expect(host.agent.status().failing).toStrictEqual({})
    expect(host.rows.list().length).toBeGreaterThan(0)
  })

  it('is not touched by a daemon that never read it', async () => {
    await store.change((tx) => tx.updateInstance(first.id, { state: 'hibernated' as never }))
    await using host = await openHost()
    expect(host.wants.at(-1)?.local).toMatchObject({
      instances: [{ id: second.id }],
      unreadable: { ids: [first.id], any: false },
    })
  })

  it('is known from the ledger after a restart', async () => {
    {
      await using _host = await openHost()
    }
    await store.change((tx) => tx.updateInstance(first.id, { state: 'hibernated' as never }))
    await using host = await openHost()
    expect(host.wants.at(-1)?.local.instances.map(({ id }) => id)).toStrictEqual([
      first.id,
      second.id,
    ])
  })

  it('stays as it was, too, when more rows are unreadable than anybody lists', async () => {
    await using host = await openHost()
    const before = host.wants.at(-1)
    const { account } = first
    const tags = Array.from({ length: 1000 }, (_, number) => ({
      ...{ account, resource: first.id, resourceType: '', key: `k${number}`, value: 'v' },
    }))
    const want = await host.after(async (tx) => {
      await tx.putTags(tags)
      await tx.deleteNics(second.id)
      await tx.insertNic({ ...nicRecord(second.id, 2), ip: '172.31.0.1' as Ipv4 })
    })
    expect(want).toStrictEqual(before)
    expect(host.agent.status()).toMatchObject({ source: 'ledger' })
    expect(host.agent.status().recordsTrouble).toContain('cannot be read')
  })

  it('is followed again once it can be read', async () => {
    await using host = await openHost()
    await host.after((tx) => tx.updateInstance(first.id, { wanted: 'fly' as never }))
    const want = await host.after((tx) => tx.updateInstance(first.id, { wanted: 'stop' }))
    expect(want?.local.instances[0]).toMatchObject({ id: first.id, run: 'stop' })
    expect(host.rows.list()).toStrictEqual([])
  })
})

describe('one bad row that all hosts share', () => {
  const spoil: readonly (readonly [string, (tx: Tx) => Promise<unknown>])[] = [
    [
      'a malformed network',
      (tx) =>
        tx.insertVpc({
          ...network.vpc,
          id: numbered('vpc', 2),
          cidr: { network: '10.0.0.0/8; flush' as Ipv4, prefix: 8 },
        }),
    ],
    [
      'a network that holds another',
      (tx) =>
        tx.insertVpc({
          ...network.vpc,
          id: numbered('vpc', 2),
          isDefault: false,
          cidr: { network: '172.16.0.0' as Ipv4, prefix: 12 },
        }),
    ],
    [
      'a subnet outside its VPC',
      (tx) =>
        tx.insertSubnet({
          ...network.subnet,
          id: numbered('subnet', 2),
          cidr: { network: '10.0.0.0' as Ipv4, prefix: 24 },
        }),
    ],
    [
      'a host with the address of this one’s instances',
      (tx) =>
        tx.upsertHost(
          hostRecord(hostName('evil'), { fabricAddress: '172.31.0.9' as Ipv4 }),
          LONG_MS,
        ),
    ],
    [
      'a host with a rule for an address',
      (tx) =>
        tx.upsertHost(
          hostRecord(hostName('evil'), { fabricAddress: '1.1.1.1 } #' as Ipv4 }),
          LONG_MS,
        ),
    ],
  ]

  it.each(spoil)('stops no host: %s', async (_what, write) => {
    const before = await (async () => {
      await using host = await openHost()
      return host.wants.at(-1)
    })()
    await rm(join(directory, 'ledger.json'))
    await store.change(write)
    await using host = await openHost()
    const want = host.wants.at(-1)
    expect(host.agent.status()).toMatchObject({ source: 'records', failing: {} })
    expect(rulesOf(want)).toBe(rulesOf(before))
    expect(want?.shared.subnets).toStrictEqual(before?.shared.subnets)
    expect(host.rows.list()).toHaveLength(1)
  })

  it('does not take the routes to a host whose own row is bad', async () => {
    const away = instanceRecord(instanceId(3), there)
    await store.change(async (tx) => {
      await tx.upsertHost(hostRecord(there, { fabricAddress: '192.0.2.2' as Ipv4 }), LONG_MS)
      await tx.insertInstance(away)
      await tx.insertNic(nicRecord(away.id, 3))
    })
    await using host = await openHost()
    const before = host.wants.at(-1)?.shared
    expect(before?.routes).toHaveLength(1)
    const want = await host.after(async (tx) => {
      await tx.upsertHost(hostRecord(there, { fabricAddress: '192.0.2.999' as Ipv4 }), LONG_MS)
    })
    expect(want?.shared.routes).toStrictEqual(before?.routes)
    expect(want?.shared.groups).toStrictEqual(before?.groups)
    expect(want?.shared.peers).toStrictEqual(before?.peers)
  })

  it('of this host itself leaves it with its last want', async () => {
    await using host = await openHost()
    const before = host.wants.at(-1)
    const want = await host.after(async (tx) => {
      await tx.upsertHost(hostRecord(here, { fabricAddress: 'nowhere' as Ipv4 }), LONG_MS)
    })
    expect(want).toStrictEqual(before)
    expect(host.agent.status().source).toBe('ledger')
  })
})
