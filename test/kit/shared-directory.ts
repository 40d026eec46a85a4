/** A shared directory of a test's own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createSharedDirectory,
  initSharedDirectory,
  type SharedDirectory,
  type SharedDirectorySettings,
} from '../../src/host/files/shared-directory.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { silentLog } from '../../tools/kit/log.ts'

const CLOUD = '00112233445566aa'

export interface SharedFixture {
  readonly settings: SharedDirectorySettings
  /** Its id. */
  readonly storage: string
  /** As another daemon, or another host, has it. */
  open(other?: Partial<SharedDirectorySettings>): SharedDirectory
  remove(): Promise<void>
}

/** Makes one. Not in memory: `open(2)` has no O_DIRECT there on older kernels. */
export async function createSharedFixture(): Promise<SharedFixture> {
  const dir = await mkdtemp(join(tmpdir(), 'atoll shared.'))
  const settings = { path: dir, cloud: CLOUD, lockFile: `${dir}.lock` }
  const storage = await initSharedDirectory(settings, systemRunner)
  return {
    settings,
    storage,
    open: (other = {}) =>
      createSharedDirectory(
        { ...settings, ...other },
        { run: systemRunner, clock: systemClock, log: silentLog },
      ),
    async remove() {
      await rm(dir, { recursive: true, force: true })
      await rm(settings.lockFile, { force: true })
    },
  }
}
