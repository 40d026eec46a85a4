/** What rows say that other daemons have written. */
import { expect, it } from 'vitest'
import { z } from 'zod'
import {
  checkColumns,
  checkFrom,
  checkSchema,
  rebootedColumn,
  rebootedFrom,
} from '../../../../src/store/records/check-columns.ts'

const schema = z.object(checkSchema)
const SINCE = '2026-11-22T08:33:27.000Z'

it.each([
  ['an older daemon has written', {}, {}],
  ['nobody has asked', { checkBoot: null, checkResult: null, checkSince: null }, {}],
  [
    'was found out',
    { checkBoot: 2, checkResult: 'failed', checkSince: SINCE },
    { check: { bootCount: 2, result: 'failed', since: SINCE } },
  ],
  [
    'a newer daemon has found out',
    { checkBoot: 2, checkResult: 'asleep', checkSince: SINCE },
    { check: { bootCount: 2, result: 'unknown', since: SINCE } },
  ],
  ['is half there', { checkBoot: 2, checkResult: 'failed', checkSince: null }, {}],
])('reads what %s', (_what, row, check) => {
  expect(checkFrom(schema.parse(row))).toEqual(check)
})

it.each([
  { checkBoot: -1 },
  { checkBoot: 'x' },
  { checkSince: 'yesterday' },
  { checkAnswered: 'yes' },
  { checkRebootAt: 'tomorrow' },
  { rebooted: 'yesterday' },
  { rebooted: `${SINCE} ${SINCE},` },
  { rebooted: SINCE.repeat(20) },
])('takes no %j', (columns) => {
  const row = { checkBoot: 1, checkResult: 'passed', checkSince: SINCE, ...columns }
  expect(schema.safeParse(row).success).toBe(false)
})

it('reads what it has written of an instance that hangs', () => {
  const check = { bootCount: 2, result: 'failed', since: SINCE } as const
  for (const more of [
    {},
    { answered: true as const },
    { answered: true as const, rebootAt: SINCE },
  ])
    expect(checkFrom(schema.parse(checkColumns({ ...check, ...more })))).toEqual({
      check: { ...check, ...more },
    })
  for (const rebooted of [[], [SINCE], [SINCE, SINCE, SINCE]]) {
    const row = schema.parse({ ...checkColumns(check), ...rebootedColumn(rebooted) })
    expect(rebootedFrom(row.rebooted)).toEqual({ rebooted })
  }
  expect(rebootedFrom(schema.parse(rebootedColumn(undefined)).rebooted)).toEqual({})
})
