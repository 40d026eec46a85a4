/** `atoll storage`: prepares a directory that several hosts reach. */
import type { Command } from 'commander'
import { print } from './cli-output.ts'
import type { Config } from './config.ts'
import { initSharedDirectory } from './host/files/shared-directory.ts'
import { readCloudSecret } from './identity.ts'
import { systemRunner } from './lib/runner.ts'
import { sharedDirectorySettings } from './shared-storage.ts'

/** Adds the command. `settings` reads the configuration. */
export function addStorage(program: Command, settings: () => Config): void {
  program
    .command('storage')
    .description('storage that several hosts reach, for the disks of virtual machines')
    .command('init')
    .description(
      'make the directory storage.shared.path a storage of this cloud; once, on one host, when it is mounted',
    )
    .action(async () => print(await init(settings())))
}

async function init(config: Config): Promise<string> {
  const directory = sharedDirectorySettings(config, await readCloudSecret(config))
  if (directory === null)
    throw new Error('storage.shared.path is not set: name the directory there, on each host')
  const storage = await initSharedDirectory(directory, systemRunner)
  return `${directory.path} is the storage ${storage} now`
}
