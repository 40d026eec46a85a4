import { expect, it } from 'vitest'
import { parseJson } from '../../../src/lib/json.ts'

it.each([
  ['{"a":[1,null]}', { a: [1, null] }],
  ['null', null],
  ['', undefined],
  ['{"a":', undefined],
  ['no JSON', undefined],
])('%j is %j', (text, value) => {
  expect(parseJson(text)).toEqual(value)
})
