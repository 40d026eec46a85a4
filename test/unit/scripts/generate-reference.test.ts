/** docs/api/ has a page for each action that is carried out. */
import { expect, it } from 'vitest'
import { readReference, reference } from '../../../scripts/generate-reference.ts'

const pages = reference()

it('docs/api/ has the pages that the code has', () => {
  const committed = [...readReference().keys()].toSorted()
  expect(committed, 'run: node scripts/generate-reference.ts').toEqual([...pages.keys()].toSorted())
})

it.each([
  ['DeletePlacementGroup', ['| `GroupName` | string | required |', 'InvalidPlacementGroup.InUse']],
  [
    'DescribePlacementGroups',
    ['`spread-level`', 'InvalidPlacementGroup.Unknown', 'list of string'],
  ],
  ['RunInstances', ['InsufficientInstanceCapacity', '| `KernelId` | string | refused |']],
])('the page of %s has its parameters, filters and errors', (name, parts) => {
  const page = pages.get(`${name}.md`)
  for (const part of parts) expect(page).toContain(part)
  // What it cannot answer.
  expect(page).not.toContain('InvalidFleetId.NotFound')
})
