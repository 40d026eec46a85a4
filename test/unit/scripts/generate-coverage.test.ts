/** docs/coverage.md says what the code does. */
import * as ec2 from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { coverage, readCoverage } from '../../../scripts/generate-coverage.ts'
import { allActions } from '../../../src/api/actions/all.ts'

const page = coverage()

/** How often each word that the pattern's group finds is there. */
function counted(text: string, pattern: RegExp): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const [, word = ''] of text.matchAll(pattern)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

it('docs/coverage.md is up to date', () => {
  expect(readCoverage(), 'run: node scripts/generate-coverage.ts').toBe(page)
})

it('has every action of the SDK once, and a section for each that is carried out', () => {
  const lists = page.slice(page.indexOf('## Actions that are answered with an empty list'))
  const sections = counted(page, /^### (\w+)$/gm)
  const mentions = counted(lists, /\b(\w+)\b/g)
  for (const name of Object.keys(ec2).flatMap(
    (key) => /^([A-Z]\w+)Command$/.exec(key)?.[1] ?? [],
  )) {
    const action = allActions.find((one) => one.name === name)
    const isSection = action !== undefined && action.isAbsent !== true
    const found = [sections.get(name) ?? 0, mentions.get(name) ?? 0]
    expect(found, name).toEqual(isSection ? [1, 0] : [0, 1])
  }
})

it.each(
  allActions.filter(
    ({ isAbsent, name }) => isAbsent !== true && name !== 'ModifyInstanceAttribute',
  ),
)('$name refuses what the page says it refuses', ({ name, input }) => {
  const [, section = ''] = page.split(`### ${name}\n`)
  const [, list = ''] = /^- \*Refused:\* ((?:.|\n {2})*)/m.exec(section.split('###')[0] ?? '') ?? []
  const refused = [...list.matchAll(/`([^`.]+)`/g)].map(([, parameter = '']) => parameter)
  // Some parse their parameters later.
  const parsedBy = z.globalRegistry.get(input)?.['parsedBy']
  const schema = parsedBy instanceof z.ZodType ? parsedBy : input
  for (const parameter of refused) {
    const issues = schema.safeParse({ [parameter]: 'x' }).error?.issues ?? []
    // Unknown, or refused with a reason of its own.
    const names = issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys' ? issue.keys : issue.path.slice(0, 1),
    )
    expect(names, parameter).toContain(parameter)
  }
})
