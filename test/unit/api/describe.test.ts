import * as fc from 'fast-check'
import { expect, it, describe as suite } from 'vitest'
import {
  type DescribeRequest,
  describe,
  type Listing,
  type Page,
} from '../../../src/api/describe.ts'
import { compileFilters, type Filter } from '../../../src/api/filters.ts'
import { newBudget } from '../../kit/budget.ts'

interface Thing {
  readonly id: string
  readonly color: string
  readonly tags: readonly { readonly Key: string; readonly Value: string }[]
}

const listing: Listing<Thing> = {
  action: 'DescribeThings',
  key: (thing) => thing.id,
  filters: { color: (thing) => thing.color, id: (thing) => [thing.id, undefined] },
  tags: (thing) => thing.tags,
}

const shortText = fc.string({ unit: fc.constantFrom(...'ab*?\\.ü𝄞'), maxLength: 6 })
const anyThings = fc.uniqueArray(
  fc.record({
    id: fc.string({ minLength: 1, maxLength: 6 }),
    color: fc.constantFrom('red', 'green', 'blue'),
    tags: fc.array(fc.record({ Key: shortText, Value: shortText }), { maxLength: 3 }),
  }),
  { selector: (thing) => thing.id, maxLength: 40 },
)

async function passes(thing: Partial<Thing>, ...filters: Filter[]): Promise<boolean> {
  const whole: Thing = { id: 'x', color: 'red', tags: [], ...thing }
  const documented = ['color', 'shape', 'tag:']
  return (await compileFilters(newBudget(), filters, { ...listing, documented }))(whole)
}

function list(things: readonly Thing[], request: DescribeRequest, as = listing) {
  return describe({ budget: newBudget() }, things, request, as)
}

const colored = (...Values: string[]): Filter => ({ Name: 'color', Values })

suite('filters', () => {
  it.each([
    ['red', 'red', true],
    ['Red', 'red', false],
    ['re', 'red', false],
    ['r*', 'red', true],
    ['*', '', true],
    ['?', '', false],
    ['r?d', 'red', true],
    ['r??', 're', false],
    ['*e*', 'red', true],
    ['a*b*c', 'aXbXbXc', true],
    ['a*b*c', 'aXbXbX', false],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['\\\\', '\\', true],
    ['a\\', 'a\\', true],
    ['.*', 'red', false],
    ['?', '𝄞', true],
    ['(a+)+$', '(a+)+$', true],
  ])('%j on %j: %s', async (pattern, color, expected) => {
    expect(await passes({ color }, colored(pattern))).toBe(expected)
  })

  it('agrees with a regular expression on every pattern', async () => {
    const plainly = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
    const toRegExp = (pattern: string): RegExp => {
      const source = pattern.replaceAll(/\\(.)|\\$|\*|\?|[^\\*?]+/gsu, (piece, plain?: string) => {
        if (plain !== undefined) return plainly(plain)
        if (piece === '*') return '.*'
        return piece === '?' ? '.' : plainly(piece)
      })
      return new RegExp(`^${source}$`, 'su')
    }
    await fc.assert(
      fc.asyncProperty(shortText, shortText, async (pattern, color) => {
        expect(await passes({ color }, colored(pattern))).toBe(toRegExp(pattern).test(color))
      }),
      { numRuns: 2000 },
    )
  })

  it('takes no longer for a hostile pattern', async () => {
    const started = performance.now()
    expect(await passes({ color: 'a'.repeat(1000) }, colored(`${'*a'.repeat(500)}b`))).toBe(false)
    // The simple way takes longer than the world.
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('joins names by AND and values by OR', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyThings,
        fc.subarray(['red', 'green', 'blue'], { minLength: 1 }),
        async (all, some) => {
          const ids = { Name: 'id', Values: ['a*', '*b'] }
          const { items } = await list(all, { Filters: [colored(...some), ids] })
          const expected = all.filter(
            ({ id, color }) => some.includes(color) && (id.startsWith('a') || id.endsWith('b')),
          )
          expect(new Set(items)).toEqual(new Set(expected))
        },
      ),
    )
  })

  it('knows tags by key and by key and value', async () => {
    const tags = [{ Key: 'Name', Value: 'web-1' }]
    expect(await passes({ tags }, { Name: 'tag:Name', Values: ['web-*'] })).toBe(true)
    expect(await passes({ tags }, { Name: 'tag:name', Values: ['web-*'] })).toBe(false)
    expect(await passes({ tags }, { Name: 'tag-key', Values: ['Na*'] })).toBe(true)
    expect(await passes({ tags }, { Name: 'tag-value', Values: ['web-?'] })).toBe(true)
    expect(await passes({ tags }, { Name: 'tag-value', Values: ['Name'] })).toBe(false)
    expect(await passes({ tags: [] }, { Name: 'tag:Name', Values: ['*'] })).toBe(false)
  })

  it.each([
    [true, 'true', true],
    [true, 'True', true],
    [false, 'true', false],
    [false, 'f*', true],
  ])('compares %s with %j: %s', async (value, pattern, expected) => {
    const filterable = { filters: { flag: () => value }, documented: [] }
    const filter = { Name: 'flag', Values: [pattern] }
    expect((await compileFilters(newBudget(), [filter], filterable))({})).toBe(expected)
  })

  it('takes what is documented of something that nobody has, and finds nothing by it', async () => {
    expect(await passes({}, { Name: 'shape', Values: ['*'] })).toBe(false)
    const untagged = { filters: {}, documented: ['tag:'] }
    const filter = { Name: 'tag:Name', Values: ['*'] }
    expect((await compileFilters(newBudget(), [filter], untagged))({})).toBe(false)
  })

  it.each(['colour', 'constructor', '__proto__', 'tag', 'tags:Name'])(
    'refuses %s',
    async (Name) => {
      await expect(passes({}, { Name, Values: ['x'] })).rejects.toMatchObject({
        code: 'InvalidParameterValue',
      })
    },
  )
})

