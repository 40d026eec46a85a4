/** Root disks on a host of its own, and on a shared directory. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemRunner } from '../../src/lib/runner.ts'
import { createRootDisks } from '../../src/machines/disks/disks.ts'
import { createMachineFiles } from '../../src/machines/files.ts'
import { instance } from '../../tools/kit/instance.ts'
import { numbered } from '../kit/records.ts'
import { createSharedFixture } from '../kit/shared-directory.ts'
import { disksContract } from './disks-contract.ts'

async function placeOf(isShared: boolean) {
  const stateDir = await mkdtemp(join(tmpdir(), 'atoll-disks-'))
  const shared = isShared ? await createSharedFixture() : null
  const files = createMachineFiles(stateDir)
  for (const n of [1, 2]) await mkdir(files.paths(instance(n).id).home, { recursive: true })
  const disks = createRootDisks(files, systemRunner, shared?.open() ?? null)
  return {
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

disksContract('files of the host', () => placeOf(false))
disksContract('a shared directory', () => placeOf(true))
