/** What is remembered of containers that wait for an instance. */
import { expect, test } from 'vitest'
import { createWaiting, isMadeToWait } from '../../../src/containers/waiting.ts'
import { INSTANCE_LABEL, WARM_LABEL } from '../../../src/model/names.ts'
import { numbered } from '../../kit/records.ts'

const id = numbered('i', 1)
const what = { id, image: numbered('ami', 1), digest: 'sha256:aa', type: 'at1.nano' }
const one = { what, spec: '{}', containerId: 'c1', startedAt: 'first' }
const seen = {
  id: 'c1',
  state: { StartedAt: 'first', Status: 'running' },
  labels: { [INSTANCE_LABEL]: id, [WARM_LABEL]: id },
}

test('one waits until it is taken, and then it is as if it had never waited', () => {
  const waiting = createWaiting()
  waiting.add(one)
  expect(waiting.look(id, seen)).toBe('ready')
  expect(waiting.all()).toEqual([what])
  expect(waiting.take(id)).toBe(one)
  expect(waiting.take(id)).toBeNull()
  expect(waiting.look(id, seen)).toBe('spoilt')
})

test.each([
  ['another container', { ...seen, id: 'c2' }],
  ['another start', { ...seen, state: { ...seen.state, StartedAt: 'second' } }],
  ['one that is paused', { ...seen, state: { ...seen.state, Status: 'paused' } }],
  ['one that has ended', { ...seen, state: { ...seen.state, Status: 'exited' } }],
])('%s does not wait, and never will again', (_what, other) => {
  const waiting = createWaiting()
  waiting.add(one)
  expect(waiting.look(id, other)).toBe('spoilt')
  expect(waiting.look(id, seen)).toBe('spoilt')
  expect(waiting.all()).toEqual([])
})

test('what was made to wait has its own id in the label, and the label of an image is another', () => {
  expect(isMadeToWait(seen)).toBe(true)
  const labels = { [INSTANCE_LABEL]: numbered('i', 2), [WARM_LABEL]: id }
  expect(isMadeToWait({ labels })).toBe(false)
  expect(isMadeToWait({ labels: { [INSTANCE_LABEL]: id } })).toBe(false)
})
