import { describe, expect, it } from 'vitest'
import type { Host } from '../../../../src/model/records.ts'
import {
  type LossOutlook,
  lossOutlooks,
  outlookLines,
  type Recoverable,
  takersOf,
} from '../../../../src/plan/failover/spare.ts'
import { hostName, hostRecord } from '../../../kit/records.ts'

const [a, b, c] = [hostName('a'), hostName('b'), hostName('c')]
const SIZE = { vcpus: 1, memoryMiB: 1_024, diskGiB: 0 }

/** Alive and permitted, with room for so many instances. */
const host = (name: typeof a, room: number, change: Partial<Host> = {}): Host => ({
  ...hostRecord(name),
  ...{ live: true, fenceLevel: 'muted', vcpus: 100, usedVcpus: 0, diskGiB: 100, usedDiskGiB: 0 },
  ...{ memoryMiB: 10_240, usedMemoryMiB: 10_240 - room * SIZE.memoryMiB },
  ...change,
})
const on = (name: typeof a, count: number, change: Partial<typeof SIZE> = {}): Recoverable[] =>
  Array.from({ length: count }, () => ({
    ...{ host: name, demand: { ...SIZE, ...change }, storage: null },
  }))

const outlook = (hosts: readonly Host[], recoverable: readonly Recoverable[]) =>
  lossOutlooks(hosts, [a, b, c], recoverable)

describe('lossOutlooks', () => {
  it('says nothing of hosts without such instances', () => {
    expect(outlook([host(a, 0), host(b, 0), host(c, 0)], [])).toEqual([])
  })

  it('counts what finds no room on the other hosts together', () => {
    const hosts = [host(a, 5), host(b, 2), host(c, 1)]
    expect(outlook(hosts, [...on(a, 4), ...on(b, 3)])).toEqual([
      { host: a, instances: 4, homeless: 1, hasMajority: true },
      { host: b, instances: 3, homeless: 0, hasMajority: true },
    ])
  })

  it('does not add up what is left on two hosts', () => {
    const hosts = [host(a, 0), host(b, 1), host(c, 1)]
    expect(outlook(hosts, on(a, 1, { memoryMiB: 2_048 }))).toMatchObject([{ homeless: 1 }])
  })

  it('finds room for the largest first', () => {
    const hosts = [host(a, 0), host(b, 1), host(c, 2)]
    const some = [...on(a, 1), ...on(a, 1, { memoryMiB: 2_048 })]
    expect(outlook(hosts, some)).toMatchObject([{ homeless: 0 }])
  })

  it.each<[string, Partial<Host>]>([
    ['is lost', { live: false }],
    ['may run nothing now', { fenceLevel: null }],
    ['drains', { state: 'draining' }],
    ['has no free disk', { shortOf: 'disk' }],
    ['is in another zone', { zone: 'elsewhere' }],
    ['has no vCPU left', { usedVcpus: 100 }],
    ['has no room for volumes', { usedDiskGiB: 100 }],
  ])('does not count on a host that %s', (_case, change) => {
    const hosts = [host(a, 0), host(b, 9, change), host(c, 0)]
    expect(outlook(hosts, on(a, 1, { diskGiB: 1 }))).toMatchObject([{ homeless: 1 }])
  })

  it.each([
    ['one that reaches it has', [host(a, 0), host(b, 1, { storage: 'x' }), host(c, 9)], 0],
    ['another one has', [host(a, 0), host(b, 0, { storage: 'x' }), host(c, 9)], 1],
    ['nobody reaches it and all have', [host(a, 0), host(b, 9, { storage: 'y' }), host(c, 9)], 1],
  ])('of an instance with a disk on a storage: room that %s', (_case, hosts, homeless) => {
    const [one] = on(a, 1)
    if (one === undefined) throw new Error('none')
    expect(outlook(hosts, [{ ...one, storage: 'x' }])).toMatchObject([{ homeless }])
  })

  it.each([
    ['is known', { storageAddress: '10.0.0.1' }, 0],
    ['is not known', {}, 1],
  ])(
    'of an instance with a disk in a pool of Ceph, whose host has an address that %s',
    (_case, said, homeless) => {
      const storage = 'rbd-0123456789abcdef'
      const hosts = [host(a, 0, { storage, ...said }), host(b, 9, { storage }), host(c, 9)]
      const [one] = on(a, 1)
      if (one === undefined) throw new Error('none')
      expect(outlook(hosts, [{ ...one, storage }])).toMatchObject([{ homeless }])
    },
  )

  it('tells when too few members would be left', () => {
    const hosts = [host(a, 9), host(b, 9), host(c, 9, { live: false })]
    expect(outlook(hosts, on(a, 1))).toMatchObject([{ hasMajority: false, homeless: 0 }])
  })
})

it('takers are those that may run what was another one’s', () => {
  const hosts = [host(a, 1), host(b, 1), host(c, 1, { fenceLevel: null })]
  expect(takersOf(hosts, a).map(({ name }) => name)).toEqual([b])
})

describe('outlookLines', () => {
  const one = (change: Partial<LossOutlook>): LossOutlook => ({
    ...{ host: a, instances: 5, homeless: 0, hasMajority: true },
    ...change,
  })

  it.each<[readonly LossOutlook[], readonly string[]]>([
    [[], []],
    [
      [one({}), one({ host: b })],
      ['if one host were lost now, its instances with the tag atoll:recover would find room'],
    ],
    [
      [one({ homeless: 2 }), one({ host: b })],
      [
        'a: if it were lost now, of its 5 instances with the tag atoll:recover only 3 would find room on another host',
      ],
    ],
    [
      [one({ hasMajority: false, instances: 1 })],
      [
        'a: if it were lost now, nobody could start its instance with the tag atoll:recover again: too few of the hosts with fence.enabled would be left',
      ],
    ],
  ])('%j', (outlooks, lines) => {
    expect(outlookLines(outlooks)).toEqual(lines)
  })
})
