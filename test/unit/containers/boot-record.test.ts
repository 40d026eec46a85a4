import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bootOf, createInstanceFiles } from '../../../src/containers/boot-record.ts'
import { MOST_BOOTS } from '../../../src/model/lifecycle.ts'
import { instanceId } from '../../kit/records.ts'

describe('boot records', () => {
  test('tell the announced start from the one before', () => {
    const record = { bootCount: 3, startedBefore: 'a' }
    expect(bootOf(record, 'a')).toBe(2)
    expect(bootOf(record, 'b')).toBe(3)
    expect(bootOf(null, 'b')).toBeNull()
  })

  test('do not count further than the records can', async () => {
    const stateDir = await mkdtemp(join(tmpdir(), 'atoll-boots-'))
    onTestFinished(() => rm(stateDir, { recursive: true }))
    const files = createInstanceFiles(stateDir)
    for (const [bootCount, isRead] of [
      [MOST_BOOTS, true],
      [MOST_BOOTS + 1, false],
    ] as const) {
      const record = { bootCount, startedBefore: 'a' }
      await files.writeBoot(instanceId(1), record)
      expect(await files.readBoot(instanceId(1))).toEqual(isRead ? record : null)
    }
  })
})
