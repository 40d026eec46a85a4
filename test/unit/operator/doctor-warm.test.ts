import { expect, it } from 'vitest'
import { judgeWarm } from '../../../src/operator/doctor-warm.ts'

const report = (waiting: number, problem: string | null = null) => ({
  ...{ image: 'ami-1', type: 'at1.nano', count: 4, waiting, problem },
})

it('says how many wait', () => {
  expect(judgeWarm([report(3)])).toMatchObject({
    ...{ result: 'ok', found: '3 of 4 ami-1 at1.nano wait for launches' },
  })
})

it('names a setting that comes to nothing, and one for which none waits', () => {
  expect(judgeWarm([report(4), report(0, 'there is no image ami-2')])).toMatchObject({
    ...{ result: 'warn', found: expect.stringContaining('there is no image ami-2') },
  })
  expect(judgeWarm([report(4), report(0)]).result).toBe('warn')
})

it('has nothing to say where no daemon runs', () => {
  expect(judgeWarm(null).result).toBe('ok')
})
