/** `atoll usage` itself, with a daemon's socket over real records: what it prints. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NO_PREFERENCE } from '../../../src/model/metadata-options.ts'
import { NO_USAGE, type UsageRecord } from '../../../src/model/usage.ts'
import { type OpenAdmin, openAdmin } from '../../kit/admin.ts'
import { BOB } from '../../kit/api-cloud.ts'
import { openRecords } from '../../kit/cluster-records.ts'
import { account, hostName } from '../../kit/records.ts'

const HERE = hostName('here')
const HOUR = 3600
let admin: OpenAdmin

const record = (change: Partial<UsageRecord>): UsageRecord => ({
  ...{ ...NO_USAGE, day: '2026-11-29', host: HERE, account, tagKey: '', tagValue: null },
  ...{ untilMs: 1, ...change },
})
const team = (tagValue: string | null, hours: number) =>
  record({ tagKey: 'team', tagValue, instanceSeconds: hours * HOUR })

beforeAll(async () => {
  const store = await openRecords([HERE])
  await store.change(async (tx) => {
    await tx.insertAccount({ id: BOB, name: 'red, or "r"', metadata: NO_PREFERENCE })
    for (const one of [
      record({
        ...{ instanceSeconds: 10 * HOUR, vcpuSeconds: 20 * HOUR, addressSeconds: 0.5 * HOUR },
        ...{ memoryMiBSeconds: 10 * 512 * HOUR, diskGiBSeconds: 80 * HOUR },
      }),
      ...[team('blue', 4), team('=1+1', 1), team('a,"b"', 1), team(null, 2)],
      record({ day: '2026-11-30', instanceSeconds: HOUR }),
      record({ account: BOB, instanceSeconds: 36 }),
      record({ day: '2025-01-01', instanceSeconds: HOUR }),
    ])
      await tx.putUsage(one)
  })
  admin = await openAdmin(store, HERE)
})
afterAll(() => admin[Symbol.asyncDispose]())

const usage = (...words: readonly string[]) => admin.atoll('usage', ...words)
const DAYS = ['--from', '2026-11-29', '--to', '2026-11-30']

test('prints a line for each account', async () => {
  const { code, out } = await usage(...DAYS)
  expect(code).toBe(0)
  expect(out).toMatch(/^2026-11-29 to 2026-11-30, UTC\n/)
  expect(out).toMatch(/000000000001 +default +11\.00 +20\.00 +5\.00 +80\.00 +0\.50/)
  expect(out).toMatch(/000000000002 .* +0\.01 +0\.00 +0\.00 +0\.00 +0\.00/)
})

test('prints a line for each value of a tag, and what is left', async () => {
  const { out } = await usage(...DAYS, '--by-tag', 'team', '--account', 'default', '--json')
  const { rows } = JSON.parse(out) as { rows: { value: string; kind: string }[] }
  expect(
    rows.map((row) => [
      row.kind,
      row.value,
      (row as unknown as { instanceHours: number }).instanceHours,
    ]),
  ).toEqual([
    ['others', null, 2],
    ['value', '=1+1', 1],
    ['value', 'a,"b"', 1],
    ['value', 'blue', 4],
    ['none', null, 3],
  ])
  const table = (await usage(...DAYS, '--by-tag', 'team')).out
  for (const line of [/TEAM/, /blue +4\.00/, /\(none\) +3\.00/, /\(others\) +2\.00/])
    expect(table).toMatch(line)
})

test('prints CSV that no spreadsheet takes for a formula', async () => {
  const { out } = await usage(...DAYS, '--by-tag', 'team', '--csv')
  const lines = out.split('\r\n')
  expect(lines[0]).toBe(
    'account,accountName,value,kind,instanceHours,vcpuHours,memoryGiBHours,diskGiBHours,addressHours',
  )
  expect(lines).toContain("000000000001,default,'=1+1,value,1,0,0,0,0")
  expect(lines).toContain('000000000001,default,"a,""b""",value,1,0,0,0,0')
  expect(lines).toContain('000000000002,"red, or ""r""",,none,0.01,0,0,0,0')
})

test('prints a line for each day', async () => {
  const { out } = await usage(...DAYS, '--daily', '--account', 'default', '--csv')
  expect(out.split('\r\n').slice(1, 3)).toEqual([
    '2026-11-29,000000000001,default,10,20,5,80,0.5',
    '2026-11-30,000000000001,default,1,0,0,0,0',
  ])
})

test('of days without usage says what is recorded when', async () => {
  const { code, out } = await usage('--from', '2020-01-01', '--to', '2020-01-31')
  expect([code, out]).toEqual([0, expect.stringContaining('every minute')])
})

test.each([
  [['--from', 'yesterday'], /"yesterday" is not a day; .* 2026-11-29/],
  [['--to', '2026-02-30'], /"2026-02-30" is not a day/],
  [['--from', '2026-11-30', '--to', '2026-11-29'], /is after the last/],
  [['--from', '٢٠٢٦-11-30'], /is not a day/],
  [['--account', 'nobody'], /no account "nobody"; see: atoll accounts list/],
  [['--by-tag', ''], /must be the key of a tag/],
  [['--by-tag', 'x'.repeat(129)], /must be the key of a tag/],
  [['--csv', '--json'], /cannot be used with/],
])('it is no question: %j', async (words, said) => {
  const { code, error } = await usage(...words)
  expect(error).toMatch(said)
  expect(code).not.toBe(0)
})