suite('pages', () => {
  it('together are the whole list, in order, each at most MaxResults long', async () => {
    await fc.assert(
      fc.asyncProperty(anyThings, fc.integer({ min: 1, max: 10 }), async (things, MaxResults) => {
        const pages: (readonly Thing[])[] = []
        let NextToken: string | undefined
        do {
          const page: Page<Thing> = await list(things, { MaxResults, NextToken })
          pages.push(page.items)
          NextToken = page.nextToken
        } while (NextToken !== undefined)
        expect(pages.flat()).toEqual((await list(things, {})).items)
        expect(new Set(pages.flat())).toEqual(new Set(things))
        expect(pages.slice(0, -1).every((page) => page.length === MaxResults)).toBe(true)
        expect(pages.at(-1)?.length).toBeLessThanOrEqual(MaxResults)
      }),
    )
  })

  it('neither repeat nor lose what stays while other things come and go', async () => {
    await fc.assert(
      fc.asyncProperty(anyThings, anyThings, async (before, after) => {
        const stays = before.filter(({ id }) => after.some((thing) => thing.id === id))
        const first = await list(before, { MaxResults: 3 })
        const rest =
          first.nextToken === undefined
            ? []
            : (await list(after, { NextToken: first.nextToken })).items
        const seen = [...first.items, ...rest].map(({ id }) => id)
        expect(new Set(seen).size).toBe(seen.length)
        if (first.nextToken !== undefined)
          expect(stays.every(({ id }) => seen.includes(id))).toBe(true)
      }),
    )
  })

  it('refuses every token that the action did not make', async () => {
    const { nextToken: ofOther } = await list(
      [1, 2].map((n) => ({ id: `${n}`, color: 'red', tags: [] })),
      { MaxResults: 1 },
      { ...listing, action: 'DescribeOthers' },
    )
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.base64String(), fc.json()), async (token) => {
        for (const NextToken of [token, Buffer.from(token).toString('base64url'), ofOther])
          await expect(list([], { NextToken })).rejects.toMatchObject({ code: 'InvalidNextToken' })
      }),
    )
  })
})
