import { expect, it } from 'vitest'
import { EngineError } from '../../../../../src/store/engines/engine.ts'
import { diagnose } from '../../../../../src/store/engines/mariadb/errors.ts'

it.each([
  ['a full table', 1114, "The table 'hosts' is full"],
  ['a full disk', 1021, 'Disk full (/tmp/ibtmp1); waiting for someone to free some space'],
  ['a full disk below its own files', 20, 'Disk is full writing'],
  ['a file that cannot grow', 1026, 'Error writing file (errno: 28 "No space left on device")'],
  ['an engine without room', 1030, 'Got error 28 "No space left on device" from storage engine'],
])('says of %s that the disk is full, also when no other node is left', (_what, errno, text) => {
  const { error } = diagnose(Object.assign(new Error(text), { errno }), 'insert')
  for (const one of [error, new EngineError('away', error, {})])
    expect(one).toMatchObject({
      code: 'Unavailable',
      message: expect.stringContaining('disk of the database is full'),
    })
})

it('says nothing of a disk when the engine failed for another reason', () => {
  const failed = Object.assign(new Error('Got error 127 from storage engine'), { errno: 1030 })
  expect(diagnose(failed, 'insert').error).toMatchObject({
    message: 'The database is unavailable; try again.',
  })
})
