/**
 * What every implementation of the `Bus` port promises. A new one calls `describeBusContract`.
 *
 * A bell may be late, merged with others or repeated, so tests wait for a bell after the last ring
 * and never count bells.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { allBellMs, type Bell, type Bus, type BusCaller } from '../../src/bus/bus.ts'
import type { CloudEvent } from '../../src/model/cloud-event.ts'
import { AtollError, refused } from '../../src/model/errors.ts'
import { formatId, type HostName } from '../../src/model/ids.ts'

/** One end of a bus: its host's bells and questions arrive there. */
interface BusEnd {
  readonly bus: Bus
  readonly host: HostName
}

/**
 * An idle bus. `near` sends bells and questions, `far` receives and answers them; both may be
 * the same end.
 */
export interface BusFixture {
  readonly near: BusEnd
  readonly far: BusEnd
  end(): Promise<void>
}

/** The same of a bus that only sends: `near` hears nothing. */
export interface CallerFixture {
  readonly near: { readonly bus: BusCaller }
  readonly far: BusEnd
  end(): Promise<void>
}

const ASK = { instance: formatId('i', new Uint8Array(9)) }
const VPC = formatId('vpc', new Uint8Array(9).fill(1))
const OTHER_VPC = formatId('vpc', new Uint8Array(9).fill(2))
const AT = '2026-11-22T08:33:27.000Z'
/** Long enough for any healthy engine. */
const PATIENCE_MS = 20_000
/** For an engine on a machine that does much else. */
const BEGIN_LIMIT_MS = 60_000
/** Longer than any test: what ends before has ended for another reason. */
const NEVER_MS = 600_000

/** Runs the contract against an implementation. */
export function describeBusContract(name: string, begin: () => Promise<BusFixture>): void {
  describe(name, () => {
    let fixture: BusFixture
    beforeEach(async () => {
      fixture = await begin()
    }, BEGIN_LIMIT_MS)
    afterEach(() => fixture.end())
    describeBells(() => fixture)
    describeAnswers(() => fixture)
    describeSilence(() => fixture)
    describeBothEnds(() => fixture)
    describeEvents(() => fixture)
  })
}

/** Runs what of the contract is about sending. */
export function describeCallerContract(name: string, begin: () => Promise<CallerFixture>): void {
  describe(name, () => {
    let fixture: CallerFixture
    beforeEach(async () => {
      fixture = await begin()
    }, BEGIN_LIMIT_MS)
    afterEach(() => fixture.end())
    describeBells(() => fixture)
    describeAnswers(() => fixture)
    describeSilence(() => fixture)
  })
}

/** Listens to one kind of bell; `next` resolves with the first one after its call. */
function listen(
  bus: Bus,
  kind: Bell = 'own',
): { next(): Promise<void>; stop(): void; readonly count: number } {
  let count = 0
  let bell = Promise.withResolvers<void>()
  const stop = bus.onBell((heard) => {
    if (heard !== kind) return
    count += 1
    bell.resolve()
    bell = Promise.withResolvers()
  })
  return {
    next: () => bell.promise,
    stop,
    get count() {
      return count
    },
  }
}

