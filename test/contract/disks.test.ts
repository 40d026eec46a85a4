/** Root disks on a host of its own, on a shared directory, and in a pool of Ceph. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import type { SharedStorage } from '../../src/host/shared-storage.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { createRootDisks } from '../../src/machines/disks/disks.ts'
import { createMachineFiles } from '../../src/machines/files.ts'
import { instance } from '../../tools/kit/instance.ts'
import { type CephCluster, startCeph } from '../kit/ceph.ts'
import { numbered } from '../kit/records.ts'
import { createSharedFixture } from '../kit/shared-directory.ts'
import { isLong } from '../long-files.ts'
import { disksContract } from './disks-contract.ts'

interface Fixture {
  readonly storage: string
  open(): SharedStorage
  remove(): Promise<void>
}

async function placeOf(shared: Fixture | null, isWhole = false) {
  const stateDir = await mkdtemp(join(tmpdir(), 'atoll-disks-'))
  const files = createMachineFiles(stateDir)
  for (const n of [1, 2]) await mkdir(files.paths(instance(n).id).home, { recursive: true })
  const disks = createRootDisks(files, systemRunner, shared?.open() ?? null)
  return {
    isWhole,
    disk: (n: number) => {
      const disk = { volume: numbered('vol', n), sizeGiB: 1, keep: false, storage: shared?.storage }
      return disks.of({ id: instance(n).id, disk })
    },
    async close() {
      await shared?.remove()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}

disksContract('files of the host', () => placeOf(null))
disksContract('a shared directory', async () => placeOf(await createSharedFixture()))
describe.runIf(isLong)('with a cluster', { timeout: 60_000 }, () => {
  let cluster: CephCluster
  beforeAll(async () => {
    cluster = await startCeph()
  }, 600_000)
  afterAll(() => cluster?.close())
  disksContract('a pool of Ceph', async () => placeOf(await cluster.fixture(), true))
})
