import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Host } from '../../../src/model/records.ts'
import { type Movable, planEvacuation, planRebalance } from '../../../src/plan/evacuation.ts'
import { hostName, hostRecord, instanceId } from '../../kit/records.ts'

const a = hostName('a')
const b = hostName('b')
const c = hostName('c')
const host = (name: Host['name'], usedMemoryMiB = 0, more: Partial<Host> = {}): Host => ({
  ...hostRecord(name),
  ...{ vcpus: 16, memoryMiB: 8192, usedVcpus: 0, usedMemoryMiB },
  ...more,
})
const movable = (number: number, memoryMiB: number, more: Partial<Movable> = {}): Movable => ({
  instance: instanceId(number),
  from: a,
  demand: { vcpus: 1, memoryMiB, diskGiB: 0 },
  storage: null,
  obstacle: null,
  among: (hosts) => [{ partition: null, hosts }],
  ...more,
})

describe('planEvacuation', () => {
  it('puts no more on a host than fits, and says why the rest stays', () => {
    const moves = planEvacuation(
      [movable(1, 4096), movable(2, 4096), movable(3, 4096)],
      [host(a, 8192, { state: 'draining' }), host(b), host(c, 6144)],
    )
    expect(moves.map(({ to }) => to)).toEqual([b, b, null])
    expect(moves[2]?.obstacle).toMatch(/no other host of its zone may take it and has room/)
  })

  it('never chooses the own host, another zone, a host that is drained, lost or short', () => {
    const bad: readonly Partial<Host>[] = [
      { zone: 'elsewhere' },
      { state: 'draining' },
      { live: false },
      { shortOf: 'disk' },
    ]
    for (const more of bad)
      expect(planEvacuation([movable(1, 64)], [host(a), host(b, 0, more)])[0]?.to).toBeNull()
  })

  it('keeps to the hosts that a placement group allows', () => {
    const only = movable(1, 64, {
      among: (hosts) => [{ partition: 2, hosts: hosts.filter(({ name }) => name === c) }],
    })
    const hosts = [host(a), host(b), host(c, 4096)]
    expect(planEvacuation([only], hosts)).toMatchObject([{ to: c, partition: 2 }])
  })

  it('gives the obstacle of what cannot move', () => {
    const [move] = planEvacuation(
      [movable(1, 64, { obstacle: 'it is pending' })],
      [host(a), host(b)],
    )
    expect(move).toMatchObject({ to: null, obstacle: 'it is pending' })
  })
})

describe('planRebalance', () => {
  it('moves from the fullest to the emptiest until both are about even', () => {
    const four = [1, 2, 3, 4].map((number) => movable(number, 1024))
    const moves = planRebalance(four, [host(a, 4096), host(b)])
    expect(moves.map(({ from, to }) => [from, to])).toEqual([
      [a, b],
      [a, b],
    ])
  })

  it('takes one large instance instead of several small ones', () => {
    const some = [movable(1, 512), movable(2, 512), movable(3, 2048)]
    const moves = planRebalance(some, [host(a, 4096), host(b)])
    expect(moves.map(({ instance }) => instance)).toEqual([instanceId(3)])
  })

  it('does nothing where hosts are even, or one instance is all there is', () => {
    expect(planRebalance([movable(1, 512)], [host(a, 4096), host(b, 3900)])).toEqual([])
    expect(planRebalance([movable(1, 4096)], [host(a, 4096), host(b)])).toEqual([])
  })

  it('ends, moves nothing twice, and leaves no host fuller than the fullest was', () => {
    const sizes = fc.array(fc.integer({ min: 64, max: 4096 }), { maxLength: 12 })
    fc.assert(
      fc.property(sizes, (each) => {
        const movables = each.map((memoryMiB, at) => movable(at + 1, memoryMiB))
        const used = each.reduce((sum, one) => sum + one, 0)
        const hosts = [host(a, used, { memoryMiB: 65_536, vcpus: 64 })].concat(
          [b, c].map((name) => host(name, 0, { memoryMiB: 65_536, vcpus: 64 })),
        )
        const moves = planRebalance(movables, hosts)
        expect(new Set(moves.map(({ instance }) => instance)).size).toBe(moves.length)
        const moved = (to: string) =>
          moves.reduce(
            (sum, one) =>
              one.to === to
                ? sum + (movables.find((m) => m.instance === one.instance)?.demand.memoryMiB ?? 0)
                : sum,
            0,
          )
        for (const name of [b, c]) expect(moved(name)).toBeLessThanOrEqual(used)
      }),
    )
  })
})
