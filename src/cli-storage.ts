/** `atoll storage`: prepares a storage that several hosts reach. */
import type { Command } from 'commander'
import type { HostReport } from './api/host-reports.ts'
import { print } from './cli-output.ts'
import type { Config } from './config.ts'
import { readCloudSecret } from './identity.ts'
import { isOfKind } from './model/storage.ts'
import { initSharedStorage } from './shared-storage.ts'

/** Adds the command. `settings` reads the configuration. */
export function addStorage(
  program: Command,
  settings: () => Config,
  randomBytes: (bytes: number) => Uint8Array,
): void {
  program
    .command('storage')
    .description('storage that several hosts reach, for the disks of virtual machines')
    .command('init')
    .description(
      'make the directory storage.shared.path, or the pool storage.ceph.pool, a storage of this cloud; once, on one host',
    )
    .action(async () => print(await init(settings(), randomBytes)))
}

/** What `atoll hosts` says of a host whose storage refuses by address. */
export function storageLines({
  name,
  storage = null,
  storageAddress = null,
  storageFence = null,
}: Pick<HostReport, 'name' | 'storage' | 'storageAddress'> &
  // Absent: a daemon of an older version answers.
  Partial<Pick<HostReport, 'storageFence'>>): readonly string[] {
  const isUnknown = storage !== null && isOfKind(storage, 'ceph') && storageAddress === null
  return [
    ...(isUnknown
      ? [
          `${name}: ${storage} does not know from which address it comes, so its instances with a disk there are not started elsewhere when it is lost`,
        ]
      : []),
    ...(storageFence === null
      ? []
      : [
          `${name}: ${storageFence.storage} is to refuse its address ${storageFence.address} until it is back, because others took over its instances`,
        ]),
  ]
}

async function init(config: Config, randomBytes: (bytes: number) => Uint8Array): Promise<string> {
  const { name, storage } = await initSharedStorage(
    config,
    await readCloudSecret(config),
    randomBytes,
  )
  return `${name} is the storage ${storage} now`
}
