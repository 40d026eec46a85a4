/** Instances that are asked whether they are there, on a clock that the test moves. */
import { describe, expect, it } from 'vitest'
import { nextTurn } from '../../../src/lib/clock.ts'
import { unavailable } from '../../../src/model/errors.ts'
import { parseId } from '../../../src/model/ids.ts'
import { nicLinkName } from '../../../src/model/names.ts'
import type { InstanceWant } from '../../../src/model/want.ts'
import { createChecks } from '../../../src/workloads/checks.ts'
import type { Pulse } from '../../../src/workloads/driver.ts'
import { instance, passWith } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'

const SECOND_MS = 1_000
const MINUTE_MS = 60_000
/** In which one that has answered is found silent: a round, and then half a minute. */
const FOUND_MS = 100_000
const BOOT_MS = 300_000
const one = instance(1)
const LINK = one.nics.map(({ id }) => nicLinkName(id))[0] ?? ''

/** Timers that fire when the test lets time pass. */
function timers() {
  let now = 0
  const waiting = new Set<{ readonly at: number; readonly run: () => void }>()
  return {
    clock: {
      monotonic: () => now,
      sleep: async () => undefined,
      after(ms: number, run: () => void) {
        const timer = { at: now + ms, run }
        waiting.add(timer)
        return () => void waiting.delete(timer)
      },
    },
    count: () => waiting.size,
    /** Nothing runs meanwhile, as in a daemon that is stopped. */
    stall(ms: number) {
      now += ms
    },
    async pass(ms: number) {
      for (const end = now + ms; ; ) {
        const [next] = [...waiting].sort((a, b) => a.at - b.at)
        if (next === undefined || next.at > end) {
          now = end
          return
        }
        now = Math.max(now, next.at)
        waiting.delete(next)
        next.run()
        for (let turn = 0; turn < 3; turn += 1) await nextTurn()
      }
    },
  }
}

/** Instances that answer as `world` says. */
function begin(rebootAfterMs: number | null = null) {
  const time = timers()
  const world = {
    answers: true as boolean | null,
    pulse: 'runs' as Pulse,
    fails: false,
    asked: [] as string[],
    woken: 0,
    before: async () => {},
  }
  const place = (name: string) => ({
    async answersArp(link: string) {
      world.asked.push(`${name} ${link}`)
      await world.before()
      if (world.fails) throw unavailable('no socket')
      return world.answers
    },
  })
  const checks = createChecks({
    drivers: [{ declaration: { name: one.driver }, driver: { pulse: async () => world.pulse } }],
    host: {
      ...place('machine'),
      vpcs: { opened: (network) => (network === 7 ? place('vpc 7') : undefined) },
    },
    ...{ clock: time.clock, rebootAfterMs },
    log: silentLog,
    wake: () => {
      world.woken += 1
    },
  })
  const results = async (...wants: InstanceWant[]) =>
    (await checks.apply(passWith(...wants))).map((fact) => ('result' in fact ? fact.result : null))
  return { checks, world, results, time }
}

describe('an instance that answers', () => {
  it('has passed a second after it was to run, and is asked once a minute from then on', async () => {
    const { world, results, time, checks } = begin()
    expect(await results(one)).toEqual([])
    await time.pass(SECOND_MS)
    expect(await checks.apply(passWith(one))).toEqual([
      { kind: 'checked', instance: one.id, bootCount: 1, result: 'passed' },
    ])
    expect(world).toMatchObject({ woken: 1, asked: [`machine ${LINK}`] })
    await time.pass(10 * MINUTE_MS)
    expect(world.asked.length).toBeGreaterThanOrEqual(10)
    expect(world.asked.length).toBeLessThanOrEqual(12)
    expect(world.woken).toBe(1)
  })

  it.each([
    ['does not answer', { answers: false }, 'failed'],
    ['is halted, though its network answers', { pulse: 'halted' }, 'failed'],
    ['has no link any more', { answers: null }, 'unknown'],
    ['cannot be asked', { fails: true }, 'unknown'],
  ] as const)(
    'and then %s, is %j for half a minute before it says so',
    async (_what, change, result) => {
      const { world, results, time } = begin()
      await results(one)
      await time.pass(SECOND_MS)
      Object.assign(world, change)
      await time.pass(30 * SECOND_MS)
      expect(await results(one)).toEqual(['passed'])
      await time.pass(FOUND_MS)
      expect(await results(one)).toEqual([result])
      expect(world.woken).toBe(2)
      Object.assign(world, { answers: true, pulse: 'runs', fails: false })
      await time.pass(5 * SECOND_MS)
      expect(await results(one)).toEqual(['passed'])
      expect(world.woken).toBe(3)
    },
  )

  it('may miss a question', async () => {
    const { world, results, time } = begin()
    await results(one)
    await time.pass(SECOND_MS)
    for (let round = 0; round < 3; round += 1) {
      world.answers = false
      await time.pass(MINUTE_MS)
      world.answers = true
      await time.pass(5 * SECOND_MS)
      expect(await results(one)).toEqual(['passed'])
    }
    expect(world.woken).toBe(1)
  })
})

it('does not fail an instance because its daemon stood still after a missed question', async () => {
  const { world, results, time } = begin()
  await results(one)
  await time.pass(SECOND_MS)
  world.answers = false
  const asked = world.asked.length
  while (world.asked.length === asked) await time.pass(SECOND_MS)
  time.stall(MINUTE_MS)
  await time.pass(SECOND_MS)
  expect(world.asked).toHaveLength(asked + 2)
  expect(await results(one)).toEqual(['passed'])
})

