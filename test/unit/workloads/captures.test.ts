/** Images of instances under way: which are made, in what order, and what holds an instance. */

import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import type { ImageId } from '../../../src/model/ids.ts'
import type { CaptureWant } from '../../../src/model/want.ts'
import { createCaptures } from '../../../src/workloads/captures.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { instanceId, numbered } from '../../kit/records.ts'
import { SOON } from '../../kit/soon.ts'

function order(image: number, instance: number): CaptureWant {
  return {
    id: numbered('ami', image),
    location: `atoll://here/machine/${numbered('ami', image)}`,
    digest: null,
    driver: FIRST_DRIVERS.machine,
    instance: instanceId(instance),
    origin: 'file:///srv/a.qcow2',
    reboot: false,
  }
}

/** A capturer that a test lets end what it began. */
function begin() {
  const begun = new Map<ImageId, { resolve(): void; reject(error: Error): void }>()
  const kept: (readonly ImageId[])[] = []
  const captures = createCaptures({
    clock: systemClock,
    log: silentLog,
    capturer: {
      capture: ({ id }, _progress, signal) =>
        new Promise((resolve, reject) => {
          const end = () => begun.delete(id)
          begun.set(id, {
            resolve: () =>
              end() && resolve({ digest: `sha256:${id}`, architecture: 'x86_64', diskGiB: 1 }),
            reject: (error) => end() && reject(error),
          })
          signal.addEventListener('abort', () => reject(signal.reason))
        }),
      keep: async (images) => void kept.push([...images]),
    },
  })
  return { captures, begun, kept }
}

describe('images of instances', () => {
  test('are made two at once, of one instance one after the other, and each once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(3), fc.boolean()), { minLength: 1, maxLength: 8 }),
        async (list) => {
          const { captures, begun } = begin()
          const wants = list.map(([instance, ends], index) => ({
            want: order(index + 1, instance + 1),
            ends,
          }))
          const made: ImageId[] = []
          const kinds = () => wants.map(({ want }) => captures.look(want).kind)
          kinds()
          for (let left = wants.length; left > 0; left -= 1) {
            await vi.waitUntil(() => begun.size === Math.min(2, left) || isOneInstance(), {
              ...SOON,
              interval: 1,
            })
            const now = wants.filter(({ want }) => begun.has(want.id))
            expect(begun.size).toBeLessThanOrEqual(2)
            expect(new Set(now.map(({ want }) => want.instance)).size).toBe(begun.size)
            for (const { want } of now) expect(captures.holds(want.instance)).toBe(true)
            const [next] = now
            if (next === undefined) throw new Error('nothing is being made')
            made.push(next.want.id)
            const job = begun.get(next.want.id)
            if (next.ends) job?.resolve()
            else job?.reject(new Error('no room'))
            await vi.waitUntil(() => captures.look(next.want).kind !== 'working', {
              ...SOON,
              interval: 1,
            })
          }
          function isOneInstance(): boolean {
            const open = wants.filter(({ want }) => !made.includes(want.id))
            return begun.size === 1 && new Set(open.map(({ want }) => want.instance)).size === 1
          }
          expect(kinds()).toEqual(wants.map(({ ends }) => (ends ? 'ready' : 'failed')))
          expect(new Set(made).size).toBe(wants.length)
          for (const { want } of wants) expect(captures.holds(want.instance)).toBe(false)
          await captures.close()
        },
      ),
      { numRuns: 30 },
    )
  })

  test('hold the instance at once, before anything else is planned, and until the end', async () => {
    const { captures, begun } = begin()
    expect(captures.holds(instanceId(1))).toBe(false)
    captures.look(order(1, 1))
    expect(captures.holds(instanceId(1))).toBe(true)
    begun.get(numbered('ami', 1))?.resolve()
    await vi.waitUntil(() => !captures.holds(instanceId(1)), SOON)
    await captures.close()
  })

  test('are looked through when others are wanted, when one was made, and now and then', async () => {
    const { captures, begun, kept } = begin()
    const wanted = [numbered('ami', 1)]
    const told = async (count: number) => {
      await vi.waitUntil(() => kept.length === count, SOON)
    }
    // Nobody knows what is wanted: nothing may go.
    captures.keep(null, true)
    captures.keep(wanted, false)
    captures.keep(wanted, false)
    await told(1)
    captures.keep(wanted, true)
    await told(2)
    captures.keep([], false)
    await told(3)
    captures.look(order(2, 1))
    begun.get(numbered('ami', 2))?.resolve()
    await vi.waitUntil(() => captures.look(order(2, 1)).kind === 'ready', SOON)
    captures.keep([], false)
    await told(4)
    await captures.close()
    expect(kept).toEqual([wanted, wanted, [], []])
  })

  test('that are being made end with the daemon', async () => {
    const { captures } = begin()
    captures.look(order(1, 1))
    await captures.close()
    expect(captures.holds(instanceId(1))).toBe(false)
  })
})
