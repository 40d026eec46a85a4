/**
 * What two hosts must have in common, so that a machine can go on from one to the other while it
 * runs. QEMU promises that for the same machine type and processor only
 * (https://www.qemu.org/docs/master/devel/migration/compatibility.html). Between two versions it
 * works often, but not always, so they have to be the same as well.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { QEMU } from '../../host/kvm/kvm.ts'
import { failureOf, type Runner } from '../../lib/runner.ts'
import { refused, unavailable } from '../../model/errors.ts'
import type { LiveKind } from '../../workloads/driver.ts'
import { type Accelerator, isTracked } from '../machine.ts'
import type { Qmp } from '../qmp.ts'

const versionSchema = z.object({
  qemu: z.object({ major: z.int(), minor: z.int(), micro: z.int() }),
  package: z.string().max(200),
})
const kvmSchema = z.object({ enabled: z.boolean() })
const memorySchema = z.object({ 'base-memory': z.int().positive() })
const typeSchema = z.string().max(200)

/**
 * How a running machine was started. Errors: `refused` when its QEMU would not notice every write
 * to its memory while that is sent.
 */
export async function runningKind(qmp: Pick<Qmp, 'execute'>, mtuBytes: number): Promise<LiveKind> {
  const version = versionSchema.parse(await qmp.execute('query-version'))
  const type = await qmp.execute('qom-get', { path: '/machine', property: 'type' })
  const { enabled } = kvmSchema.parse(await qmp.execute('query-kvm'))
  const accelerator = enabled ? 'kvm' : 'tcg'
  const memory = memorySchema.parse(await qmp.execute('query-memory-size-summary'))
  if (!isTracked(memory['base-memory'], accelerator))
    throw refused(
      'IncorrectInstanceState',
      'it was started by an older version of Atoll, with which it cannot move while it runs: stop and start it first',
    )
  const { major, minor, micro } = version.qemu
  return {
    qemu: `${major}.${minor}.${micro} (${version.package})`,
    machine: typeSchema.parse(type).replace(/-machine$/, ''),
    processor: await processorOf(accelerator),
    mtu: String(mtuBytes),
  }
}

/**
 * How this host starts a machine of this type; `q35` stands for the newest of its versions. Errors:
 * `unavailable`.
 */
export async function kindHere(
  run: Runner,
  type: 'q35' | 'microvm',
  { accelerator, mtuBytes }: { readonly accelerator: Accelerator; readonly mtuBytes: number },
): Promise<LiveKind> {
  const said = await outputOf(run, ['--version'])
  const types = await outputOf(run, ['-machine', 'help'])
  return {
    qemu: /^QEMU emulator version (.{1,250})$/m.exec(said)?.[1] ?? 'unknown',
    machine: /^q35 .*\(alias of (\S+)\)$/m.exec(type === 'q35' ? types : '')?.[1] ?? type,
    processor: await processorOf(accelerator),
    mtu: String(mtuBytes),
  }
}

async function outputOf(run: Runner, args: readonly string[]): Promise<string> {
  const done = await run(QEMU, args).catch((error: unknown) => {
    throw unavailable(`${QEMU} cannot be started`, error)
  })
  if (done.exitCode === 0) return done.stdout
  throw unavailable(`${QEMU} ${args.join(' ')}: ${failureOf(done)}`)
}

/** What guests see: all that the host's has, or all that emulation has. */
async function processorOf(accelerator: Accelerator): Promise<string> {
  if (accelerator === 'tcg') return 'emulated'
  const text = await readFile('/proc/cpuinfo', 'utf8')
  const name = /^model name\s*: (.*)$/m.exec(text)?.[1] ?? 'unknown'
  const flags = /^flags\s*: (.*)$/m.exec(text)?.[1] ?? ''
  const digest = createHash('sha256').update(flags.split(' ').sort().join(' ')).digest('hex')
  return `${name} (features ${digest.slice(0, 12)})`
}
