/**
 * What a client reads from a view: it is encoded as an answer of the API, and decoded by the AWS
 * SDK.
 */
import fc from 'fast-check'
import type { Action } from '../../src/api/action.ts'
import { allActions } from '../../src/api/actions/all.ts'
import { actionTable } from '../../src/api/wire/table.ts'
import { encodeAnswer } from '../../src/api/wire/xml.ts'
import { known } from './api.ts'
import { newBudget } from './budget.ts'
import { exchange } from './sdk.ts'

const TABLE = actionTable(allActions)

/** An answer of an action as the SDK's own parser has it. */
export async function seenBySdk(name: Action['name'], output: object): Promise<unknown> {
  const { wire } = known(TABLE.get(name))
  const xml = await encodeAnswer(wire, 'a-request', output, newBudget())
  return (await exchange(name, {}, xml)).output
}

/** Texts that have been lost, cut or taken for markup by somebody's parser. */
export const oddText: fc.Arbitrary<string> = fc.constantFrom(
  'web',
  '',
  ' both ends ',
  '<a href="x">&amp;</a>',
  ']]>',
  '0',
  'true',
  '1e3',
  '007',
  'ü€𝄞 日本語',
  'tab\there',
  'line\nfeed',
  'it\'s "quoted"',
)

/** Tags in the terms of the SDK, none or some. */
export const someTags: fc.Arbitrary<{ Key: string; Value: string }[]> = fc.array(
  fc.record(
    { Key: fc.constantFrom('Name', 'a b', '<k>'), Value: oddText },
    { noNullPrototype: true },
  ),
  { maxLength: 3 },
)

/** `{ Tags }`, or nothing when there are none, as most of EC2's answers have it. */
export function tagsIfAny<T>(tags: T[]): { readonly Tags?: T[] } {
  return tags.length === 0 ? {} : { Tags: tags }
}

/** Few runs, of whose smallest counterexample much is printed. */
export const RUNS = { numRuns: 40 }
