/** NICs that running instances have lost: when the driver is told, and what is said of failures. */
import { describe, expect, test, vi } from 'vitest'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import type { InstanceId, NicId } from '../../../src/model/ids.ts'
import type { LooseNic } from '../../../src/model/loose-nic.ts'
import type { NicWant } from '../../../src/model/want.ts'
import { createReplugs } from '../../../src/workloads/replugs.ts'
import { instance } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { handClock } from '../../kit/hand-clock.ts'
import { SOON } from '../../kit/soon.ts'

const RESYNC_MS = 120_000

interface Call {
  readonly instance: InstanceId
  readonly nics: readonly NicId[]
  readonly end: (repaired: readonly string[] | Error) => void
}

/** A driver whose work a test ends. */
function begin() {
  const calls: Call[] = []
  const clock = handClock(0)
  const wake = vi.fn()
  const replugs = createReplugs({
    driver: {
      replug: (id, nics) =>
        new Promise((resolve, reject) => {
          const end = (found: readonly string[] | Error) =>
            found instanceof Error ? reject(found) : resolve(found)
          calls.push({ instance: id, nics: nics.map((nic) => nic.id), end })
        }),
    },
    wake,
    clock,
    log: silentLog,
  })
  return { calls, clock, wake, replugs }
}

function nicsOf(n: number): readonly LooseNic[] {
  const { id, nics } = instance(n)
  return nics.map((nic) => ({ instance: id, driver: FIRST_DRIVERS.container, nic }))
}

function more([first]: readonly LooseNic[], id: string): readonly LooseNic[] {
  if (first === undefined) throw new Error('an instance has a NIC')
  const nic: NicWant = { ...first.nic, id: id as NicId }
  return [{ ...first, nic }]
}

describe('a NIC that leads into no instance', () => {
  test('is given to the driver at once, those of an instance together', () => {
    const { calls, replugs } = begin()
    const [one, other] = [nicsOf(1), nicsOf(2)]
    replugs.add([...one, ...more(one, 'eni-second'), ...other])
    expect(calls.map(({ nics }) => nics)).toEqual([
      [one[0]?.nic.id, 'eni-second'],
      [other[0]?.nic.id],
    ])
    replugs.close()
  })

  test('waits for the attempt before it, and is not forgotten', async () => {
    const { calls, clock, replugs } = begin()
    const one = nicsOf(1)
    replugs.add(one)
    clock.pass(1_000)
    replugs.add(more(one, 'eni-second'))
    expect(calls).toHaveLength(1)
    calls[0]?.end([])
    await vi.waitFor(() => expect(calls).toHaveLength(2), SOON)
    expect(calls[1]?.nics).toEqual(['eni-second'])
    replugs.close()
  })

  test('is tried ten times a second at most, whatever its guest does', async () => {
    const { calls, replugs } = begin()
    for (let n = 0; n < 100; n += 1) {
      replugs.add(nicsOf(1))
      for (const { end } of calls) end([])
      await Promise.resolve()
    }
    expect(calls).toHaveLength(1)
    replugs.close()
  })

  test('asks for a pass when it was plugged in, once a second at most', async () => {
    const { calls, clock, wake, replugs } = begin()
    for (let n = 1; n <= 5; n += 1) {
      replugs.add(nicsOf(1))
      calls.at(-1)?.end(['eth0: up'])
      clock.pass(100)
      await vi.waitFor(() => expect(calls).toHaveLength(n), SOON)
      await new Promise(setImmediate)
    }
    expect(wake).toHaveBeenCalledTimes(1)
    replugs.close()
  })

  test('asks for no pass when there was nothing to do, or when it failed', async () => {
    const { calls, clock, wake, replugs } = begin()
    replugs.add(nicsOf(1))
    calls[0]?.end([])
    await new Promise(setImmediate)
    clock.pass(1_000)
    replugs.add(nicsOf(1))
    calls[1]?.end(new Error('the kernel refuses'))
    await new Promise(setImmediate)
    expect(wake).not.toHaveBeenCalled()
    replugs.close()
  })

  test('is reported while it cannot be plugged in, and no longer', async () => {
    const { calls, clock, replugs } = begin()
    const fail = async () => {
      replugs.add(nicsOf(1))
      calls.at(-1)?.end(new Error('the kernel refuses'))
      await new Promise(setImmediate)
    }
    await fail()
    expect(replugs.hanging()).toEqual([expect.stringContaining('the kernel refuses')])
    expect(replugs.hanging()[0]).toContain(instance(1).id)
    clock.pass(RESYNC_MS)
    expect(replugs.hanging()).toHaveLength(1)
    replugs.add(nicsOf(1))
    calls.at(-1)?.end(['eth0: link'])
    await new Promise(setImmediate)
    expect(replugs.hanging()).toEqual([])
    clock.pass(1_000)
    await fail()
    // It was stopped, or its NIC was taken off, and nobody finds it so any more.
    clock.pass(2 * RESYNC_MS)
    expect(replugs.hanging()).toEqual([])
    replugs.close()
  })
})
