/** fog-aws (Ruby) as Debian packages it: what its models make, change and remove. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { debianVersion, type Outcome, reportOf } from '../kit/compatibility.ts'

const STORY = join(import.meta.dirname, 'ruby/fog.rb')

const report = reportOf(
  'fog-aws',
  () => debianVersion('ruby-fog-aws'),
  'Its models and requests for compute.',
)

let at: ClientCloud
beforeAll(async () => {
  at = await openClientCloud('fog')
})
afterAll(() => at?.[Symbol.asyncDispose]())

report.passes(
  'the whole story',
  async () => {
    const args = [STORY, at.cloud.credentials.endpoint, at.image]
    const steps = (await at.ask('ruby', args)) as readonly Outcome[]
    report.add(steps.map(([what, said]) => ({ what, said })))
    expect(steps.filter(([, said]) => said !== null)).toEqual([])
  },
  900_000,
)

report.excludes('volumes and snapshots that are made', 'Atoll has no snapshots yet')
report.excludes(
  'spot and reserved instances, ClassicLink',
  'Atoll sells nothing and has no EC2-Classic; the lists are empty',
)
