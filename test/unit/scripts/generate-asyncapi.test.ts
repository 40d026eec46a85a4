/** The AsyncAPI document says of the bus what the schemas say. */
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { asyncApi, readAsyncApi } from '../../../scripts/generate-asyncapi.ts'
import { allActions } from '../../../src/api/actions/all.ts'

const text = asyncApi()
const document: unknown = parse(text)

/** What a JSON pointer names, or undefined. */
function at(pointer: string): unknown {
  let value = document
  for (const step of pointer.replace('#/', '').split('/')) {
    if (typeof value !== 'object' || value === null) return undefined
    value = Reflect.get(value, step)
  }
  return value
}

test('the document is up to date: run node scripts/generate-asyncapi.ts', () => {
  expect(readAsyncApi()).toBe(text)
})

test('every reference leads somewhere', () => {
  const references = [...text.matchAll(/\$ref: "(#[^"]+)"/g)].map(([, pointer = '']) => pointer)
  expect(references.length).toBeGreaterThan(100)
  expect(references.filter((pointer) => at(pointer) === undefined)).toEqual([])
})

test('every action is there, with its parameters', () => {
  const commands = at('#/components/messages/command/payload/allOf/1/oneOf')
  expect(commands).toEqual(
    allActions
      .map(({ name }) => name)
      .sort()
      .map((name) => ({
        type: 'object',
        properties: { action: { const: name }, parameters: { $ref: expect.any(String) } },
      })),
  )
})