function describeBells(fixture: () => CallerFixture): void {
  describe('bells', () => {
    it('are heard, but never before ring returns', async () => {
      const { near, far } = fixture()
      const ear = listen(far.bus)
      const heard = ear.next()
      near.bus.ring(far.host)
      expect(ear.count).toBe(0)
      await heard
    })

    it('after the last of any rings there is a bell, and not more bells than rings', async () => {
      const { near, far } = fixture()
      const ear = listen(far.bus)
      const anyBursts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 })
      await fc.assert(
        fc.asyncProperty(anyBursts, async (bursts) => {
          const before = ear.count
          for (const burst of bursts) {
            const heard = ear.next()
            for (let rung = 0; rung < burst; rung += 1) near.bus.ring(far.host)
            await heard
          }
          const rings = bursts.reduce((sum, burst) => sum + burst, 0)
          expect(ear.count - before).toBeLessThanOrEqual(rings)
        }),
      )
    })

    it('reach every listener, until it stops listening', async () => {
      const { near, far } = fixture()
      const [first, second] = [listen(far.bus), listen(far.bus)]
      const both = Promise.all([first.next(), second.next()])
      near.bus.ring(far.host)
      await both
      const count = first.count
      first.stop()
      first.stop()
      const heard = second.next()
      near.bus.ring(far.host)
      await heard
      expect(first.count).toBe(count)
    })

    it('may be answered with a bell', async () => {
      const { near, far } = fixture()
      let heard = 0
      const enough = Promise.withResolvers<void>()
      far.bus.onBell(() => {
        heard += 1
        if (heard === 3) enough.resolve()
        else far.bus.ring(far.host)
      })
      near.bus.ring(far.host)
      await enough.promise
    })

    it('to all, rung in bursts, are few, and the last of them is followed by one', async () => {
      const { near, far } = fixture()
      const ear = listen(far.bus, 'shared')
      const beganMs = performance.now()
      for (let burst = 0; burst < 5; burst += 1) {
        const heard = ear.next()
        for (let rung = 0; rung < 200; rung += 1) near.bus.ringAll()
        await heard
      }
      const intervals = Math.ceil((performance.now() - beganMs) / allBellMs(1))
      expect(ear.count).toBeGreaterThan(0)
      expect(ear.count).toBeLessThanOrEqual(intervals + 1)
    })

    it('of a VPC reach those that follow it, which receive one as soon as they do, and no others', async () => {
      const { near, far } = fixture()
      const [heardFirst, other] = [listen(far.bus, VPC), listen(far.bus, OTHER_VPC)]
      const following = heardFirst.next()
      far.bus.follow([VPC])
      await following
      const rung = heardFirst.next()
      near.bus.ringVpc(OTHER_VPC)
      near.bus.ringVpc(VPC)
      await rung
      expect(other.count).toBe(0)
      // What is followed no more is not heard: the bell of the other comes later.
      const now = other.next()
      far.bus.follow([OTHER_VPC])
      await now
      const { count } = heardFirst
      const again = other.next()
      near.bus.ringVpc(VPC)
      near.bus.ringVpc(OTHER_VPC)
      await again
      expect(heardFirst.count).toBe(count)
    })

    it('of a VPC, rung in bursts, are few, and the last of them is followed by one', async () => {
      const { near, far } = fixture()
      const ear = listen(far.bus, VPC)
      const following = ear.next()
      far.bus.follow([VPC])
      await following
      const before = ear.count
      const beganMs = performance.now()
      for (let burst = 0; burst < 5; burst += 1) {
        const heard = ear.next()
        for (let rung = 0; rung < 200; rung += 1) near.bus.ringVpc(VPC)
        await heard
      }
      const intervals = Math.ceil((performance.now() - beganMs) / allBellMs(1))
      // One more where following was heard of twice.
      expect(ear.count - before).toBeLessThanOrEqual(intervals + 2)
    })
  })
}

function describeAnswers(fixture: () => CallerFixture): void {
  describe('questions', () => {
    it('each get the answer to what they asked', async () => {
      const { near, far } = fixture()
      const asks = Array.from({ length: 50 }, (_, index) => ({
        instance: formatId('i', new Uint8Array(9).fill(index)),
      }))
      far.bus.onAsk('console', async ({ instance }) => ({ output: instance, at: AT }))
      const answers = await Promise.all(
        asks.map((ask) => near.bus.ask(far.host, 'console', ask, { timeoutMs: PATIENCE_MS })),
      )
      expect(answers).toStrictEqual(asks.map(({ instance }) => ({ output: instance, at: AT })))
    })

    it('get copies: nothing is shared between the two ends', async () => {
      const { near, far } = fixture()
      const answer = { output: 'x', at: AT }
      const asked: unknown[] = []
      far.bus.onAsk('console', async (ask) => {
        asked.push(ask)
        return answer
      })
      const got = await near.bus.ask(far.host, 'console', ASK, { timeoutMs: PATIENCE_MS })
      expect(got).toStrictEqual(answer)
      expect(got).not.toBe(answer)
      expect(asked).toStrictEqual([ASK])
      expect(asked[0]).not.toBe(ASK)
    })

    it('get the error that is the answer, with its kind, code and message', async () => {
      const { near, far } = fixture()
      far.bus.onAsk('console', async () => {
        throw refused('InvalidInstanceID.NotFound', 'no such instance')
      })
      const answer = near.bus.ask(far.host, 'console', ASK, { timeoutMs: PATIENCE_MS })
      await expect(answer).rejects.toBeInstanceOf(AtollError)
      await expect(answer).rejects.toMatchObject({
        kind: 'refused',
        code: 'InvalidInstanceID.NotFound',
        message: 'no such instance',
      })
    })

    it('learn that the other end failed, and not how', async () => {
      const { near, far } = fixture()
      far.bus.onAsk('console', async () => {
        throw new TypeError('a secret of the other end')
      })
      const answer = near.bus.ask(far.host, 'console', ASK, { timeoutMs: PATIENCE_MS })
      await expect(answer).rejects.toMatchObject({ kind: 'bug', code: 'InternalError' })
      await expect(answer).rejects.not.toThrow(/secret/)
    })

    it('have one answerer a kind', () => {
      const { bus } = fixture().far
      const answer = async () => ({ output: '', at: AT })
      bus.onAsk('console', answer)
      expect(() => bus.onAsk('console', answer)).toThrow(AtollError)
    })
  })
}

