import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/lib/clock.ts'
import { createMetrics } from '../../../../src/lib/metrics.ts'
import { NOUNS } from '../../../../src/store/nouns.ts'
import { INSTANCES } from '../../../../src/store/records/instance.ts'
import { instanceToRow } from '../../../../src/store/records/instance-row.ts'
import type { AnyTable } from '../../../../src/store/records/noun.ts'
import {
  createRowCache,
  createRowReader,
  createRowWatch,
} from '../../../../src/store/records/rows.ts'
import { silentLog } from '../../../../tools/kit/log.ts'
import { hostName, instanceId, instanceRecord } from '../../../kit/records.ts'

const row = instanceToRow(instanceRecord(instanceId(1), hostName('here')))

function fixture() {
  const lines: string[] = []
  const log = {
    ...silentLog,
    error: (_fields: object, message: string) => lines.push(message),
    info: (_fields: object, message: string) => lines.push(message),
  }
  const time = { nowMs: 0 }
  const metrics = createMetrics()
  const watch = createRowWatch({ log, metrics, monotonic: () => time.nowMs })
  const cache = createRowCache()
  return { watch, lines, time, metrics, read: () => createRowReader(watch, cache, systemClock) }
}

describe('a row that was parsed before', () => {
  it('is the same record while its content is the same', () => {
    const { read } = fixture()
    const [first] = read().parse(INSTANCES, [{ ...row }])
    expect(read().parse(INSTANCES, [{ ...row }])[0]).toBe(first)
    const [changed] = read().parse(INSTANCES, [{ ...row, bootCount: 2 }])
    expect(changed).toMatchObject({ bootCount: 2 })
    expect(read().parse(INSTANCES, [{ ...row }])).toStrictEqual([first])
  })

  it('is parsed again when it becomes unreadable, and when it is readable again', () => {
    const { read, watch, lines } = fixture()
    read().parse(INSTANCES, [{ ...row }])
    const reader = read()
    expect(reader.parse(INSTANCES, [{ ...row, bootCount: -1 }])).toStrictEqual([])
    expect(reader.unreadable).toMatchObject([{ table: 'instances', key: row.id }])
    expect(watch.list()).toHaveLength(1)
    expect(read().parse(INSTANCES, [{ ...row }])).toHaveLength(1)
    expect(watch.list()).toStrictEqual([])
    expect(lines).toStrictEqual([
      'a record is unreadable and is left out',
      'a record is readable again',
    ])
  })
})

describe('what cannot be read', () => {
  it('is logged once, counted each time, and forgotten when nobody meets it any more', async () => {
    const { read, watch, lines, time, metrics } = fixture()
    for (let times = 0; times < 5; times += 1) read().parse(INSTANCES, [{ ...row, id: '../../x' }])
    expect(lines).toHaveLength(1)
    expect(await metrics.render()).toContain('atoll_unreadable_rows_total{table="instances"} 5')
    time.nowMs = 16 * 60_000
    expect(watch.list()).toStrictEqual([])
  })

  it('is listed with what is wrong with it now', () => {
    const { read, watch } = fixture()
    for (const broken of [{ bootCount: -1 }, { state: 'odd' }])
      read().parse(INSTANCES, [{ ...row, ...broken }])
    expect(watch.list()).toMatchObject([{ problem: expect.stringContaining('state') }])
  })

  it('is bounded, however much there is', () => {
    const { read, watch, lines } = fixture()
    const rows = Array.from({ length: 3000 }, (_, number) => ({ ...row, id: `../${number}` }))
    const reader = read()
    expect(reader.parse(INSTANCES, rows)).toStrictEqual([])
    expect(reader.unreadable).toHaveLength(1000)
    expect(watch.list()).toHaveLength(1000)
    expect(lines).toHaveLength(1000)
  })

  it('throws nothing, whatever is in it', () => {
    const { read } = fixture()
    const anything = fc.oneof(fc.anything(), fc.string(), fc.constant('__proto__'))
    fc.assert(
      fc.property(
        fc.constantFrom(...NOUNS.flatMap(({ tables }) => Object.values<AnyTable>(tables))),
        fc.constantFrom(...Object.keys(row)),
        anything,
        (table, column, value) => {
          const reader = read()
          for (const key of reader.parse(table, [{ ...row, [column]: value }]))
            expect(key).toBeTypeOf('object')
          for (const { key } of reader.unreadable) expect(key).toMatch(/^[\x20-\x7e]*$/)
        },
      ),
    )
  })
})
