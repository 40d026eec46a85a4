/**
 * The certificates and the derived keys of a host, for scripts.
 *
 *   certificates.ts make --secret-file F --directory D --name H... --address A...
 *     Makes sure that D has ca.crt, host.crt and host.key (0600) of this secret for these names and
 *     addresses, as atolld does; prints `issued` or `kept` and the days that are left. localhost
 *     and 127.0.0.1 need not be named.
 *   certificates.ts derive --secret-file F --purpose P
 *     Prints the derived password: 64 hexadecimal digits.
 *
 * Exit 1 with one line on stderr when that cannot be done.
 */
import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { ensureCertificates } from '../src/lib/certificates.ts'
import { derivePassword, PURPOSES, type Purpose } from '../src/lib/key-derivation.ts'

/** As the daemon reads it: without surrounding white space. */
function readSecret(file: string): string {
  const secret = readFileSync(file, 'utf8').trim()
  if (secret === '') throw new Error(`the file ${file} holds no secret`)
  return secret
}

interface Make {
  readonly secretFile: string
  readonly directory: string
  readonly name: readonly string[]
  readonly address: readonly string[]
}

async function make({ secretFile, directory, name, address }: Make): Promise<void> {
  const { issued, certificate } = await ensureCertificates({
    secret: readSecret(secretFile),
    directory,
    identity: { names: [...name, 'localhost'], addresses: [...address, '127.0.0.1'] },
    nowMs: Date.now(),
  })
  process.stdout.write(`${issued ? 'issued' : 'kept'} ${certificate.daysLeft}\n`)
}

const program = new Command('certificates.ts')
program
  .command('make')
  .requiredOption('--secret-file <file>', "the cluster's secret")
  .requiredOption('--directory <directory>', 'where the files lie')
  .requiredOption('--name <name...>', "the host's name, and others that it is reached by")
  .option('--address <address...>', 'IPv4 addresses that it is reached by', [])
  .action(make)
program
  .command('derive')
  .requiredOption('--secret-file <file>', "the cluster's secret")
  .addOption(
    new Option('--purpose <purpose>', 'what it is for').choices(PURPOSES).makeOptionMandatory(),
  )
  .action(({ secretFile, purpose }: { secretFile: string; purpose: Purpose }) => {
    process.stdout.write(`${derivePassword(readSecret(secretFile), purpose)}\n`)
  })

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`certificates.ts: ${error instanceof Error ? error.message : error}\n`)
  process.exit(1)
})
