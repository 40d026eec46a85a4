import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type DiskMeter, excessOf, startDiskMeter } from '../../../src/containers/disk.ts'
import { type Runner, systemRunner } from '../../../src/lib/runner.ts'
import type { InstanceId } from '../../../src/model/ids.ts'
import { GIB, MIB } from '../../../src/model/sizes.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { fastClock } from '../../kit/fast-clock.ts'
import { instanceId } from '../../kit/records.ts'

const DEADLINE_MS = 20_000

test('a container may write what its type allows, and make as many files as fit', () => {
  expect(excessOf({ bytes: 8 * GIB, files: 524_288 }, 8)).toBeNull()
  expect(excessOf({ bytes: 8 * GIB + 1, files: 1 }, 8)).toBe(
    'it has written 9 GiB; its limit is 8 GiB and 524288 files, by its type',
  )
  expect(excessOf({ bytes: 0, files: 524_289 }, 8)).toContain('it has made 524289 files')
})

describe('the meter, with real files', () => {
  let home: string
  let end: AbortController
  let runs: string[][]
  const isFull = new Set<InstanceId>()

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'atoll-disk-'))
    end = new AbortController()
    runs = []
    isFull.clear()
  })
  afterEach(async () => {
    end.abort()
    await rm(home, { recursive: true })
  })

  /** A container whose disk has two directories, of which one is a volume. */
  async function container(number: number, mebibytes: number) {
    const [upper, source] = [join(home, `${number}\n upper`), join(home, `${number} volume`)]
    await mkdir(upper)
    await mkdir(source)
    await writeFile(join(upper, 'file'), Buffer.alloc(mebibytes * MIB, 1))
    const mounts = [{ type: 'volume', source, destination: '/volume' }]
    return { directories: { upper, lower: [], mounts }, limitGiB: 0.03125 }
  }
  /** A meter whose programs need `ms` if they are to read this place. */
  function meterWith(slow: string | null, ms: number): DiskMeter {
    const clock = fastClock(100)
    const run: Runner = async (program, args, settings = {}) => {
      runs.push([...args])
      const isSlow = args.some((arg) => arg === slow)
      if (isSlow && ms > (settings.timeoutMs ?? 0))
        return { exitCode: null, stoppedBy: 'timeout', stdout: '', stderr: '' }
      if (isSlow) await clock.sleep(ms)
      return systemRunner(program, args, settings)
    }
    const exceeded = (instance: InstanceId) => void isFull.add(instance)
    return startDiskMeter({ run, clock, log: silentLog, signal: end.signal, exceeded })
  }

  test('finds the full ones among many, with one program for bytes and one for files', async () => {
    const meter = meterWith(null, 0)
    const all = Array.from({ length: 40 }, (_, n) => container(n + 1, n >= 38 ? 40 : 1))
    // At once, so that no measurement begins with some of them.
    for (const [index, one] of (await Promise.all(all)).entries())
      meter.follow(instanceId(index + 1), one)
    await eventually('two are full', () => isFull.size === 2, DEADLINE_MS)
    expect(isFull).toEqual(new Set([instanceId(39), instanceId(40)]))
    const whole = runs.filter((args) => args.length > 80)
    expect(runs.length - whole.length).toBe(0)
    expect(meter.follow(instanceId(40), await container(41, 1))).toContain('it has written 1 GiB')
    expect(meter.follow(instanceId(1), await container(42, 1))).toBeNull()
  })

  test('one that takes long, and one whose files are gone, keep nobody from being measured', async () => {
    const large = await container(1, 40)
    const meter = meterWith(large.directories.upper, 60_000)
    meter.follow(instanceId(1), large)
    const gone = await container(2, 1)
    await rm(gone.directories.upper, { recursive: true })
    meter.follow(instanceId(2), gone)
    meter.follow(instanceId(3), await container(3, 40))
    await eventually('both full ones are found', () => isFull.size === 2, DEADLINE_MS)
    expect(isFull).toEqual(new Set([instanceId(1), instanceId(3)]))
  })

  test('a program that cannot be started is tried again', async () => {
    let failures = 3
    const run: Runner = async (...args) => {
      if (failures-- > 0) throw Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' })
      return systemRunner(...args)
    }
    const exceeded = (instance: InstanceId) => void isFull.add(instance)
    const clock = fastClock(100)
    const meter = startDiskMeter({ run, clock, log: silentLog, signal: end.signal, exceeded })
    meter.follow(instanceId(1), await container(1, 40))
    await eventually('it is found', () => isFull.has(instanceId(1)), DEADLINE_MS)
  })
})
