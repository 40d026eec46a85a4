/** Which instance is started next, before anybody asks for it. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { DOCKER } from '../../../src/containers/declaration.ts'
import { type InstanceId, newIds } from '../../../src/model/ids.ts'
import { kindOf, type WarmInstance, type WarmWant } from '../../../src/model/warm-instance.ts'
import type { ImageStatus } from '../../../src/plan/workloads.ts'
import { createWarmKeeper } from '../../../src/workloads/warm.ts'
import { instance } from '../../../tools/kit/instance.ts'
import { numbered } from '../../kit/records.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`
const READY: ImageStatus = { kind: 'ready', digest: DIGEST, architecture: 'x', diskGiB: null }

function want(image: number, count: number): WarmWant {
  const { image: known, type } = instance(1)
  return { image: { ...known, id: numbered('ami', image), digest: DIGEST }, type, count }
}

function begin() {
  const waiting: WarmInstance[] = []
  const status: { now: ImageStatus } = { now: READY }
  const warm = {
    prepare: async () => undefined,
    adopt: async () => undefined,
    waiting: () => waiting,
    discard: () => undefined,
  }
  const images = {
    look: () => status.now,
    watch: () => () => undefined,
    close: async () => undefined,
  }
  const keeper = createWarmKeeper(
    { declaration: DOCKER, driver: { warm }, images },
    newIds(randomBytes),
  )
  if (keeper === null) throw new Error('no keeper')
  const add = (id: InstanceId, of: WarmWant) => void waiting.push({ id, ...kindOf(of) })
  const end = () => void waiting.splice(0)
  return { keeper, add, end, status }
}

test('one is started under the same id until it waits, and then the next under another', () => {
  const { keeper, add } = begin()
  const wanted = want(1, 2)
  keeper.keep([wanted])
  const [first] = keeper.plan([]).steps
  expect(keeper.plan([]).steps).toEqual([first])
  if (first === undefined) throw new Error('nothing is started')
  add(first.instance, wanted)
  const second = keeper.plan([])
  expect([...second.keep]).toEqual([first.instance])
  expect(second.steps[0]?.instance).not.toBe(first.instance)
})

test('an id that somebody was told of is not used again, even if it does not wait any more', () => {
  const { keeper, add, end } = begin()
  const wanted = want(1, 2)
  keeper.keep([wanted])
  const [first] = keeper.plan([]).steps
  if (first === undefined) throw new Error('nothing is started')
  add(first.instance, wanted)
  expect(keeper.waiting()).toMatchObject([{ id: first.instance }])
  end()
  expect(keeper.plan([]).steps[0]?.instance).not.toBe(first.instance)
})

test('each kind that there are too few of has a step, so that one that fails does not delay others', () => {
  const { keeper } = begin()
  keeper.keep([want(1, 1), want(2, 1)])
  const { steps } = keeper.plan([])
  expect(steps.map((step) => step.want.image.id)).toEqual([numbered('ami', 1), numbered('ami', 2)])
  expect(new Set(steps.map(({ instance: id }) => id)).size).toBe(2)
})

test('one that an instance has is neither counted nor kept', () => {
  const { keeper, add } = begin()
  const wanted = want(1, 1)
  keeper.keep([wanted])
  add(numbered('i', 1), wanted)
  expect(keeper.plan([]).steps).toEqual([])
  const plan = keeper.plan([{ id: numbered('i', 1) }])
  expect(plan).toMatchObject({ keep: new Set(), steps: [{ kind: 'prepare', want: wanted }] })
})

test('none is started of an image that is not here, and none stays that nobody wants', () => {
  const { keeper, add, status } = begin()
  add(numbered('i', 1), want(1, 1))
  expect(keeper.plan([])).toEqual({ keep: new Set(), steps: [] })
  keeper.keep([want(2, 1)])
  status.now = { kind: 'working', message: 'pulling' }
  expect(keeper.plan([])).toEqual({ keep: new Set(), steps: [] })
})
