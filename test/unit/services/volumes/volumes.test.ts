import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { volumeHome, volumeHomes } from '../../../../src/host/files/volumes.ts'
import { createMetrics } from '../../../../src/lib/metrics.ts'
import type { LocalWant } from '../../../../src/model/want.ts'
import { createStorageRemovals } from '../../../../src/services/volumes/storage-removals.ts'
import { createVolumes } from '../../../../src/services/volumes/volumes.ts'
import { passWith } from '../../../../tools/kit/instance.ts'
import { numbered } from '../../../kit/records.ts'

const [one, two] = [numbered('vol', 1), numbered('vol', 2)]
let stateDir: string

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'atoll-volumes-'))
  for (const id of [one, two]) {
    await mkdir(volumeHome(stateDir, id), { recursive: true })
    await writeFile(join(volumeHome(stateDir, id), 'disk.qcow2'), 'data')
  }
})
afterEach(() => rm(stateDir, { recursive: true, force: true }))

const here = async () => [...(await volumeHomes(stateDir)).keys()].toSorted()
async function apply(volumes: LocalWant['volumes']) {
  const pass = passWith()
  const local = { ...pass.want.local, volumes }
  const stored = createStorageRemovals(null, () => undefined)
  const service = createVolumes({ stateDir, stored, metrics: createMetrics() })
  return await service.apply({ ...pass, resync: true, want: { ...pass.want, local } })
}

it('removes what is to be deleted, and says so again and again', async () => {
  const wanted = [
    { id: one, run: 'delete' },
    { id: two, run: 'keep' },
  ] as const
  for (const _again of [1, 2])
    expect(await apply(wanted)).toEqual([{ kind: 'volume-gone', volume: one }])
  expect(await here()).toEqual([two])
})

it('leaves what no record knows', async () => {
  expect(await apply([])).toEqual([])
  expect(await here()).toEqual([one, two])
})
