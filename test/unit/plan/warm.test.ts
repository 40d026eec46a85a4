/** Which instances a host keeps waiting for launches. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import { keptLocation } from '../../../src/model/image-location.ts'
import type { Image, InstanceType } from '../../../src/model/records.ts'
import { kindOf, type WarmInstance, type WarmWant } from '../../../src/model/warm-instance.ts'
import { planWarm, warmWantOf } from '../../../src/plan/warm.ts'
import { hostName, numbered, image as sample } from '../../kit/records.ts'

const HOST = hostName('a')
const DIGEST = `sha256:${'a'.repeat(64)}`
const NANO: InstanceType = { name: 'at1.nano', vcpus: 1, memoryMiB: 64, diskGiB: 1 }

function want(image: number, count: number, digest = DIGEST): WarmWant {
  const location = 'docker://busybox'
  const driver = FIRST_DRIVERS.container
  return { image: { id: numbered('ami', image), location, driver, digest }, type: NANO, count }
}

function waiting(id: number, of: WarmWant): WarmInstance {
  return { id: numbered('i', id), ...kindOf(of) }
}

describe('those that wait', () => {
  test('stay as far as they are wanted, and what there are too few of is lacking', () => {
    const [one, two] = [want(1, 1), want(2, 2)]
    const all = [waiting(1, one), waiting(2, one), waiting(3, two), waiting(4, want(3, 1))]
    const plan = planWarm([one, two], all)
    expect([...plan.keep]).toEqual([numbered('i', 1), numbered('i', 3)])
    expect(plan.lacking).toEqual([two])
  })

  test('do not stay for another content, type or image', () => {
    const one = want(1, 5)
    const others = [
      waiting(1, want(1, 5, `sha256:${'b'.repeat(64)}`)),
      waiting(2, { ...one, type: { ...NANO, name: 'at1.micro' } }),
      waiting(3, want(2, 5)),
    ]
    expect(planWarm([one], others)).toEqual({ keep: new Set(), lacking: [one] })
  })

  test('are never more than are wanted, and lacking only if they are fewer', () => {
    const counts = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 })
    fc.assert(
      fc.property(counts, fc.array(fc.integer({ min: 0, max: 3 })), (wanted, there) => {
        const wants = wanted.map((count, at) => want(at, count))
        const plan = planWarm(
          wants,
          there.map((image, id) => waiting(id, want(image, 1))),
        )
        for (const [at, one] of wants.entries()) {
          const found = there.filter((image) => image === at).length
          expect(plan.lacking.includes(one)).toBe(found < one.count)
        }
        expect(plan.keep.size).toBe(
          wanted.reduce(
            (sum, count, at) => sum + Math.min(count, there.filter((one) => one === at).length),
            0,
          ),
        )
      }),
    )
  })
})

describe('what the settings come to', () => {
  const image: Image = { ...sample, driver: FIRST_DRIVERS.container, digest: DIGEST }
  const setting = { image: image.id, type: NANO.name, count: 3 }
  const own = { host: HOST, driver: FIRST_DRIVERS.container }
  const wanted = (changes: Partial<Image>, types = [NANO], of = own) =>
    warmWantOf(setting, { images: [{ ...image, ...changes }], types }, of)

  test('is an image with its content and type', () => {
    expect(wanted({})).toMatchObject({
      ...{ image: { id: image.id, digest: DIGEST }, type: NANO, count: 3 },
    })
  })

  test.each<[string, ReturnType<typeof wanted>, string]>([
    ['no image', warmWantOf(setting, { images: [], types: [NANO] }, own), 'there is no image ami-'],
    ['an image that is not available', wanted({ state: 'deregistered' }), 'is deregistered'],
    ['an image that was not looked at yet', wanted({ digest: null }), 'before its first launch'],
    ['a type that there is not', wanted({}, []), 'there is no instance type at1.nano'],
    ['another driver', wanted({ driver: FIRST_DRIVERS.machine }), 'are no containers'],
    [
      'an image that only another host has',
      wanted({ location: keptLocation(own.driver, hostName('b'), image.id) }),
      'only the host b has the image',
    ],
  ])('is the reason for %s', (_what, found, reason) => {
    expect(found).toContain(reason)
  })

  test('has an image that only this host has', () => {
    expect(wanted({ location: keptLocation(own.driver, HOST, image.id) })).toMatchObject({
      count: 3,
    })
  })
})
