/** What is known of containers that are paused while something is read from them. */
import Dockerode from 'dockerode'
import { expect, test } from 'vitest'
import { createInstanceFiles } from '../../../src/containers/boot-record.ts'
import { createPauses } from '../../../src/containers/pause.ts'
import { instance } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'

test('one that the engine pauses is held until the work has ended, or failed', async () => {
  const files = createInstanceFiles('/nonexistent')
  const pauses = createPauses({ docker: new Dockerode(), files, log: silentLog })
  const { id } = instance(1)
  expect(await pauses.byEngine(id, async () => pauses.isHeld(id))).toBe(true)
  expect(pauses.isHeld(id)).toBe(false)
  const failing = pauses.byEngine(id, async () => {
    throw new Error('the engine is away')
  })
  await expect(failing).rejects.toThrow('away')
  expect(pauses.isHeld(id)).toBe(false)
})