describe('an instance that has not answered yet', () => {
  it('has five minutes to boot', async () => {
    const { world, results, time } = begin()
    world.answers = false
    await results(one)
    await time.pass(BOOT_MS - SECOND_MS)
    expect(await results(one)).toEqual([])
    await time.pass(2 * SECOND_MS)
    expect(await results(one)).toEqual(['failed'])
  })

  it('is not judged before it runs', async () => {
    const { world, results, time } = begin()
    world.pulse = 'absent'
    await results(one)
    await time.pass(2 * BOOT_MS)
    expect(await results(one)).toEqual([])
    expect(world.asked).toEqual([])
    Object.assign(world, { pulse: 'runs', answers: false })
    await time.pass(BOOT_MS - SECOND_MS)
    expect(await results(one)).toEqual([])
    world.answers = true
    await time.pass(SECOND_MS)
    expect(await results(one)).toEqual(['passed'])
  })
})

describe('an instance that fails, where such are rebooted', () => {
  const AFTER_MS = 5 * MINUTE_MS
  const recover = { acknowledged: false, assignment: null }
  const mine = { ...one, recover }

  /** For how long it is said to hang; null: nothing is said. */
  async function hungMs(checks: ReturnType<typeof begin>['checks'], want: InstanceWant) {
    const facts = await checks.apply(passWith(want))
    const found = facts.find((fact) => fact.kind === 'hung')
    return found?.kind === 'hung' ? found.forMs : null
  }

  it('hangs as long as it was found so, and no longer when it answers', async () => {
    const { checks, world, time } = begin(AFTER_MS)
    await hungMs(checks, mine)
    await time.pass(MINUTE_MS)
    world.answers = false
    await time.pass(FOUND_MS)
    const found = await hungMs(checks, mine)
    expect(found).toBeGreaterThanOrEqual(0)
    await time.pass(AFTER_MS)
    expect(await hungMs(checks, mine)).toBeGreaterThanOrEqual(AFTER_MS)
    expect(await hungMs(checks, one)).toBeNull()
    world.answers = true
    await time.pass(5 * SECOND_MS)
    expect(await hungMs(checks, mine)).toBeNull()
  })

  it('does not hang longer because its daemon stood still', async () => {
    const { checks, world, time } = begin(AFTER_MS)
    await hungMs(checks, mine)
    await time.pass(MINUTE_MS)
    world.answers = false
    await time.pass(FOUND_MS)
    const before = (await hungMs(checks, mine)) ?? 0
    for (let round = 0; round < 2; round += 1) {
      time.stall(10 * AFTER_MS)
      await time.pass(SECOND_MS)
    }
    const since = (await hungMs(checks, mine)) ?? 0
    expect(since).toBeGreaterThan(before)
    expect(since).toBeLessThan(before + MINUTE_MS)
  })

  it('is said to hang by nobody otherwise', async () => {
    const { checks, world, time } = begin()
    await hungMs(checks, mine)
    await time.pass(MINUTE_MS)
    world.answers = false
    await time.pass(10 * AFTER_MS)
    expect(await hungMs(checks, mine)).toBeNull()
  })
})

describe('what is asked', () => {
  it('begins anew with each boot, and ends with the instance', async () => {
    const { world, results, time, checks } = begin()
    await results(one)
    await time.pass(SECOND_MS)
    expect(await results(one)).toEqual(['passed'])
    expect(await results({ ...one, bootCount: 2 })).toEqual([])
    await time.pass(SECOND_MS)
    expect(await checks.apply(passWith({ ...one, bootCount: 2 }))).toMatchObject([{ bootCount: 2 }])
    for (const other of [{ run: 'stop' }, { claimed: false }] as const)
      expect(await results({ ...one, bootCount: 2, ...other })).toEqual([])
    expect(time.count()).toBe(0)
    expect(await results(one)).toEqual([])
    await checks.close()
    expect(time.count()).toBe(0)
    const { length } = world.asked
    await time.pass(MINUTE_MS)
    expect(world.asked).toHaveLength(length)
  })

  it('goes through the namespace of the VPC', async () => {
    const { world, results, time } = begin()
    const within = (network: number) => ({
      ...one,
      nics: one.nics.map((nic) => ({ ...nic, network })),
    })
    await results(within(7))
    await time.pass(SECOND_MS)
    expect(await results(within(7))).toEqual(['passed'])
    expect(world.asked[0]).toMatch(/^vpc 7 /)
    await results({ ...within(8), bootCount: 2 })
    await time.pass(BOOT_MS + MINUTE_MS)
    expect(await results({ ...within(8), bootCount: 2 })).toEqual(['unknown'])
  })

  it('is not more than some at the same time, when a thousand begin', async () => {
    const { world, results, time } = begin()
    const many = Array.from({ length: 1000 }, (_, index) => {
      const id = parseId('i', `i-${String(index).padStart(17, '0')}`)
      return id === undefined ? one : { ...one, id }
    })
    const gate = Promise.withResolvers<void>()
    world.before = () => gate.promise
    await results(...many)
    await time.pass(SECOND_MS)
    expect(world.asked.length).toBeGreaterThan(1)
    expect(world.asked.length).toBeLessThanOrEqual(64)
    gate.resolve()
    await expect.poll(() => world.asked.length).toBe(1000)
    expect((await results(...many)).filter((result) => result === 'passed')).toHaveLength(1000)
  })

  it('is spread over a round', async () => {
    const { world, results, time } = begin()
    const many = Array.from({ length: 50 }, (_, index) => instance(index + 1))
    await results(...many)
    await time.pass(SECOND_MS)
    expect(world.asked).toHaveLength(50)
    await time.pass(MINUTE_MS)
    expect(world.asked).toHaveLength(100)
    await time.pass(30 * SECOND_MS)
    expect(world.asked.length).toBeLessThan(150)
  })
})