function describeSilence(fixture: () => CallerFixture): void {
  describe('silence', () => {
    const never = () => new Promise<never>(() => {})

    it('is unavailable when nobody answers that kind', async () => {
      const { near, far } = fixture()
      const answer = near.bus.ask(far.host, 'console', ASK, { timeoutMs: 200 })
      await expect(answer).rejects.toMatchObject({ kind: 'unavailable' })
    })

    it('is unavailable after the deadline, and a late answer is forgotten', async () => {
      const { near, far } = fixture()
      const late = Promise.withResolvers<{ output: string; at: string }>()
      far.bus.onAsk('console', () => late.promise)
      const answer = near.bus.ask(far.host, 'console', ASK, { timeoutMs: 50 })
      await expect(answer).rejects.toMatchObject({ kind: 'unavailable' })
      late.resolve({ output: 'late', at: AT })
      const again = await near.bus.ask(far.host, 'console', ASK, { timeoutMs: PATIENCE_MS })
      expect(again.output).toBe('late')
    })

    it('ends when the asker gives up, with the reason', async () => {
      const { near, far } = fixture()
      far.bus.onAsk('console', never)
      const reason = new Error('gave up')
      const controller = new AbortController()
      const options = { timeoutMs: PATIENCE_MS, signal: controller.signal }
      const answer = near.bus.ask(far.host, 'console', ASK, options)
      controller.abort(reason)
      await expect(answer).rejects.toBe(reason)
      await expect(near.bus.ask(far.host, 'console', ASK, options)).rejects.toBe(reason)
    })
  })
}

function describeBothEnds(fixture: () => BusFixture): void {
  describe('both ends', () => {
    const never = () => new Promise<never>(() => {})

    it('hear bells to all, and tell them from those to one', async () => {
      const { near, far } = fixture()
      const ears = [near, far].map(({ bus }) => listen(bus, 'shared'))
      const own = listen(far.bus)
      const heard = Promise.all(ears.map((ear) => ear.next()))
      near.bus.ringAll()
      await heard
      expect(own.count).toBe(0)
    })

    it('are silent after close, which ends what is open', async () => {
      const { near, far } = fixture()
      const ear = listen(near.bus)
      far.bus.onAsk('console', never)
      const open = near.bus.ask(far.host, 'console', ASK, { timeoutMs: NEVER_MS })
      const ended = expect(open).rejects.toMatchObject({ kind: 'unavailable' })
      far.bus.ring(near.host)
      await near.bus.close()
      await near.bus.close()
      await ended
      const count = ear.count
      await nextTurn()
      far.bus.ring(near.host)
      near.bus.ring(near.host)
      near.bus.ringAll()
      const answer = near.bus.ask(far.host, 'console', ASK, { timeoutMs: NEVER_MS })
      await expect(answer).rejects.toMatchObject({ kind: 'unavailable' })
      await nextTurn()
      expect(ear.count).toBe(count)
    })
  })
}

function describeEvents(fixture: () => BusFixture): void {
  describe('events', () => {
    const event = (n: number): CloudEvent => ({
      id: `00000000-0000-8000-8000-${String(n).padStart(12, '0')}`,
      routingKey: '000000000001.instance-state-change.running',
      body: JSON.stringify({ n }),
      atMs: 1_000 + n,
    })

    it('are taken although nobody outside wants them, and heard here in order', async () => {
      const { near } = fixture()
      const heard: CloudEvent[] = []
      const stop = near.bus.onEvent((one) => heard.push(one))
      const events = Array.from({ length: 300 }, (_, n) => event(n))
      const published = events.map((one) => near.bus.publish(one))
      expect(heard).toEqual([])
      expect(new Set(await Promise.all(published))).toEqual(new Set(['taken']))
      await expect.poll(() => heard.length, { timeout: PATIENCE_MS }).toBe(300)
      expect(heard).toEqual(events)
      stop()
      await near.bus.publish(event(0))
      await nextTurn()
      expect(heard).toHaveLength(300)
    })

    it('are refused by a bus that is closed', async () => {
      const { near } = fixture()
      await near.bus.close()
      await expect(near.bus.publish(event(1))).rejects.toMatchObject({ kind: 'unavailable' })
    })
  })
}
